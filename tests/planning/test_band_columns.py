"""Plans and bounds of all bands at once, against one segment and one height at a time."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

import pytest
from band_oracle import Figures, figures_of
from gated_nets import chance_gated_net
from images import ImageNet, chance_neck, chance_net
from planning_helpers import allowed_everywhere
from stream_nets import StreamNet
from test_no_invoke_estimate import wide_convolutions

from splitopt.arena.one_row import fails_on_one_row
from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.option_bounds import option_bounds
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"

ENDS_APART = Techniques(streams=False, rolled_ends=False)


def require_equal(graph: ModelGraph, abi: str = "m55", *, two_heights: bool = True) -> int:
    """Every plan and every figure; returns how many plans there are."""
    techniques = Techniques(two_heights=two_heights, streams=False, rolled_ends=False)
    table = SegmentTable(graph, target_rules(abi), techniques=techniques)
    bands, columns = table.bands, table.bands.columns
    wanted = list(figures_of(table, two_heights=two_heights))
    assert list(bands.segments) == [(start, stop) for start, stop, _ in wanted]
    found = [
        Figures(variant, (tall, low), (count, ends), peak_load, *figures)
        for _, _, variant, count, ends, tall, low, peak_load, _, *figures in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]
    assert found == [figures for *_, plans in wanted for _, figures in plans]
    for start, stop, plans in wanted:
        assert bands.plans(start, stop) == tuple(plan for plan, _ in plans)
    assert bands.is_complete
    return len(found)


def test_nets_by_chance() -> None:
    plans = 0
    for seed, two_heights in zip(range(30), (True, True, False) * 10, strict=True):
        plans += require_equal(
            chance_net(seed), ("m55", "x86_64")[seed % 2], two_heights=two_heights
        )
    assert plans > 500


def test_necks_by_chance() -> None:
    """Inputs at several heights; inputs of the whole model that no op reads."""
    assert sum(require_equal(chance_neck(seed)) for seed in range(15)) > 100


def test_gates_by_chance() -> None:
    """Operands that every band reads whole, as inputs or made of the image itself."""
    assert sum(require_equal(chance_gated_net(seed)) for seed in range(10)) > 500


def shared_reads(seed: int) -> ModelGraph:
    """Tensors that several ops read, one here and one there: they come in late and stay on."""
    rng = random.Random(seed)
    net = ImageNet(rng)
    made = [net.image(12, 5, 2) for _ in range(3)]
    inputs = list(made)
    for _ in range(9):
        left, right = rng.choice(made[-4:]), rng.choice(made[:5])
        kind = rng.choice(["add", "add", "conv", "join"])
        if kind == "add" and net.shapes[left] == net.shapes[right] and left != right:
            made.append(net.add(left, right))
        elif kind == "join" and net.shapes[left][2] < 6 and left != right:
            made.append(net.join(left, right))
        else:
            made.append(net.conv(left, rng.choice([2, 2, 3]), rng.choice([1, 3]), 1, "same"))
    results = rng.sample(made[3:-1], 2)
    return net.graph(inputs, [*results, made[-1]])


def test_tensors_that_are_read_again_and_results_that_are_read() -> None:
    assert sum(require_equal(shared_reads(seed)) for seed in range(8)) > 500


def test_ops_without_an_estimate_on_few_rows() -> None:
    assert require_equal(wide_convolutions())


def wrong_on_one_row(seed: int) -> ModelGraph:
    """Windows of one row that CMSIS-NN gets wrong on a single row, among others."""
    rng = random.Random(seed)
    net = StreamNet(rng)
    source = net.image(rng.randint(6, 12), 24, 4)
    made = [net.window("MAX_POOL_2D", source, (rng.choice([1, 2, 3]), 1), (1, 1), "valid")]
    for _ in range(3):
        high = rng.choice([1, 1, 3])
        wide, stride = rng.choice([(5, 2), (3, 1)])
        padding = "same" if high == 1 else rng.choice(["same", "valid"])
        made.append(net.window("CONV_2D", made[-1], (high, wide), (1, stride), padding))
    return net.graph([source], [rng.choice(made[1:3]), made[-1]])


def test_bands_of_a_single_row_that_go_wrong() -> None:
    graphs = [wrong_on_one_row(seed) for seed in range(12)]
    wrong = [sum(fails_on_one_row(graph, op) for op in graph.ops) for graph in graphs]
    assert min(wrong) == 0 < max(wrong)
    assert sum(map(require_equal, graphs)) > 200


@pytest.mark.parametrize("name", ["resnet8", "unet"])
def test_real_models(name: str) -> None:
    assert require_equal(read_tflite(MODELS / f"{name}_digits_int8.tflite")) > 100


def test_rows_of_many_starts_do_not_mix() -> None:
    """Ops outside of bands part runs of ops; what was read before them is outside of all after."""
    for seed, at in product(range(2), (1, 3)):
        net = ImageNet(random.Random(seed))
        source = net.image(10, 4, 2)
        made = [net.conv(source, 2, 3, 1, "same")]
        for k in range(6):
            if k == at:
                made.append(net.shift(made[-1], [1, 10, 4, 2]))
            else:
                made.append(net.add(net.conv(made[-1], 2, 3, 1, "same"), made[0]))
        assert require_equal(net.graph([source], [made[-1]])) > 20


def test_operands_of_other_scales_are_in_no_segment_together() -> None:
    """8 rows of 16 by a window without padding are not the 8 rows of an input half as high."""
    net = ImageNet()
    source, low = net.image(16, 12, 2), net.image(8, 4, 2)
    wide = net.conv(source, 2, 9, 1, "valid")
    graph = net.graph([source, low], [net.conv(net.add(wide, low), 2, 1, 1, "same")])
    assert require_equal(graph)
    table = SegmentTable(graph, target_rules("m55"), techniques=ENDS_APART)
    assert (1, 3) in set(table.bands.segments)
    assert (0, 2) not in set(table.bands.segments)


def test_rows_that_nothing_needs_may_be_wrong() -> None:
    """A window of all rows whose result is not used blocks no bands, but where it is cut off."""
    net = ImageNet()
    source = net.image(8, 8, 2)
    made = net.conv(source, 2, 1, 1, "same")
    net.conv(made, 2, 15, 1, "same")
    graph = net.graph([source], [net.conv(made, 3, 1, 1, "same")])
    assert require_equal(graph)
    table = SegmentTable(graph, target_rules("m55"), techniques=ENDS_APART)
    assert (0, 3) in set(table.bands.segments)


@pytest.mark.parametrize("abi", ["m55", "x86_64"])
def test_bounds_are_exact_but_for_fragmentation_and_the_planners_work(abi: str) -> None:
    seen = exact = 0
    for seed in range(16):
        graph = (chance_net, chance_neck)[seed % 2](seed)
        table = SegmentTable(
            graph,
            target_rules(abi),
            techniques=ENDS_APART,
            headroom_bytes=48,
            zero_arena=seed % 3 == 0,
        )
        bounds = option_bounds(table, allowed_everywhere(len(graph.ops)))
        for start, stop, key, ram, cost, copied in zip(*bounds, strict=True):
            option = None
            if key > 1 and (start + stop + key // 2 + seed) % 3 == 0:
                option = table.option(int(start), int(stop), int(key))
            if option is None:
                continue
            at = int(start), int(stop)
            needed = option.arena_bytes + int(table.boundary.load_in_bands[at])
            assert ram <= needed
            assert cost <= sum(piece.added_insn for piece in option.pieces)
            assert copied == option.copied_bytes
            is_packed = max(p.memory.head_bytes for p in option.pieces) == max(
                p.memory.peak_load_bytes for p in option.pieces
            )
            requests = {p.memory.scratch for p in option.pieces}
            whole = sum(len(memory.scratch) for memory in table.memories[start:stop])
            if is_packed and requests == {whole} and at != (0, len(graph.ops)):
                assert ram == needed
                exact += 1
            seen += 1
    assert seen > 150
    assert exact > seen // 2

"""Row bands: geometry against brute force, every piece against the unsplit model in TFLM."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from band_oracle import plans_of
from gated_nets import chance_gated_net
from images import ImageNet, chance_net
from limits import seconds
from planning_helpers import allowed_everywhere
from samples import seeds

from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import segment_of
from splitopt.graph.tflite_reader import read_tflite
from splitopt.pieces.writer import write_piece
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.runtime.arrays import arena_bytes, random_inputs
from splitopt.runtime.host import Bands, Stage, run_tflm_chain
from splitopt.tiling.check import InvalidBands, check_bands, identities
from splitopt.tiling.geometry import SegmentRows, banded_segments
from splitopt.tiling.plan import BandPlan, Execution, RowSpan
from splitopt.tiling.resized import resized
from splitopt.tiling.rows import row_rule, rows_of
from splitopt.tiling.schedule import executions_of, heights_of

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"
SAMPLES = 2
Found = tuple[int, int, SegmentRows]


def banded(graph: ModelGraph) -> Iterator[Found]:
    """Every segment that can run in bands, and its rows."""
    known = [row_rule(graph, op) for op in graph.ops]
    for start in range(len(graph.ops)):
        for stop, rows in banded_segments(graph, start, known):
            if rows.outputs:
                yield start, stop, rows


def pieces_of(
    graph: ModelGraph, start: int, stop: int, rows: SegmentRows, plan: BandPlan
) -> list[tuple[dict[int, int], tuple[Execution, ...]]]:
    schedule = executions_of(graph, segment_of(graph, start, stop), rows, plan)
    heights = (heights_of(rows, height) for height in plan.heights)
    return list(zip(heights, schedule, strict=True))


# Geometry.


@pytest.mark.parametrize(("make", "count"), [(chance_net, 40), (chance_gated_net, 12)])
@pytest.mark.parametrize("block", seeds(1, 4))
def test_every_plan_of_nets_by_chance_passes_the_checker(
    make: type, count: int, block: int
) -> None:
    seen = two = 0
    for seed in range(block * count, block * count + count):
        graph = make(seed)
        for start, stop, rows in banded(graph):
            for plan in plans_of(rows):
                check_bands(graph, start, stop, pieces_of(graph, start, stop, rows, plan))
                seen += 1
                two += len(plan.heights) == 2
    assert seen > 1000
    assert two > 100


@pytest.mark.parametrize(("make", "count"), [(chance_net, 6), (chance_gated_net, 3)])
@pytest.mark.parametrize("block", seeds(1, 8))
def test_no_lower_band_covers_the_image_in_so_few(make: type, count: int, block: int) -> None:
    """By brute force: the rows that are right in a band at every start, then the fewest bands."""
    compared = 0
    for seed in range(block * count, block * count + count):
        graph = make(1000 + seed)
        for start, stop, rows in banded(graph):
            least = {len(plan.bands): plan.heights[0] for plan in plans_of(rows, two_heights=False)}
            fewest = {
                height: count
                for height in rows.heights[rows.usable].tolist()
                if (count := fewest_bands(graph, start, stop, rows, height))
            }
            for height, count in fewest.items():
                known = [least[n] for n in least if n <= count]
                assert known, f"seed {seed}: {count} bands of {height} rows were not found"
                assert min(known) <= height
            compared += len(fewest)
    assert compared > 100


def fewest_bands(
    graph: ModelGraph, start: int, stop: int, rows: SegmentRows, height: int
) -> int | None:
    """Bands of this height at any start that cover every row of every output, if any do."""
    segment, counts = segment_of(graph, start, stop), heights_of(rows, height)
    right: dict[int, list[set[int]]] = {tensor: [] for tensor in segment.outputs}
    for top in range(rows.image_rows - height + 1):
        spans = [scaled(rows, tensor, top) for tensor in segment.inputs]
        if None in spans:
            continue
        inputs = tuple(
            RowSpan(tensor, int(span or 0), counts[tensor])
            for tensor, span in zip(segment.inputs, spans, strict=True)
        )
        known = identities(graph, start, stop, counts, Execution(inputs, ()))
        for tensor, found in right.items():
            found.append({row for row in known[tensor] if row is not None})
    counts_by_output = [covered(graph, tensor, found) for tensor, found in right.items()]
    return None if None in counts_by_output else max(filter(None, counts_by_output))


def scaled(rows: SegmentRows, tensor: int, top: int) -> int | None:
    at = top * rows.tensors[tensor].scale
    return int(at) if at.denominator == 1 else None


def covered(graph: ModelGraph, tensor: int, right: Sequence[set[int]]) -> int | None:
    """The fewest of these sets that hold all rows, if any do. Each is an interval, so taking the
    one that reaches furthest is best."""
    done = count = 0
    whole = rows_of(graph.tensors[tensor])
    while done < whole:
        reach = max((max(found) + 1 for found in right if done in found), default=done)
        if reach == done:
            return None
        done, count = reach, count + 1
    return count


# What the checker refuses.


def one_segment() -> tuple[ModelGraph, int, int, SegmentRows, BandPlan]:
    net = ImageNet()
    source = net.image(16, 4, 2)
    made = net.conv(net.conv(source, 3, 3, 1, "same"), 3, 3, 1, "same")
    graph = net.graph([source], [made])
    rows = next(rows for start, stop, rows in banded(graph) if (start, stop) == (0, 2))
    plan = next(plan for plan in plans_of(rows, two_heights=False) if len(plan.bands) == 3)
    return graph, 0, 2, rows, plan


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (lambda inside, made: (inside, replace(made, row=made.row + 1)), "are kept from"),
        (lambda inside, made: (inside, replace(made, from_row=made.from_row - 1)), "are kept from"),
        (lambda inside, made: (inside, replace(made, rows=made.rows + 1)), "are kept from"),
        (lambda inside, made: (inside, replace(made, rows=made.rows - 1)), "are never written"),
        (
            lambda inside, made: (
                replace(inside, row=inside.row - 1),
                replace(made, row=made.row - 1),
            ),
            "row 5 is written twice",
        ),
        (lambda inside, made: (replace(inside, row=inside.row - 1), made), "are kept from"),
        (lambda inside, made: (replace(inside, row=99), made), "cannot read"),
        (lambda inside, made: (replace(inside, rows=inside.rows - 1), made), "cannot read"),
    ],
)
def test_planted_faults_are_found(fault: object, says: str) -> None:
    graph, start, stop, rows, plan = one_segment()
    [(counts, executions)] = pieces_of(graph, start, stop, rows, plan)
    check_bands(graph, start, stop, [(counts, executions)])
    first, middle, last = executions
    inside, made = fault(middle.inputs[0], middle.outputs[0])  # type: ignore[operator]
    broken = (first, Execution((inside,), (made,)), last)
    with pytest.raises(InvalidBands, match=says):
        check_bands(graph, start, stop, [(counts, broken)])


def test_what_does_not_work_row_by_row_is_in_no_band() -> None:
    """Sums along rows, joins along rows, constants with rows, changed grids, dynamic weights."""
    graph = read_tflite(MODELS / "resnet8_digits_int8.tflite")
    inside = {k for start, stop, _ in banded(graph) for k in range(start, stop)}
    for op in graph.ops:
        if op.type in ("MEAN", "FULLY_CONNECTED", "SOFTMAX", "RESHAPE"):
            assert op.index not in inside
    net = ImageNet()
    source = net.image(16, 4, 2)
    even = net.conv(source, 2, 4, 2, "same")  # one row of padding above, at every height
    odd = net.image(16, 4, 2)
    net.maker.op("ADD", [source, source], [odd])
    joined = net.image(32, 4, 2)
    from ai_edge_litert import schema_py_generated as fb

    options = fb.ConcatenationOptionsT()
    options.axis = 1
    net.maker.op("CONCATENATION", [odd, source], [joined], ("ConcatenationOptions", options))
    graph = net.graph([source], [joined, even])
    assert [row_rule(graph, op) is None for op in graph.ops] == [False, False, True]


# In TFLM.


def stages_of(
    graph: ModelGraph, found: Sequence[tuple[Found, BandPlan]], folder: Path
) -> tuple[list[Stage], list[tuple[str, str]]]:
    """Banded pieces fed with the whole model's own values; (name of what one makes, tensor)."""
    stages, pairs = [], []
    for number, ((start, stop, rows), plan) in enumerate(found):
        segment = segment_of(graph, start, stop)
        names = tuple(f"{number}/{tensor}" for tensor in segment.outputs)
        pairs += [(name, str(t)) for name, t in zip(names, segment.outputs, strict=True)]
        whole = tuple(rows_of(graph.tensors[tensor]) for tensor in segment.outputs)
        for piece, (counts, executions) in enumerate(pieces_of(graph, start, stop, rows, plan)):
            own = resized(graph, start, stop, counts)
            path = folder / f"{number}-{piece}.tflite"
            path.write_bytes(write_piece(own, segment, ()))
            inputs = tuple(map(str, segment.inputs))
            bands = Bands(executions, whole)
            stages.append(Stage(path, inputs, names, arena_bytes(own), bands=bands))
    return stages, pairs


def require_equal(graph: ModelGraph, found: Sequence[tuple[Found, BandPlan]], folder: Path) -> None:
    """Every row that banded pieces make, against the unsplit model with its tensors kept apart."""
    model = folder / "model.tflite"
    model.write_bytes(graph.source)
    kept = tuple((str(t), t) for t in sorted(graph.producer) if t not in graph.outputs)
    ends = tuple(map(str, graph.inputs)), tuple(map(str, graph.outputs))
    whole = Stage(model, *ends, arena_bytes(graph) + 65536, keep=kept)
    feeds = dict(zip(ends[0], random_inputs(graph, SAMPLES, 1), strict=True))
    stages, pairs = stages_of(graph, found, folder)
    made = run_tflm_chain([whole, *stages], feeds, timeout_s=seconds(300))
    for name, tensor in pairs:
        assert np.array_equal(made[name], made[tensor]), f"{name} is wrong"


@pytest.mark.parametrize("name", ["resnet8", "mbv2", "squeeze", "unet"])
def test_banded_pieces_equal_the_model_bit_for_bit(name: str, tmp_path: Path) -> None:
    """A sample of all segments of at most eight ops, each in one of its plans."""
    graph = read_tflite(MODELS / f"{name}_digits_int8.tflite")
    rng = random.Random(name)
    possible = [f for f in banded(graph) if f[1] - f[0] <= 8 and any(plans_of(f[2]))]
    chosen = [(found, rng.choice(list(plans_of(found[2])))) for found in rng.sample(possible, 24)]
    require_equal(graph, chosen, tmp_path)


@pytest.mark.parametrize(("make", "count"), [(chance_net, 12), (chance_gated_net, 6)])
@pytest.mark.parametrize("block", seeds(1, 3))
def test_banded_pieces_of_nets_by_chance_are_equal_too(
    make: type, count: int, block: int, tmp_path: Path
) -> None:
    rng = random.Random(block)
    for seed in range(block * count, block * count + count):
        graph = make(5000 + seed)
        possible = [found for found in banded(graph) if any(plans_of(found[2]))]
        chosen = [(found, rng.choice(list(plans_of(found[2])))) for found in possible[:40]]
        if chosen:
            folder = tmp_path / str(seed)
            folder.mkdir()
            require_equal(graph, chosen, folder)


def test_rows_that_are_not_dropped_are_wrong(tmp_path: Path) -> None:
    """The same bands with the halo kept: what the checker refuses is wrong indeed."""
    graph, start, stop, rows, plan = one_segment()
    [(counts, executions)] = pieces_of(graph, start, stop, rows, plan)
    first, middle, last = executions
    made = middle.outputs[0]
    halo = replace(made, row=made.row - 1, from_row=made.from_row - 1, rows=made.rows + 1)
    broken = (first, Execution(middle.inputs, (halo,)), last)
    segment = segment_of(graph, start, stop)
    model, piece = tmp_path / "model.tflite", tmp_path / "piece.tflite"
    model.write_bytes(graph.source)
    own = resized(graph, start, stop, counts)
    piece.write_bytes(write_piece(own, segment, ()))
    source, result = str(segment.inputs[0]), str(segment.outputs[0])
    stages = [
        Stage(model, (source,), (result,), arena_bytes(graph)),
        Stage(piece, (source,), ("right",), arena_bytes(own), bands=Bands(executions, (16,))),
        Stage(piece, (source,), ("wrong",), arena_bytes(own), bands=Bands(broken, (16,))),
    ]
    made_by = run_tflm_chain(stages, {source: random_inputs(graph, 2, 0)[0]})
    assert np.array_equal(made_by["right"], made_by[result])
    assert not np.array_equal(made_by["wrong"], made_by[result])


# In the table.


def test_bounds_of_bands_are_below_what_pieces_need() -> None:
    """Load and instructions of each plan before any replay, against the replayed pieces."""
    graph = read_tflite(MODELS / "squeeze_digits_int8.tflite")
    table = SegmentTable(graph, target_rules("m55"), techniques=Techniques(streams=False))
    from splitopt.planning.option_bounds import option_bounds

    n = len(graph.ops)
    allowed = allowed_everywhere(n)
    bounds = option_bounds(table, allowed)
    chance = random.Random(0)
    banded = [k for k, key in enumerate(bounds.keys) if key > 1 and key % 2 == 0]
    for k in chance.sample(banded, 150):
        at = int(bounds.starts[k]), int(bounds.stops[k])
        load = int(table.boundary.load_in_bands[at])
        key = int(bounds.keys[k])
        for option in filter(None, (table.option(*at, key), table.option(*at, key + 1))):
            assert bounds.ram[k] <= option.arena_bytes + load
            assert bounds.cost[k] <= sum(piece.added_insn for piece in option.pieces)
            assert bounds.copied[k] <= option.copied_bytes

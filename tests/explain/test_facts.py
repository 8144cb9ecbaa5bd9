"""A model explained: golden figures, brute force over all cuts, and pages that hold untrusted
names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain, combinations, pairwise
from pathlib import Path

import pytest
from golden_figures import MODELS as MEASURED
from model_facts import facts, known_facts, small
from planning_helpers import allowed_everywhere, dp_outcome

from splitopt.arena.rules import target_rules
from splitopt.base.units import align_up
from splitopt.config.board import Board, MemorySpec
from splitopt.explain.boards import Need, _fit
from splitopt.explain.memory.unsplit_ram import load_by_op, ram_of
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.lower_bound import lowest_ram_by_op, single_op_bound
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.unsplit import unsplit
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal

CHECKOUT = Path(__file__).resolve().parents[2]
MODELS = CHECKOUT / "configs" / "models"
RESNET = MODELS / "resnet8_digits_int8.tflite"
FindModel = Callable[[str], Path]


def test_person_detect(shared_model: FindModel, board: Path) -> None:
    found = known_facts(shared_model("person_detect_int8"), board)
    assert found.ram.ram_bytes == 82_368
    assert found.least is not None
    assert (found.least.peak_ram_bytes, found.least.is_proved) == (62_896, True)
    assert found.exact
    assert found.peak_op_name == "op 2 CONV_2D"
    assert found.floor.name == "op 2 CONV_2D"
    assert found.verdict == (
        "person_detect_int8.tflite needs 82,368 B unsplit; no set of cuts alone gets below "
        "62,896 B (proved), but plans with streams get down to 22,128 B. It fits "
        "the 65,536 B of bare when it is cut."
    )
    assert {fit.board: fit.verdict for fit in found.boards}["corstone300_64k"] == "fits split"
    assert {fit.board: fit.verdict for fit in found.boards}["corstone300_128k"] == "fits unsplit"


@pytest.mark.parametrize("name", sorted(MEASURED))
def test_the_ram_is_what_was_measured(name: str, shared_model: FindModel) -> None:
    measured, graph = MEASURED[name], read_tflite(shared_model(name))
    arena = unsplit(SegmentTable(graph, target_rules("m55"))).arena
    ram = ram_of(arena, 0)
    for key in ("head_bytes", "tail_bytes", "peak_load_bytes"):
        assert getattr(ram, key) == measured.get(key, getattr(ram, key))
    assert ram.arena_used_bytes == measured["arena_used_bytes"]
    assert ram.arena_min_bytes == measured["arena_min_bytes"]
    assert ram.ram_bytes == align_up(measured["arena_min_bytes"], 16)
    assert sum(part.size_bytes for part in ram.parts) == ram.ram_bytes
    assert (
        sum(part.size_bytes for part in ram.parts if part.code.startswith("tail_"))
        == ram.tail_bytes
    )
    assert max(load_by_op(arena.buffers, len(graph.ops))) == ram.peak_load_bytes


@pytest.mark.parametrize("name", ["person_detect_int8", "kws_dscnn_int8", "resnet8_digits_int8"])
def test_the_ram_is_that_of_the_unsplit_model(
    name: str, shared_model: FindModel, board: Path
) -> None:
    model = shared_model(name)
    arena = unsplit(SegmentTable(read_tflite(model), target_rules("m55"))).arena
    found = known_facts(model, board)
    assert found.ram == ram_of(arena, 0)
    assert max(found.load_by_op) == found.ram.peak_load_bytes


@pytest.mark.parametrize("name", ["person_detect_int8", "kws_dscnn_int8"])
def test_no_cuts_that_reach_it_add_less(name: str, shared_model: FindModel, board: Path) -> None:
    """The dynamic programme over every segment, under the lowest peak as its capacity."""
    model = shared_model(name)
    found = known_facts(model, board)
    planner = Planner(SegmentTable(read_tflite(model), target_rules("m55")))
    n = found.ops
    assert found.least is not None
    goal = Goal(ram_weight=0, cost_weight=1, capacity=found.least.peak_ram_bytes)
    every = allowed_everywhere(n)
    assert (
        found.least.added_insn == dp_outcome(planner, PlanRequest(goal, every, SolveParams())).cost
    )
    lower = replace(goal, capacity=found.least.peak_ram_bytes - 16)
    outcome = dp_outcome(planner, PlanRequest(lower, every, SolveParams()))
    assert outcome.status is Status.INFEASIBLE


def test_what_is_alive_at_each_op(board: Path) -> None:
    """From makers, readers and scratch, counted op by op."""
    found, graph = known_facts(RESNET, board), read_tflite(RESNET)
    memories, n = target_rules("m55").memories(graph), len(graph.ops)
    for op in range(n):
        load = sum(align_up(size, 16) for size in memories[op].scratch)
        for tensor in graph.tensors:
            start = graph.producer.get(tensor.index, 0)
            stop = graph.readers.get(tensor.index, (start,))[-1] + 1
            stop = n if tensor.index in graph.outputs else stop
            if tensor.is_activation and start <= op < stop:
                load += align_up(tensor.bytes, 16)
        assert found.load_by_op[op] == load
    assert found.load_by_op[found.peak_op] == max(found.load_by_op)


@pytest.mark.parametrize("headroom", [0, 1024])
def test_the_lowest_peak_is_that_of_brute_force(tmp_path: Path, headroom: int) -> None:
    """All sets of cuts of seven ops, each segment replayed; then the cheapest of the least."""
    model, board = small(tmp_path), tmp_path / "board.yaml"
    board.write_text(f"name: board\nsram_bytes: 65536\nheadroom_bytes: {headroom}\n")
    table = SegmentTable(read_tflite(model), target_rules("m55"), headroom_bytes=headroom)
    n = len(table.graph.ops)
    plans = []
    for cuts in chain.from_iterable(combinations(range(1, n), k) for k in range(n)):
        segments = list(pairwise([0, *cuts, n]))
        peak = max(table.ram(*segment) for segment in segments)
        plans.append((peak, sum(table.figures(*segment).added_insn for segment in segments)))
    found = facts(model, board)
    assert found.least is not None
    assert (found.least.peak_ram_bytes, found.least.added_insn) == min(plans)
    assert found.least.is_proved
    assert found.least.is_cheapest
    assert found.ram.ram_bytes == table.ram(0, n)
    assert max(piece.ram_bytes for piece in found.pieces) == min(plans)[0]
    assert [piece.start for piece in found.pieces[1:]] == list(found.least.cuts)
    assert found.saved_bytes == found.ram.ram_bytes - min(plans)[0]


def test_live_ranges_are_those_of_readers_and_makers(board: Path) -> None:
    """From the graph alone: from its maker to its last reader; to the end for an output."""
    found = known_facts(RESNET, board)
    graph = read_tflite(RESNET)
    n = len(graph.ops)
    for fact in (*found.largest, *found.longest_lived):
        start = graph.producer.get(fact.tensor, 0)
        stop = graph.readers.get(fact.tensor, (start,))[-1] + 1
        assert (fact.start, fact.stop) == (start, n if fact.tensor in graph.outputs else stop)
        assert fact.size_bytes == graph.tensors[fact.tensor].bytes
        assert fact.at_peak == (fact.start <= found.peak_op < fact.stop)
    activations = [t for t in graph.tensors if t.is_activation and t.bytes]
    most = sorted((t.bytes for t in activations), reverse=True)[:10]
    assert [fact.size_bytes for fact in found.largest] == most
    lifetimes = [fact.stop - fact.start for fact in found.longest_lived]
    assert lifetimes == sorted(lifetimes, reverse=True)
    assert lifetimes[0] > 2, "a skip connection"


def test_fragmentation_is_head_less_peak_load(tmp_path: Path, board: Path) -> None:
    found = facts(small(tmp_path), board)
    ram = found.ram
    assert ram.fragmentation_bytes == ram.head_bytes - ram.peak_load_bytes == 4496
    remedy = next(remedy for remedy in found.remedies if remedy.code == "fragmentation")
    assert remedy.worth_bytes == ram.fragmentation_bytes


def test_remedys_are_sorted_by_worth_and_none_exceeds_the_peak(shared_model: FindModel) -> None:
    for name in ("ad01_int8", "person_detect_int8", "ic_resnet8_int8"):
        found = known_facts(shared_model(name), "corstone300_64k")
        worth = [remedy.worth_bytes for remedy in found.remedies]
        assert worth == sorted(worth, reverse=True)
        assert {remedy.code for remedy in found.remedies} >= {
            "cuts", "offline_plans", "bands", "floor_op", "fragmentation", "headroom", "tail"
        }  # fmt: skip
        by_code = {remedy.code: remedy.worth_bytes for remedy in found.remedies}
        assert by_code["cuts"] == found.saved_bytes
        assert by_code["headroom"] == 1024
        assert found.least is not None
        held = align_up(found.floor.alive[0].size_bytes, 16)
        slack = found.ram.ram_bytes - found.floor.least_ram_bytes
        assert 0 <= by_code["floor_op"] <= 2 * held + slack


@pytest.mark.parametrize("name", ["resnet8", "mbv2", "squeeze", "unet"])
def test_the_lowest_ram_of_each_op(name: str) -> None:
    table = SegmentTable(
        read_tflite(MODELS / f"{name}_digits_int8.tflite"), target_rules("m55"), headroom_bytes=16
    )
    least, floor, bound = lowest_ram_by_op(table), single_op_bound(table), table.ram_bound
    assert max(least) == least[floor.op] == floor.least_ram_bytes
    for op in range(0, len(least), 5):
        assert least[op] == bound[: op + 1, op + 1 :].min()


def test_headroom_shifts_every_board_alike(board: Path) -> None:
    """What is said of a board is what is found when it is asked for."""
    bare = {fit.board: fit for fit in known_facts(RESNET, board).boards}
    for name in ("corstone300_64k", "corstone300_512k"):
        asked = facts(RESNET, name)
        assert asked.least is not None
        fit = bare[name]
        assert (fit.unsplit_bytes, fit.split_bytes, fit.budget_bytes) == (
            asked.ram.ram_bytes,
            asked.lowest_bytes,
            asked.budget_bytes,
        )


def test_a_board_of_another_abi_is_planned_by_its_own_rules(tmp_path: Path, board: Path) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "jobs").mkdir()
    (tmp_path / "boards" / "pc.yaml").write_text(
        "name: pc\nsram_bytes: 65536\nheadroom_bytes: 160\nabi: x86_64\n"
    )
    (tmp_path / "boards" / "broken.yaml").write_text("name: [\n")
    model = small(tmp_path / "jobs")
    job = tmp_path / "jobs" / "job.yaml"
    job.write_text(f"model: {{path: {model.name}}}\nboard: {board}\n")
    fits = {fit.board: fit for fit in facts(job, None).boards}
    assert "broken" not in fits
    table = SegmentTable(read_tflite(model), target_rules("x86_64"), headroom_bytes=160)
    assert fits["pc"].unsplit_bytes == table.ram(0, len(table.graph.ops))


def test_a_board_with_other_memories_is_ruled_out_for_its_main_sram_only() -> None:
    small = Board(name="small", sram_bytes=1000)
    memory = MemorySpec(name="psram", bytes=10**6, holds=("boundary",), written="always")
    both = small.model_copy(update={"memories": (memory,)})
    assert [_fit(board, Need(2000, None)).verdict for board in (small, both)] == [
        "does not fit",
        "does not fit its main SRAM alone",
    ]

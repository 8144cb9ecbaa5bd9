"""Of generated graphs that are not refused, the predicted arena is what TFLM reports here."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from allocations import Allocations, allocations_here
from fuzz.test_fuzz_models import graph_file
from fuzz.trial import Findings, try_all

from splitopt.arena.replay import Arena, replay
from splitopt.arena.rules import target_rules
from splitopt.arena.supported import refuse_unsupported
from splitopt.base.errors import ModelError
from splitopt.graph.segments import whole_model
from splitopt.graph.tflite_reader import parse_tflite

GENEROUS_BYTES = 1 << 21
ESTIMATE_ABOVE = 1.05


def compare(data: bytes, folder: Path) -> str:
    """`exact` or `estimated`, where the figures agree. Raises where they do not, and where TFLM
    refuses what was accepted."""
    try:
        graph = parse_tflite(data, name="generated")
        refuse_unsupported(graph, "x86_64", "generated")
    except ModelError:
        return "refused"
    path = folder / "model.tflite"
    path.write_bytes(data)
    rules = target_rules("x86_64")
    arena = replay(graph, whole_model(graph), rules.memories(graph), rules.abi)
    report = allocations_here(path, GENEROUS_BYTES)
    assert _agrees(arena, report), (
        f"{arena.used_bytes} B predicted, {report.total_bytes} B reported (tail {arena.tail_bytes},"
        f" {report.tail_bytes}); {arena.estimates or sorted({op.type for op in graph.ops})}"
    )
    return "estimated" if arena.estimates else "exact"


def _agrees(arena: Arena, report: Allocations) -> bool:
    if arena.estimates:
        return report.total_bytes <= arena.used_bytes <= ESTIMATE_ABOVE * report.total_bytes
    return (arena.head_bytes, arena.tail_bytes) == (report.head_bytes, report.tail_bytes)


def _compare_all(graphs: range) -> Findings:
    found = try_all(compare, [(f"graph {seed}", partial(graph_file, seed)) for seed in graphs])
    print(dict(found.ends))
    assert not found.faults, f"{len(found.faults)} faults:\n" + "\n".join(found.faults[:20])
    return found


def test_arena_of_generated_graphs_is_what_tflm_reports() -> None:
    assert _compare_all(range(1, 81)).ends["exact"] > 20


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_arena_of_many_generated_graphs_is_what_tflm_reports() -> None:
    _compare_all(range(100_000, 105_000))

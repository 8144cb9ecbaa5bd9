"""The arena model's x86-64 figures against what TFLM's own recording allocator reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from allocations import Allocations, measure_allocations, measure_many_allocations
from golden_figures import MODELS
from op_cases import CASES
from op_models import model_of

from splitopt.arena.replay import Arena, replay
from splitopt.arena.resource_kernels import RESOURCE_OPS
from splitopt.arena.rules import target_rules
from splitopt.arena.x86_64_kernels import RULES
from splitopt.base.errors import ToolError
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of, whole_model
from splitopt.graph.tflite_reader import read_tflite
from splitopt.pieces.writer import write_piece

FindModel = Callable[[str], Path]
GENEROUS_BYTES = 1 << 20


def predict(graph: ModelGraph, segment: Segment) -> Arena:
    rules = target_rules("x86_64")
    return replay(graph, segment, rules.memories(graph), rules.abi)


def assert_equal(predicted: Arena, reported: Allocations) -> None:
    assert not predicted.estimates
    assert predicted.head_bytes == reported.head_bytes
    assert predicted.tail_bytes == reported.tail_bytes
    assert predicted.used_bytes == reported.total_bytes


@pytest.mark.parametrize("name", MODELS)
def test_whole_models_match_the_wheel(name: str, shared_model: FindModel) -> None:
    path = shared_model(name)
    graph = read_tflite(path)
    reported = measure_allocations(path, GENEROUS_BYTES)
    assert_equal(predict(graph, whole_model(graph)), reported)


@pytest.mark.parametrize("name", MODELS)
def test_pieces_match_the_wheel(name: str, shared_model: FindModel, tmp_path: Path) -> None:
    graph = read_tflite(shared_model(name))
    middle = len(graph.ops) // 2
    segments = [segment_of(graph, 0, middle), segment_of(graph, middle, len(graph.ops))]
    files = [tmp_path / f"{segment.start}.tflite" for segment in segments]
    for segment, file in zip(segments, files, strict=True):
        file.write_bytes(write_piece(graph, segment))
    reports = measure_many_allocations([(file, GENEROUS_BYTES) for file in files])
    for segment, report in zip(segments, reports, strict=True):
        assert_equal(predict(graph, segment), report)


@pytest.mark.parametrize("name", ["ad01_int8", "hello_world_int8", "person_detect_int8"])
def test_the_arena_minimum_suffices_and_nothing_less(name: str, shared_model: FindModel) -> None:
    path = shared_model(name)
    graph = read_tflite(path)
    assert_is_the_minimum(path, predict(graph, whole_model(graph)))


def test_the_planners_tables_must_fit_above_no_variable(tmp_path: Path) -> None:
    """Variables are placed before the planner takes what is left: the minimum left them out."""
    path = tmp_path / "svdf.tflite"
    path.write_bytes(model_of(next(c for c in CASES if c.op == "SVDF"), 3))
    graph = read_tflite(path)
    predicted = predict(graph, whole_model(graph))
    assert predicted.size_bytes > predicted.used_bytes
    assert_is_the_minimum(path, predicted)


def assert_is_the_minimum(path: Path, predicted: Arena) -> None:
    reported = measure_allocations(path, predicted.size_bytes)
    assert reported.total_bytes == predicted.used_bytes
    with pytest.raises(ToolError):
        measure_allocations(path, predicted.size_bytes - 16)


COPIES = 16


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Allocations]]:
    folder = tmp_path_factory.mktemp("ops")
    files = {case.name: folder / f"{at}.tflite" for at, case in enumerate(CASES)}
    for case in CASES:
        files[case.name].write_bytes(model_of(case, COPIES))
    reports = measure_many_allocations([(file, GENEROUS_BYTES) for file in files.values()])
    return dict(zip(files, zip(files.values(), reports, strict=True), strict=True))


@pytest.mark.parametrize("op", sorted({case.op for case in CASES}))
def test_ops_match_the_wheel(op: str, measured: dict[str, tuple[Path, Allocations]]) -> None:
    for case in (case for case in CASES if case.op == op):
        path, reported = measured[case.name]
        graph = read_tflite(path)
        assert_equal(predict(graph, whole_model(graph)), reported)


def test_every_op_fits_in_the_arena_predicted_for_it(
    measured: dict[str, tuple[Path, Allocations]],
) -> None:
    graphs = {path: read_tflite(path) for path, _ in measured.values()}
    sizes = [(p, predict(g, whole_model(g)).size_bytes) for p, g in graphs.items()]
    reported = [report.total_bytes for _, report in measured.values()]
    assert [found.total_bytes for found in measure_many_allocations(sizes)] == reported


def test_every_rule_was_measured_on_every_type_that_it_names() -> None:
    """Those of resource variables need one another: see test_resource_variables.py."""
    types: dict[str, set[str]] = {}
    for case in CASES:
        named = (value.dtype for value in (*case.inputs, *case.outputs) if value)
        types.setdefault(case.op, set()).update(named)
    alone = {op: rule for op, rule in RULES.items() if op not in RESOURCE_OPS}
    assert types.keys() == alone.keys()
    assert not {op: rule.types - types[op] for op, rule in alone.items() if rule.types - types[op]}

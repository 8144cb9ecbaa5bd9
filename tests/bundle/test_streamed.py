"""Plans with streams from planning to a proved bundle and back; broken ones are refused."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamed_bundles import streamed_run

from splitopt.arena.check import check_head
from splitopt.arena.rules import target_rules
from splitopt.base.errors import SplitoptError, UsageError
from splitopt.bundle.host_run import chained_outputs, require_as_written, whole_outputs
from splitopt.bundle.load import load_run
from splitopt.bundle.memory_json import memory_document
from splitopt.bundle.open import open_bundle
from splitopt.bundle.stream_json import stream_entry
from splitopt.graph.tflite_reader import read_tflite
from splitopt.pieces.offline_fit import check_written
from splitopt.pieces.piece_set import PieceSet, cut_flatbuffer, graphs_of
from splitopt.runtime.arrays import random_inputs
from splitopt.verify.check import CheckStatus
from splitopt.workflows.run import RunResult


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return streamed_run(tmp_path_factory.mktemp("streams"))


@pytest.fixture
def bundle(run: RunResult, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run.folder, tmp_path / "bundle"))


def streamed(run: RunResult) -> list[int]:
    return [s.index for s in run.plan.segments if s.figures.stream is not None]


def test_a_run_with_streams_is_proved(run: RunResult) -> None:
    assert streamed(run)
    assert {check.status for check in run.checks} <= {CheckStatus.PASSED, CheckStatus.SKIPPED}
    assert "streamed, by" in run.checks[0].compared


def test_the_bundle_says_what_was_planned(run: RunResult) -> None:
    opened = open_bundle(run.folder)
    for segment, piece, entry in zip(
        run.plan.segments, opened.pieces, opened.plan.segments, strict=True
    ):
        placed = segment.figures.stream
        assert piece.stream == (None if placed is None else placed.stream)
        if placed is None:
            continue
        assert entry.stream is not None
        assert entry.piece is None
        assert [path.name for path in run.folder.glob(f"pieces/{segment.index:02d}-*")]
        assert [group.name for group in piece.groups] == list(segment.piece_names)
        assert entry.piece_bytes == sum(group.piece_bytes or 0 for group in entry.stream.groups)
        assert tuple(b.offset for b in entry.stream.buffers) == placed.offsets
        tails = [group.tail_bytes for group in entry.stream.groups]
        assert sum(tails) == entry.tail_bytes == placed.arena.tail_bytes
        assert max(group.head_bytes for group in entry.stream.groups) == entry.head_bytes
        assert entry.arena_bytes >= entry.arena_min_bytes + entry.stream.interpreters_bytes
        assert not piece.replaced
    require_as_written(opened)


def test_memory_json_has_line_buffers_and_all_that_groups_place(run: RunResult) -> None:
    documents = load_run(run.folder)
    for index in streamed(run):
        placed = run.plan.segments[index].figures.stream
        assert placed is not None
        found = documents.memory.segments[index]
        lines = [buffer for buffer in found.buffers if buffer.kind == "lines"]
        assert [buffer.offset for buffer in lines] == list(placed.offsets)
        assert all((b.start, b.stop) == (0, len(found.ops) + 1) for b in lines)
        free = sum(not b.pinned for head in placed.arena.heads for b in head)
        assert len(found.buffers) - len(lines) >= free > 0
        assert found.interpreters_bytes == placed.interpreters_bytes


def test_no_buffers_of_a_stage_share_bytes(run: RunResult) -> None:
    for index in streamed(run):
        check_head(run.plan.segments[index].figures.arena)


def test_pickled_figures_keep_the_arena_and_leave_the_model(run: RunResult) -> None:
    for segment in run.plan.segments:
        data = pickle.dumps(segment.figures)
        assert len(data) < 60_000
        again = pickle.loads(data)
        assert again.arena == segment.figures.arena
        if segment.figures.stream is not None:
            assert again.stream.stream == segment.figures.stream.stream
            assert again.stream.interpreters_bytes == segment.figures.stream.interpreters_bytes


def test_documents_of_a_pickled_plan_are_the_same(run: RunResult) -> None:
    """Plans of sweeps are pickled on their way, and have no files."""
    graph = read_tflite(Path(run.document.model.path))
    plans = run.plan, pickle.loads(pickle.dumps(run.plan))
    made = [PieceSet("whole", plan, (), graphs_of(graph, plan)) for plan in plans]
    first, second = (memory_document(graph, run.baseline, pieces) for pieces in made)
    assert first == second
    assert first.segments == load_run(run.folder).memory.segments
    for index in streamed(run):
        placed = [plan.segments[index].figures.stream for plan in plans]
        entries = [stream_entry(p, (), None) for p in placed if p is not None]
        assert entries[0] == entries[1]
        assert entries[0].groups[0].piece is None


def test_the_same_plan_gives_the_same_files(run: RunResult) -> None:
    graph = read_tflite(Path(run.document.model.path))
    made = cut_flatbuffer(graph, run.plan)
    for segment, files in zip(run.plan.segments, made.files, strict=True):
        for name, data in zip(segment.piece_names, files, strict=True):
            assert (run.folder / "pieces" / name).read_bytes() == data


def test_written_groups_that_are_not_those_planned_are_seen(run: RunResult) -> None:
    graph, rules = read_tflite(Path(run.document.model.path)), target_rules("m55")
    [files, *_] = cut_flatbuffer(graph, run.plan).files
    figures = run.plan.segments[0].figures
    check_written(files, figures, rules)
    assert figures.stream is not None
    [first, *rest] = figures.stream.groups
    moved = replace(first, offline={t: offset + 16 for t, offset in first.offline.items()})
    other = replace(figures, stream=replace(figures.stream, groups=(moved, *rest)))
    with pytest.raises(AssertionError, match="group 0 is pinned at"):
        check_written(files, other, rules)
    low = replace(figures, stream=replace(figures.stream, low_bytes=16))
    with pytest.raises(AssertionError, match="reaches"):
        check_written(files, low, rules)


def test_the_chain_of_a_bundle_is_the_model(run: RunResult) -> None:
    opened = open_bundle(run.folder)
    feeds = random_inputs(opened.graph, 2, 7)
    assert chained_outputs(opened, feeds) == whole_outputs(opened, feeds)


def test_ends_that_lie_nearer_than_they_may_are_seen(run: RunResult, bundle: Path) -> None:
    """Pieces run with their ends where the plan puts them."""
    plan = json.loads((bundle / "plan.json").read_text("utf-8"))
    [pair, *_] = [p for s in plan["segments"] for p in s["rolled"] if p["lead_bytes"] > 0]
    places = {entry["tensor"]: entry for entry in plan["layout"]["boundary"]}
    places[pair["read"]]["offset"] = places[pair["made"]]["offset"]
    (bundle / "plan.json").write_text(json.dumps(plan), "utf-8")
    opened = open_bundle(bundle)
    feeds = random_inputs(opened.graph, 3, 7)
    assert chained_outputs(opened, feeds) != whole_outputs(opened, feeds)


Edit = Callable[[dict[str, Any]], Any]


def edited(folder: Path, edit: Edit) -> None:
    """The first streamed segment of plan.json, changed."""
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    edit(next(s for s in plan["segments"] if s["stream"]))
    (folder / "plan.json").write_text(json.dumps(plan), "utf-8")


def _set(value: Any, *path: Any) -> Edit:
    def edit(segment: dict[str, Any]) -> None:
        inner: Any = segment["stream"]
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value

    return edit


BROKEN: dict[str, tuple[Edit, str]] = {
    "a view of no buffer": (_set(99, "groups", 0, "inputs", 0, "buffer"), "line buffers"),
    "a view of too many rows": (_set(400, "groups", 0, "inputs", 0, "rows"), "looks at 400 rows"),
    "a huge number of rows": (_set(2**40, "groups", 0, "rows"), "rows"),
    "a period of 0": (_set(0, "groups", 0, "period"), "period"),
    "too many ticks": (_set(2**20, "groups", 0, "period"), "ticks"),
    "ops of others": (_set([0, 99], "groups", 0, "ops"), "other ops"),
    "no groups": (_set([], "groups"), "groups"),
    "a buffer outside": (_set(2**31, "buffers", 0, "offset"), "in an arena of"),
    "rows that overlap": (lambda s: _overlap(s["stream"]["buffers"]), "share bytes"),
    "a buffer of no tensor": (_set(2**30, "buffers", 0, "tensor"), "no tensor"),
    "rows of other sizes": (_set(8, "buffers", 0, "row_bytes"), "line buffer 0"),
    "a fill that int8 has not": (_set(300, "buffers", 0, "fill"), "filled with 300"),
    "rows above without slots": (_set([1, 500], "buffers", 0, "lazy"), "above the image"),
    "an end too few": (_set([], "sources"), "sources"),
    "an end of others": (_set(3, "sources", 0, "tensor"), "ends"),
    "an output of others": (_set(0, "groups", 0, "outputs", 0, "tensor"), "group 0"),
    "a file outside": (_set("../../x.tflite", "groups", 0, "piece"), "leads out"),
    "a file that is not there": (_set("pieces/77-00.tflite", "groups", 0, "piece"), "is missing"),
    "no file": (_set(None, "groups", 0, "piece"), "got null"),
    "ends rolled of others": (lambda s: s.update(rolled=[PAIR]), "rolls ends"),
    "bands and a stream": (lambda s: s.update(bands=[BAND]), "bands and a stream"),
    "a memory that is not there": (lambda s: s.update(stored_in="attic"), "memory 'attic' is none"),
}
PAIR = {"read": 10**6, "made": 0, "lead_bytes": 0}
BAND = {
    "inputs": [{"tensor": 0, "row": 0, "rows": 1}],
    "outputs": [{"tensor": 0, "row": 0, "rows": 1}],
}


def _overlap(buffers: list[dict[str, Any]]) -> None:
    buffers[1]["offset"] = buffers[0]["offset"] + 1


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_stream_is_refused(case: str, bundle: Path) -> None:
    edit, says = BROKEN[case]
    edited(bundle, edit)
    with pytest.raises(UsageError, match=says) as caught:
        open_bundle(bundle)
    assert "\n" not in str(caught.value)


def test_a_stream_of_chance_values_is_never_a_bug(bundle: Path) -> None:
    """Every number of the stream, one by one, is replaced: refused in a sentence, or opened."""
    plan = json.loads((bundle / "plan.json").read_text("utf-8"))
    index = next(k for k, s in enumerate(plan["segments"]) if s["stream"])
    places = list(_numbers(plan["segments"][index]["stream"]))
    opened = 0
    for place in places[::10]:
        for value in (-1, 0, 7, 2**63, None, []):
            changed = json.loads(json.dumps(plan))
            _set(value, *place)(changed["segments"][index])
            (bundle / "plan.json").write_text(json.dumps(changed), "utf-8")
            try:
                load_run(bundle)
                open_bundle(bundle)
            except SplitoptError:
                continue
            opened += 1
    assert 0 < opened < 2 * len(places)


def _numbers(value: Any, path: tuple[Any, ...] = ()) -> Any:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from _numbers(inner, (*path, key))
    else:
        yield path

"""Programs and runs for tests of the simulated target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from limits import seconds

from splitopt.arena.rules import target_rules
from splitopt.arena.shared import SharedArena, SharedModel, shared_arena
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of, whole_model
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.pieces.writer import write_piece
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.unsplit import unsplit
from splitopt.runtime.arrays import Array
from splitopt.runtime.job_blob import PlannedPiece, PlannedRun, output_bytes, pack, unsplit_run
from splitopt.runtime.kept_tails import KeptTail, StorePlan
from splitopt.runtime.links import links_of
from splitopt.runtime.measured import RunTime, measured
from splitopt.runtime.program import BARE_SOURCES, build_program, link_program
from splitopt.runtime.simulator import Qemu, simulate
from splitopt.runtime.stream_tables import NOWHERE, PlacedBuffers
from splitopt.runtime.tflm_library import TflmLibrary, find_library
from splitopt.tiling.geometry import banded_segments
from splitopt.tiling.resized import resized
from splitopt.tiling.rows import row_rule
from splitopt.tiling.schedule import executions_of, heights_of
from splitopt.tiling.streams.build import stream_of
from splitopt.tiling.streams.placement import GroupForms, PlacedStream, placed
from splitopt.tiling.streams.rules import StreamRule, stream_rule
from splitopt.tiling.streams.stream import Stream

INTERPRETER_BYTES = 208
_programs: dict[TflmLibrary, Path] = {}


def tflm_program(cache: Path) -> Path:
    """For tests that need "compiler", "qemu" and "tflm"; built once in a session of tests."""
    library = find_library(None)
    if library not in _programs:
        _programs[library] = build_program(library, cache, timeout_s=seconds(300))
    return _programs[library]


def run_on_qemu(
    program: Path, graph: ModelGraph, runs: Sequence[PlannedRun]
) -> tuple[RunTime, ...]:
    """What each run took and made there."""
    qemu = Qemu()
    blob = pack(runs, graph.op_types)
    return measured(simulate(qemu, program, blob, seconds(300)), qemu, runs)


def build_self_test(main: Path, cache: Path) -> Path:
    """A program of another `main`, with start-up, output and counter only: needs no TFLM."""
    return link_program(BARE_SOURCES, (), main, cache)


def whole_run(graph: ModelGraph, feeds: Sequence[Array]) -> PlannedRun:
    """The unsplit model in the arena that is predicted for it, without a byte more."""
    size = unsplit(SegmentTable(graph, target_rules("m55"))).arena.size_bytes
    return unsplit_run(graph, size, feeds)


def split_run(graph: ModelGraph, cuts: Sequence[int], feeds: Sequence[Array]) -> PlannedRun:
    """Cut before these ops, boundary tensors one after another above the largest arena."""
    stops = [*cuts, len(graph.ops)]
    segments = [segment_of(graph, a, b) for a, b in zip([0, *cuts], stops, strict=True)]
    table = SegmentTable(graph, target_rules("m55"))
    sizes = [table.figures(s.start, s.stop).arena_bytes for s in segments]
    offsets, top = _stacked(graph, segments, max(sizes))
    pieces = tuple(
        PlannedPiece(write_piece(graph, segment), size, links)
        for segment, size, links in zip(
            segments, sizes, links_of(graph, segments, offsets), strict=True
        )
    )
    return PlannedRun(pieces, top, tuple(feeds), output_bytes(graph))


def banded_run(graph: ModelGraph, height: int, feeds: Sequence[Array]) -> PlannedRun:
    """A model of ops that are row by row, in as many bands of this height as it has rows of them,
    whether or not the planner would have these."""
    segment = whole_model(graph)
    *_, (_, rows) = banded_segments(graph, 0, [row_rule(graph, op) for op in graph.ops])
    plan = rows.plan(rows.image_rows // height, height, height, 0)
    own = resized(graph, segment.start, segment.stop, heights_of(rows, height))
    size = unsplit(SegmentTable(own, target_rules("m55"))).arena.size_bytes
    offsets, top = _stacked(graph, [segment], size, is_apart=True)
    executions = executions_of(graph, segment, rows, plan)
    [links] = links_of(graph, [segment], offsets, executions)
    pieces = (PlannedPiece(write_piece(own, segment), size, links),)
    return PlannedRun(pieces, top, tuple(feeds), output_bytes(graph))


def restored(
    run: PlannedRun, used_bytes: Sequence[tuple[int, int]], *, at_start_up: bool = False
) -> PlannedRun:
    """The same with all pieces built once. `used_bytes`: of each its head and tail."""
    at, pieces = 64 if at_start_up else 0, []
    for piece, (head, tail) in zip(run.pieces, used_bytes, strict=True):
        stream = piece.links.stream
        own = -(-tail // 16) * 16 + (stream.interpreters_bytes if stream else 0)
        kept = KeptTail(own, 0, at, own + INTERPRETER_BYTES, head + tail, 1)
        pieces.append(replace(piece, kept=kept))
        at += kept.size_bytes
    return replace(run, pieces=tuple(pieces), stores=(StorePlan(at, int(at_start_up)),))


def resident(run: PlannedRun, ways: str) -> PlannedRun:
    """The same with pieces built once. `ways`: of each piece a letter: they stay in the `r`egion,
    above all else, or in a `m`emory, or are rebuilt (`-`)."""
    tops, pieces = {NOWHERE: run.region_bytes, 0: 0}, []
    for piece, way in zip(run.pieces, ways, strict=True):
        if way == "-":
            pieces.append(piece)
            continue
        own, store = _in_two_arenas(piece), NOWHERE if way == "r" else 0
        tail, groups = -(-own.tail_bytes // 16) * 16, max(1, len(piece.groups))
        size, used = tail + groups * INTERPRETER_BYTES, own.head_bytes + own.tail_bytes
        kept = KeptTail(tail, store, tops[store], size, used, 1, is_resident=1)
        tops[store] += size
        stream = piece.links.stream and replace(piece.links.stream, interpreters_bytes=0)
        links = replace(piece.links, stream=stream)
        pieces.append(replace(piece, arena_bytes=own.size_bytes, links=links, kept=kept))
    stores = (StorePlan(tops[0], 0),) if tops[0] else ()
    return replace(run, pieces=tuple(pieces), region_bytes=tops[NOWHERE], stores=stores)


def _in_two_arenas(piece: PlannedPiece) -> SharedArena:
    rules = target_rules("m55")
    graphs = [parse_tflite(data, name="piece") for data in piece.groups or (piece.data,)]
    models = [SharedModel(own, rules.memories(own), own.offline_offsets) for own in graphs]
    return shared_arena(models, rules.abi.in_two_arenas())


def streamed_run(
    graph: ModelGraph,
    streams: Sequence[PlacedStream],
    feeds: Sequence[Array],
    *,
    spare_bytes: int = 0,
    by_rows: bool = False,
) -> PlannedRun:
    """Streams in order, and the ops before, between and behind them as whole pieces, in arenas
    without a byte more than predicted, but `spare_bytes` for streams. Boundary tensors lie one
    after another above; `by_rows`: without the model's inputs."""
    stages = _stages(streams, len(graph.ops))
    segments = [segment_of(graph, start, stop) for start, stop, _ in stages]
    table = SegmentTable(graph, target_rules("m55"))
    sizes = [
        own.arena.size_bytes + own.interpreters_bytes + spare_bytes
        if own
        else table.figures(start, stop).arena_bytes
        for start, stop, own in stages
    ]
    offsets, top = _stacked(graph, segments, max(sizes), is_apart=True, by_rows=by_rows)
    buffers = [
        PlacedBuffers(own.stream, own.offsets, own.interpreters_bytes) if own else None
        for _, _, own in stages
    ]
    pieces = tuple(
        PlannedPiece(b"", size, links, groups=group_files(own))
        if own
        else PlannedPiece(write_piece(graph, segment), size, links)
        for (_, _, own), segment, size, links in zip(
            stages, segments, sizes, links_of(graph, segments, offsets, (), buffers), strict=True
        )
    )
    return PlannedRun(pieces, top, tuple(feeds), output_bytes(graph))


def _stages(
    streams: Sequence[PlacedStream], ops: int
) -> list[tuple[int, int, PlacedStream | None]]:
    stages: list[tuple[int, int, PlacedStream | None]] = []
    start = 0
    for own in streams:
        if start < own.stream.start:
            stages.append((start, own.stream.start, None))
        stages.append((own.stream.start, own.stream.stop, own))
        start = own.stream.stop
    return [*stages, (start, ops, None)] if start < ops else stages


def group_files(placed: PlacedStream) -> tuple[bytes, ...]:
    """One .tflite for each group of a stream."""
    return tuple(
        write_piece(
            own.graph, segment_of(own.graph, 0, len(own.graph.ops)), own.offline, origins=group.ops
        )
        for own, group in zip(placed.groups, placed.stream.groups, strict=True)
    )


def placed_stream(
    graph: ModelGraph, start: int, stop: int, rules: Sequence[StreamRule | str] | None = None
) -> PlacedStream:
    """Ops [start, stop) as a stream, for the Cortex-M55. `rules`: by op; None: one row a turn."""
    own = rules or [stream_rule(graph, op) for op in graph.ops]
    stream = stream_of(graph, start, stop, own)
    assert isinstance(stream, Stream), stream
    rules = target_rules("m55")
    return placed(stream, rules, GroupForms(graph, rules))


def _stacked(
    graph: ModelGraph,
    segments: Sequence[Segment],
    top: int,
    *,
    is_apart: bool = False,
    by_rows: bool = False,
) -> tuple[Mapping[int, int], int]:
    """`is_apart`: inputs and outputs of the model have places, too."""
    offsets: dict[int, int] = {}
    ends = [graph.inputs if is_apart and not by_rows else ()]
    for own in (*ends, *(segment.outputs for segment in segments)):
        for tensor in own:
            if is_apart or tensor not in graph.outputs:
                offsets[tensor] = top
                top += -(-graph.tensors[tensor].bytes // 16) * 16
    return offsets, top

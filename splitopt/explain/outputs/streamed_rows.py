"""What is wrong with streamed stages: a group's file, or the plan's own words on fills and rows.

The model and the plan say every file to the byte, so one that stands in another's place is named by
comparing. The checker of streams follows every row that the plan says, and each stage is run by
itself, fed with what the whole model makes; what the plan says otherwise than the stream that the
model has is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from splitopt.base.errors import ToolError
from splitopt.base.text import first_few
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import GroupFile, Piece
from splitopt.bundle.schema.outputs import Finding, Severity
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import segment_of
from splitopt.pieces.writer import write_piece
from splitopt.runtime.arrays import Array, random_inputs
from splitopt.tiling.streams.build import stream_of
from splitopt.tiling.streams.check import check_rows
from splitopt.tiling.streams.check_ops import InvalidStream
from splitopt.tiling.streams.group_graph import group_graph
from splitopt.tiling.streams.placement import offline_plan
from splitopt.tiling.streams.several_rows import rules_of
from splitopt.tiling.streams.stream import LineBuffer, Stream
from splitopt.verify.chains import PieceFile, run_pieces, run_whole
from splitopt.verify.equality import first_wrong_row

_SAMPLES, _SEED = 3, 0
_NEXT = "run the job again: the groups, fills and rows of a stream belong together"


@dataclass(frozen=True)
class Stage:
    """A streamed piece. `holds`: by group, which group's file stands there; None for a file that is
    none of this plan. `invalid`: why the plan's stream does not make the segment's outputs. `row`:
    the first wrong row, in words; `refused`: what TFLM said."""

    piece: Piece
    stream: Stream
    holds: tuple[int | None, ...]
    invalid: str
    row: str = ""
    refused: str = ""

    @property
    def foreign(self) -> tuple[GroupFile, ...]:
        files = zip(self.piece.groups, self.holds, strict=True)
        return tuple(group for group, held in files if held is None)

    @property
    def exchanged(self) -> tuple[tuple[GroupFile, GroupFile], ...]:
        """(the file that stands there, the one whose content it has)."""
        files = self.piece.groups
        return tuple(
            (files[k], files[held])
            for k, held in enumerate(self.holds)
            if held is not None and held != k
        )

    @property
    def is_wrong(self) -> bool:
        return bool(self.invalid or self.row or self.refused)


def stages_of(bundle: OpenBundle) -> tuple[Stage, ...]:
    """All streamed pieces, run by themselves. Raises ToolError where TFLM cannot run the model."""
    found = [
        _stage(bundle, piece, piece.stream) for piece in bundle.pieces if piece.stream is not None
    ]
    if not found:
        return ()
    graph = bundle.graph
    fed = dict(zip(graph.inputs, random_inputs(graph, _SAMPLES, _SEED), strict=True))
    ends = {t for s in found for t in (*s.piece.segment.inputs, *s.piece.segment.outputs)}
    inner = sorted(ends - {*graph.inputs, *graph.outputs})
    limit_s = bundle.plan.job.settings.verify.time_limit_s
    whole = {**fed, **run_whole(graph, bundle.model_path, fed, limit_s, inner)}
    return tuple(_run(graph, stage, whole, limit_s) for stage in found)


def _stage(bundle: OpenBundle, piece: Piece, stream: Stream) -> Stage:
    entry = bundle.plan.segments[piece.index].stream
    assert entry is not None, "an opened piece has a stream where its plan does"
    graphs = [group_graph(bundle.graph, stream, group) for group in stream.groups]
    offsets = [buffer.offset for buffer in entry.buffers]
    holds = _holds(piece, _contents(stream, graphs, offsets))
    return Stage(piece, stream, holds, _why_invalid(bundle.graph, stream, graphs))


def _why_invalid(graph: ModelGraph, stream: Stream, groups: Sequence[ModelGraph]) -> str:
    try:
        check_rows(graph, stream, groups)
    except (InvalidStream, LookupError, ValueError) as error:
        return str(error)[:300] or type(error).__name__
    return ""


def _holds(piece: Piece, wanted: Sequence[bytes]) -> tuple[int | None, ...]:
    found: list[int | None] = []
    for k, group in enumerate(piece.groups):
        data = group.path.read_bytes()
        alike = [other for other, want in enumerate(wanted) if want == data]
        found.append(k if k in alike else next(iter(alike), None))
    return tuple(found)


def _contents(stream: Stream, graphs: Sequence[ModelGraph], offsets: Sequence[int]) -> list[bytes]:
    """What the plan writes for each group."""
    found = []
    for group, own in zip(stream.groups, graphs, strict=True):
        segment = segment_of(own, 0, len(own.ops))
        found.append(write_piece(own, segment, offline_plan(stream, group, offsets), group.ops))
    return found


def _run(graph: ModelGraph, stage: Stage, whole: Mapping[int, Array], limit_s: float) -> Stage:
    piece = stage.piece
    file = PieceFile(piece.path, piece.segment, stream=piece.stream_files)
    fed = {tensor: whole[tensor] for tensor in piece.segment.inputs}
    try:
        made = run_pieces([file], [graph], fed, limit_s)
    except ToolError as error:
        return replace(stage, refused=str(error))
    rows = (
        f"tensor {tensor}{first_wrong_row(file, tensor, whole, made)}"
        for tensor in piece.segment.outputs
        if whole[tensor].tobytes() != made[tensor].tobytes()
    )
    return replace(stage, row=next(rows, ""))


def stage_findings(graph: ModelGraph, stage: Stage) -> Iterator[Finding]:
    """What is wrong with a stage, the nearest cause of it; files that do no harm are a note."""
    said = [stage.invalid] if stage.invalid else []
    said += [f"the first wrong row: {stage.row}"] if stage.row else []
    said += [stage.refused] if stage.refused else []
    if stage.exchanged:
        yield _exchanged(stage, said)
    elif stage.foreign:
        yield _foreign(stage, said)
    elif stage.is_wrong:
        yield _wrong_plan(graph, stage, said)


def _exchanged(stage: Stage, said: Sequence[str]) -> Finding:
    pairs = [f"{there.name} holds {content.name}" for there, content in stage.exchanged]
    return Finding(
        code="groups_exchanged",
        severity=Severity.FAULT if stage.is_wrong else Severity.WARNING,
        title=f"groups of {stage.piece.label} stand in one another's places: {first_few(pairs)}",
        where=stage.piece.label,
        evidence=(*pairs[:8], *said),
        next_step="put each file back in its place, or run the job again",
        tensors=stage.piece.segment.outputs,
        pieces=(stage.piece.index,),
    )


def _foreign(stage: Stage, said: Sequence[str]) -> Finding:
    names = first_few([group.name for group in stage.foreign])
    return Finding(
        code="group_replaced",
        severity=Severity.FAULT if stage.is_wrong else Severity.NOTE,
        title=f"{names} of {stage.piece.label}: not what the plan writes for this group",
        where=stage.piece.label,
        evidence=("the model and the plan give other bytes", *said),
        next_step="run the job again: it writes the group's file from the model",
        tensors=stage.piece.segment.outputs,
        pieces=(stage.piece.index,),
    )


def _wrong_plan(graph: ModelGraph, stage: Stage, said: Sequence[str]) -> Finding:
    rules = rules_of(graph, stage.stream)
    right = stream_of(graph, stage.stream.start, stage.stream.stop, rules)
    apart = [] if isinstance(right, str) else list(_differences(stage.stream, right))
    is_fill = bool(apart) and all("filled" in line for line in apart)
    what = "fills rows outside of the image wrongly" if is_fill else "takes rows for others"
    return Finding(
        code="stream_fill" if is_fill else "stream_rows",
        severity=Severity.FAULT,
        title=f"the stream of {stage.piece.label} {what if apart else 'makes wrong rows'}",
        where=f"plan.json, $.segments[{stage.piece.index}].stream",
        evidence=(*apart[:6], *said),
        next_step=_NEXT,
        tensors=stage.piece.segment.outputs,
        pieces=(stage.piece.index,),
    )


def _differences(got: Stream, want: Stream) -> Iterator[str]:
    """Where the plan's stream is another than the model's, in words."""
    if len(got.groups) != len(want.groups):
        yield f"{len(got.groups)} groups, want {len(want.groups)}"
        return
    buffers = {buffer.tensor: buffer for buffer in want.buffers}
    for buffer in got.buffers:
        if buffer.tensor in buffers:
            yield from _buffer_differences(buffer, buffers[buffer.tensor])
    for k, (group, right) in enumerate(zip(got.groups, want.groups, strict=True)):
        for name in ("ops", "rows", "rows_per_turn", "dropped", "period", "first_tick"):
            values = getattr(group, name), getattr(right, name)
            if values[0] != values[1]:
                yield f"group {k} has {name} {values[0]}, want {values[1]}"
        for view, other in zip(group.views, right.views, strict=False):
            rows = view.first_row(0), view.rows, view.stride, view.lag
            wanted = other.first_row(0), other.rows, other.stride, other.lag
            if rows != wanted:
                yield (
                    f"group {k} looks at rows from {rows[0]} on (rows, stride, lag "
                    f"{list(rows[1:])}), want from {wanted[0]} on ({list(wanted[1:])})"
                )


def _buffer_differences(got: LineBuffer, want: LineBuffer) -> Iterator[str]:
    for field in fields(LineBuffer):
        values = getattr(got, field.name), getattr(want, field.name)
        if values[0] != values[1]:
            is_fill = field.name == "fill"
            verb = "is filled with" if is_fill else f"has {field.name}"
            yield f"the line buffer of tensor {got.tensor} {verb} {values[0]}, want {values[1]}"

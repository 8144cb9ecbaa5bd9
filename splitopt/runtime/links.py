"""Where each piece reads its inputs and writes its outputs, in the form of the runner's plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment
from splitopt.runtime.stream_tables import NOWHERE, PlacedBuffers, StreamTables, stream_tables
from splitopt.tiling.plan import Execution, RowSpan


@dataclass(frozen=True, slots=True)
class Link:
    """See `splitopt::Link` in runner/splitopt_plan.h, field by field."""

    position: int
    model_index: int
    offset: int
    size_bytes: int
    row_bytes: int = 0
    store: int = NOWHERE


@dataclass(frozen=True, slots=True)
class Slice:
    """See `splitopt::Slice`: bytes of a tensor, and where they begin in the whole tensor and in
    that of the piece."""

    outside: int
    inside: int
    size_bytes: int


@dataclass(frozen=True)
class PieceLinks:
    """`slices`: of a banded piece, for each execution those of its inputs, then of its outputs.
    `stream`: of a streamed one."""

    inputs: tuple[Link, ...]
    outputs: tuple[Link, ...]
    slices: tuple[Slice, ...] = ()
    execution_count: int = 1
    stream: StreamTables | None = None


def links_of(
    graph: ModelGraph,
    segments: Sequence[Segment],
    offsets: Mapping[int, int],
    executions: Sequence[Sequence[Execution]] = (),
    streams: Sequence[PlacedBuffers | None] = (),
    stores: Mapping[int, int] | None = None,
) -> tuple[PieceLinks, ...]:
    """The links of each piece. `offsets`: boundary tensor → its place in bytes, in the region or,
    where `stores` names one for it, in that store; `executions`: for each segment those of its
    bands, none where it runs once on whole tensors; `streams`: for each segment that is streamed,
    its stream.

    An input of the model is read from its buffer by its first reader; if later pieces read it, too,
    that piece keeps it as a boundary tensor. One without a place is taken row by row by a first
    reader that is banded or streamed. An output of the model is written by its last maker.
    """
    first_reader: dict[int, int] = {}
    last_maker: dict[int, int] = {}
    for k, segment in enumerate(segments):
        for tensor in segment.inputs:
            first_reader.setdefault(tensor, k)
        last_maker.update(dict.fromkeys(segment.outputs, k))

    def link(
        position: int, tensor: int, model: Sequence[int], meets_model: bool, in_rows: bool
    ) -> Link:
        index = model.index(tensor) if meets_model and tensor in model else NOWHERE
        offset = offsets.get(tensor, NOWHERE)
        assert index != NOWHERE or offset != NOWHERE, f"tensor {tensor} has no place"
        row_bytes = _row_bytes(graph, tensor) if in_rows else 0
        store = (stores or {}).get(tensor, NOWHERE)
        return Link(position, index, offset, graph.tensors[tensor].bytes, row_bytes, store)

    def links(k: int, segment: Segment) -> PieceLinks:
        own = executions[k] if executions else ()
        stream = streams[k] if streams else None
        in_rows = bool(own) or stream is not None
        return PieceLinks(
            inputs=tuple(
                link(position, tensor, graph.inputs, first_reader[tensor] == k, in_rows)
                for position, tensor in enumerate(segment.inputs)
            ),
            outputs=tuple(
                link(position, tensor, graph.outputs, last_maker[tensor] == k, in_rows)
                for position, tensor in enumerate(segment.outputs)
            ),
            slices=tuple(
                _slice(graph, span) for once in own for span in (*once.inputs, *once.outputs)
            ),
            execution_count=max(1, len(own)),
            stream=stream_tables(stream, segment.inputs, segment.outputs) if stream else None,
        )

    return tuple(links(k, segment) for k, segment in enumerate(segments))


def _slice(graph: ModelGraph, span: RowSpan) -> Slice:
    row_bytes = _row_bytes(graph, span.tensor)
    return Slice(span.row * row_bytes, span.from_row * row_bytes, span.rows * row_bytes)


def _row_bytes(graph: ModelGraph, index: int) -> int:
    """Rows of NHWC with a batch of 1 are contiguous bytes."""
    tensor = graph.tensors[index]
    return tensor.bytes // tensor.shape[1]  # int8 [1, 8, 6, 4]: 192 / 8 = 24 bytes a row

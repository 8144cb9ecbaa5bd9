"""Whether a stream in plan.json can be run at all: its parts, and rolled ends, fit together and fit
the model.

That it computes what the model computes is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from splitopt.bundle.schema.plan import Segment
from splitopt.bundle.schema.stream import MOST_TICKS
from splitopt.bundle.stream_json import stream_of_entry
from splitopt.graph.model import ModelGraph, Tensor
from splitopt.tiling.rows import rows_of
from splitopt.tiling.streams.stream import Group, LineBuffer, Stream

_PADS = frozenset({"PAD", "PADV2"})
_MOST_MOVES = 1 << 24


def loose_ends(entry: Segment) -> str:
    """Why the parts of a segment's stream, or its rolled ends, do not fit together, as a sentence;
    empty where they do."""
    read, made = ([getattr(p, end) for p in entry.rolled] for end in ("read", "made"))
    ends = (read, entry.inputs), (made, entry.outputs)
    if any(len({*rolled}) < len(rolled) or not {*rolled} <= {*own} for rolled, own in ends):
        return "rolls ends that are none of its own, or one of them twice"
    if entry.stream is None:
        return ""
    if entry.bands is not None:
        return "has bands and a stream, want one of them"
    stream = stream_of_entry(entry.stream, entry.start, entry.stop)
    return next(_loose(entry, stream), "")


def _loose(entry: Segment, stream: Stream) -> Iterator[str]:
    ops = [op for group in stream.groups for op in group.ops]
    if len(set(ops)) < len(ops) or not {*ops} <= {*range(stream.start, stream.stop)}:
        yield f"has groups of other ops than {stream.start} to {stream.stop - 1}, each once"
    count = len(stream.buffers)
    written = [source.buffer for source in stream.sources]
    written += [m.buffer for group in stream.groups for m in group.outputs if m.buffer is not None]
    read = {view.buffer for group in stream.groups for view in group.views}
    if sorted(written) != list(range(count)) or read != {*range(count)}:
        yield f"does not write each of its {count} line buffers in one place and read all of them"
        return
    for k, group in enumerate(stream.groups):
        for view in group.views:
            depth = stream.buffers[view.buffer].depth
            if view.rows + view.lag > depth:
                yield f"group {k} looks at {view.rows + view.lag} rows of the {depth} in its buffer"
        yield from (f"group {k} {why}" for why in _loose_rows(stream, group))
    for k, buffer in enumerate(stream.buffers):
        yield from (f"line buffer {k} {why}" for why in _loose_buffer(buffer))
    if stream.ticks > MOST_TICKS:
        yield f"takes {stream.ticks} ticks, want at most {MOST_TICKS}"
        return
    moves = stream.ticks * sum(buffer.depth for buffer in stream.buffers)
    if moves > _MOST_MOVES:
        yield f"moves rows {moves} times, want at most {_MOST_MOVES}"
    assert entry.stream is not None
    yield from _misplaced(entry, [b.offset for b in entry.stream.buffers], stream)


def _loose_rows(stream: Stream, group: Group) -> Iterator[str]:
    """What it makes at once."""
    if group.rows % group.rows_per_turn:
        yield f"makes {group.rows} rows, want whole turns of {group.rows_per_turn}"
    for buffer in (stream.buffers[m.buffer] for m in group.outputs if m.buffer is not None):
        if group.made_rows > buffer.depth:
            yield f"makes {group.made_rows} rows at once for a buffer of {buffer.depth}"


def _loose_buffer(buffer: LineBuffer) -> Iterator[str]:
    if buffer.column_bytes + buffer.written_bytes > buffer.row_bytes:
        yield "is written beside its rows"
    if any(size % buffer.item_bytes for size in _row_sizes(buffer)):
        yield f"has rows of no whole values of {buffer.item_bytes} B"
    if buffer.fill is None and buffer.lazy is not None and buffer.last_row >= buffer.rows:
        yield "lets in rows below the image, and has no fill"
    if buffer.lazy is not None and buffer.lazy[1] > buffer.depth:
        yield f"has {buffer.lazy[1]} rows above the image, of {buffer.depth}"


def _row_sizes(buffer: LineBuffer) -> tuple[int, int, int]:
    return buffer.row_bytes, buffer.written_bytes, buffer.column_bytes


def _misplaced(entry: Segment, offsets: Sequence[int], stream: Stream) -> Iterator[str]:
    places = sorted(
        (offset, offset + buffer.bytes)
        for offset, buffer in zip(offsets, stream.buffers, strict=True)
    )
    if any(above[0] < below[1] for below, above in pairwise(places)):
        yield "has line buffers that share bytes"
    assert entry.stream is not None
    granted = entry.arena_bytes - entry.stream.interpreters_bytes
    if places[-1][1] > granted:
        yield f"has line buffers up to {places[-1][1]}, in an arena of {granted} B"


def misfit(entry: Segment, graph: ModelGraph) -> str:
    """Why the stream is none of this model's segment, as a sentence; empty where it is."""
    why = loose_ends(entry)
    if why or entry.stream is None:
        return why
    stream = stream_of_entry(entry.stream, entry.start, entry.stop)
    return next(_misfits(entry, stream, graph), "")


def _misfits(entry: Segment, stream: Stream, graph: ModelGraph) -> Iterator[str]:
    in_groups = {op for group in stream.groups for op in group.ops}
    left = [op for op in range(stream.start, stream.stop) if op not in in_groups]
    if any(graph.ops[op].type not in _PADS for op in left):
        yield f"leaves out ops {left}"
    tensors = [source.tensor for source in stream.sources]
    if sorted(tensors) != sorted(entry.inputs) or sorted(stream.outputs) != sorted(entry.outputs):
        yield "has other ends than the segment"
        return
    most = len(graph.tensors)
    for k, buffer in enumerate(stream.buffers):
        if max(buffer.tensor, buffer.written) >= most:
            yield f"line buffer {k} is of no tensor of the model"
            return
        if why := _foreign_buffer(buffer, graph):
            yield f"line buffer {k} {why}"
    for source in stream.sources:
        buffer = stream.buffers[source.buffer]
        if buffer.written != source.tensor or source.rows != rows_of(graph.tensors[source.tensor]):
            yield f"tensor {source.tensor} enters a line buffer that is not its own"
    for k, group in enumerate(stream.groups):
        if why := _foreign_group(stream, group, graph):
            yield f"group {k} {why}"


def _foreign_buffer(buffer: LineBuffer, graph: ModelGraph) -> str:
    held, written = graph.tensors[buffer.tensor], graph.tensors[buffer.written]
    if not held.is_activation or not rows_of(held) or not rows_of(written):
        return "is of a tensor that has no rows"
    if buffer.tensor != buffer.written:
        maker = graph.producer.get(buffer.tensor)
        is_pad = maker is not None and graph.ops[maker].type in _PADS
        if not is_pad or graph.ops[maker or 0].inputs[0] != buffer.written:
            return "is written by a tensor that no PAD makes it of"
    sizes = buffer.row_bytes, buffer.written_bytes, 8 * buffer.item_bytes
    want = _row_bytes(held), _row_bytes(written), held.dtype.bits
    if buffer.tensor == buffer.written:  # there may be columns of padding beside
        beside = max(0, buffer.row_bytes - want[0])
        want = want[0] + beside - beside % (want[0] // max(1, held.shape[2])), *want[1:]
    if sizes != want or held.dtype != written.dtype:
        return f"has row, written row and bits {list(sizes)}, want {list(want)}"
    if buffer.rows > rows_of(written):  # a PAD that is not folded in makes fewer: readers pad
        return f"has {buffer.rows} rows, and the tensor {rows_of(written)}"
    limit = 1 << (held.dtype.bits - 1)
    if buffer.fill is not None and not -limit <= buffer.fill < limit:
        return f"is filled with {buffer.fill}, which {held.dtype.name} does not have"
    return ""


def _foreign_group(stream: Stream, group: Group, graph: ModelGraph) -> str:
    made = {tensor for op in group.ops for tensor in graph.ops[op].outputs}
    for own in group.outputs:
        if own.tensor not in made:
            return f"makes tensor {own.tensor}, which none of its ops makes"
        if own.buffer is not None and stream.buffers[own.buffer].written != own.tensor:
            return f"writes tensor {own.tensor} into the line buffer of another one"
        if own.is_output and group.rows != rows_of(graph.tensors[own.tensor]):
            return f"makes {group.rows} rows of tensor {own.tensor}"
    given = {tensor for op in group.ops for tensor in graph.ops[op].given_inputs}
    read = [stream.buffers[view.buffer].tensor for view in group.views]
    if not given.issuperset(read) or len({*read}) < len(read):
        return f"reads tensors {read}, want some that its ops read, each once"
    return ""


def _row_bytes(tensor: Tensor) -> int:
    return tensor.bytes // max(1, rows_of(tensor))

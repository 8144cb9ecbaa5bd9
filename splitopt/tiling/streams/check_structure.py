"""Says whether a stream is one of the segment's ops, and its groups' graphs are of these ops."""

from __future__ import annotations

from collections import Counter

from splitopt.graph.model import ModelGraph, Op, Tensor
from splitopt.tiling.streams.check_ops import SIZED, TRANSPOSED, WINDOWS, InvalidStream, pad_rows
from splitopt.tiling.streams.check_slots import sides_of, sides_of_views
from splitopt.tiling.streams.stream import Group, LineBuffer, Source, Stream


def check_structure(graph: ModelGraph, stream: Stream) -> None:
    """Raises InvalidStream unless each op runs in one group, what enters and leaves is what the
    segment reads and makes, and each line buffer has one writer and the size of its rows."""
    _check_ops(graph, stream)
    _check_ends(graph, stream)
    for group in stream.groups:
        read = [stream.buffers[view.buffer].tensor for view in group.views]
        made = [output for op in group.ops for output in graph.ops[op].outputs]
        _equal(f"group of ops {group.ops}: its tensors", len({*read, *made}), len([*read, *made]))
        written = {end.buffer for end in group.outputs}
        if not written.isdisjoint(view.buffer for view in group.views):
            raise InvalidStream(f"group of ops {group.ops}: writes what it reads")
    turns: list[Source | Group] = [*stream.sources, *stream.groups]
    for timed in turns:
        if timed.period < 1 or timed.first_tick < 0 or timed.rows < 1:
            raise InvalidStream(f"{timed}: has no such time")
    for group in stream.groups:
        _check_turns(stream, group)
    for number, buffer in enumerate(stream.buffers):
        _check_buffer(graph, buffer, f"line buffer {number} of tensor {buffer.tensor}")
        _check_users(stream, number, f"line buffer {number} of tensor {buffer.tensor}")


def _check_turns(stream: Stream, group: Group) -> None:
    where, at_once, dropped = f"group of ops {group.ops}", group.rows_per_turn, group.dropped
    if at_once < 1 or dropped < 0 or group.rows % at_once:
        raise InvalidStream(f"{where}: makes {at_once} at a time, of {group.rows} rows")
    for buffer in (stream.buffers[end.buffer] for end in group.outputs if end.buffer is not None):
        if at_once + dropped > buffer.depth:
            raise InvalidStream(f"{where}: makes more rows than its line buffer has")


def _check_ops(graph: ModelGraph, stream: Stream) -> None:
    """A PAD that is folded into a line buffer runs in no group."""
    runs = Counter(op for group in stream.groups for op in group.ops)
    runs.update(graph.producer.get(b.tensor, -1) for b in stream.buffers if b.tensor != b.written)
    for op in {*runs, *range(stream.start, stream.stop)}:
        want = int(op in range(stream.start, stream.stop))
        _equal(f"op {op}: groups that run it", runs[op], want)


def _check_ends(graph: ModelGraph, stream: Stream) -> None:
    ops = graph.ops[stream.start : stream.stop]
    made = {tensor for op in ops for tensor in op.outputs}
    read = {t for op in ops for t in op.given_inputs if graph.tensors[t].is_activation} - made
    sources = [(source.tensor, source.rows) for source in stream.sources]
    _equal("sources", sorted(sources), sorted((t, graph.tensors[t].shape[1]) for t in read))
    later = {t for op in graph.ops[stream.stop :] for t in op.given_inputs}
    ends = [end.tensor for group in stream.groups for end in group.outputs if end.is_output]
    _equal("outputs", sorted(ends), sorted(made & {*graph.outputs, *later}))
    for group in stream.groups:
        own = {tensor for op in group.ops for tensor in graph.ops[op].outputs}
        for end in group.outputs:
            if end.tensor not in own:
                raise InvalidStream(f"group of ops {group.ops}: does not make {end.tensor}")


def _check_users(stream: Stream, number: int, where: str) -> None:
    buffer = stream.buffers[number]
    writers = [(s.tensor, s.rows) for s in stream.sources if s.buffer == number]
    for group in stream.groups:
        writers += [(end.tensor, group.rows) for end in group.outputs if end.buffer == number]
    _equal(f"{where}: who writes", writers, [(buffer.written, buffer.rows)])
    views = [view for group in stream.groups for view in group.views if view.buffer == number]
    for view in views:
        if view.rows < 1 or view.lag < 0 or view.lag + view.rows > buffer.depth:
            raise InvalidStream(f"{where}: {view} looks outside of {buffer.depth} slots")
    if buffer.lazy is not None:
        looks = [(v.lag + v.rows, v.stride, v.above, v.repeat) for v in views]
        _equal(f"{where}: its one reader", looks, [(buffer.depth, *buffer.lazy, 1)])


def _check_buffer(graph: ModelGraph, buffer: LineBuffer, where: str) -> None:
    tensor, written = graph.tensors[buffer.tensor], graph.tensors[buffer.written]
    item = tensor.dtype.bits // 8
    _equal(f"{where}: bytes of an item", buffer.item_bytes, item)
    row = _row_bytes(tensor)
    left, right, value = sides_of(graph, buffer)
    if left or right:
        if value is None or min(left, right) < 0:
            raise InvalidStream(f"{where}: has columns beside its rows that nothing fills")
        row += (left + right) * (row // tensor.shape[2])
    _equal(f"{where}: bytes of a row", buffer.row_bytes, row)
    _equal(f"{where}: bytes written", buffer.written_bytes, _row_bytes(written))
    left *= _row_bytes(tensor) // tensor.shape[2]
    if buffer.tensor != buffer.written:
        pad = pad_rows(graph, buffer.tensor)
        if pad is None or pad.read != buffer.written or pad.channels:
            raise InvalidStream(f"{where}: no PAD of columns makes it of {buffer.written}")
        left = pad.left * _row_bytes(tensor) // tensor.shape[2]
    _equal(f"{where}: first byte written", buffer.column_bytes, left)
    if buffer.fill is not None and not -(1 << 8 * item - 1) <= buffer.fill < 1 << 8 * item - 1:
        raise InvalidStream(f"{where}: fill {buffer.fill} does not fit")


def check_group(graph: ModelGraph, stream: Stream, group: Group, own: ModelGraph) -> None:
    """Raises InvalidStream unless `own` has the group's ops, on as many rows as its views have, and
    on the rows of a turn of what it makes; all else as in the unsplit model."""
    where = f"group of ops {group.ops}"
    views = {stream.buffers[view.buffer].tensor: view.rows for view in group.views}
    beside = {t: sides.left + sides.right for t, sides in sides_of_views(graph, stream, group)}
    _equal(f"{where}: inputs", own.inputs, tuple(views))
    _equal(f"{where}: outputs", own.outputs, tuple(end.tensor for end in group.outputs))
    ops = [graph.ops[op] for op in group.ops]
    made = group.rows_per_turn + group.dropped
    for op in ops:
        if op.type == TRANSPOSED:  # makes a whole number of strides, the last of them right
            _equal(f"{where}: rows a turn", group.rows_per_turn, op.options.get("strideH"))
    _equal(f"{where}: ops", [_kept(op) for op in own.ops], [_kept(op) for op in ops])
    for op in ops:
        for place, tensor in enumerate(op.inputs):
            if tensor >= 0 and SIZED.get(op.type) != place:
                size = views.get(tensor, made), beside.get(tensor, 0)
                _check_tensor(graph.tensors[tensor], own.tensors[tensor], size, where)
        for tensor in op.outputs:
            _check_tensor(graph.tensors[tensor], own.tensors[tensor], (made, 0), where)


def _kept(op: Op) -> tuple[object, ...]:
    """Without what `check_ops` looks at."""
    known = {"strideH", "padding"} if op.type in WINDOWS else {"strideH"}
    options = {name: value for name, value in op.options.items() if name not in known}
    return op.type, op.inputs, op.outputs, op.intermediates, options


def _check_tensor(tensor: Tensor, own: Tensor, size: tuple[int, int], where: str) -> None:
    """`size`: rows, and columns beside those of the image."""
    (rows, beside), shape = size, tensor.shape
    if tensor.is_activation:
        shape = (shape[0], rows, shape[2] + beside, shape[3])
    got, want = ((t.dtype, t.kind, t.quantization) for t in (own, tensor))
    _equal(f"{where}: tensor {tensor.index}", (own.shape, *got), (shape, *want))
    if own.data is not tensor.data and own.data != tensor.data:
        raise InvalidStream(f"{where}: constant {tensor.index} has other values")


def _row_bytes(tensor: Tensor) -> int:
    return tensor.bytes // tensor.shape[1]


def _equal(what: str, got: object, want: object) -> None:
    if got != want:
        raise InvalidStream(f"{what}: {got}, not {want}")

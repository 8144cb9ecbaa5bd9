"""Runs a stream by its steps on made-up values: what a row holds is a hash of what was read for it.

It knows nothing of which rows are wanted where: the unsplit model is run in the same way, and all
that counts is whether the outputs are equal. A row is one cell for each of its columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from splitopt.graph.model import ModelGraph, Op
from splitopt.tiling.streams.moves import (
    EnterRow,
    FillRows,
    Keep,
    MoveRow,
    Run,
    Take,
    moves_of,
)
from splitopt.tiling.streams.stream import LineBuffer, Stream

Cells = tuple[object, ...]
Rows = list[Cells]
_PADS = ("PAD", "PADV2")
_TRANSPOSED = "TRANSPOSE_CONV"
_OUTSIDE = -1


def makes_what_it_should(graph: ModelGraph, stream: Stream) -> bool:
    """Whether all outputs of the stream are those of the unsplit model."""
    try:
        return streamed(graph, stream) == {
            tensor: rows
            for tensor, rows in unsplit(graph, stream.start, stream.stop).items()
            if _is_output(graph, stream, tensor)
        }
    except (IndexError, KeyError, ValueError):
        return False


def unsplit(graph: ModelGraph, start: int, stop: int) -> dict[int, Rows]:
    """Every tensor that ops [start, stop) make, row by row."""
    known: dict[int, Rows] = {}
    made: dict[int, Rows] = {}
    for op in graph.ops[start:stop]:
        for tensor in _read(graph, op):
            known.setdefault(tensor, _source(graph, tensor))
        [output] = op.outputs
        known[output] = made[output] = _unsplit_op(graph, op, known)
    return made


def streamed(graph: ModelGraph, stream: Stream) -> dict[int, Rows]:
    """The outputs; a row that is never kept is empty."""
    lines = [[_cells(graph, buffer, "rubbish")] * buffer.depth for buffer in stream.buffers]
    kept: dict[int, Rows] = {}
    made: dict[int, Rows] = {}
    for step in moves_of(stream):
        match step:
            case Take(number, row, slot):
                source = stream.sources[number]
                cells = _source(graph, source.tensor)[row]
                lines[source.buffer][slot] = _over(
                    graph, stream.buffers[source.buffer], lines[source.buffer][slot], cells
                )
            case FillRows(buffer, slot, rows):
                fill = _cells(graph, stream.buffers[buffer], stream.buffers[buffer].fill)
                lines[buffer][slot : slot + rows] = [fill] * rows
            case MoveRow(buffer, to, origin):
                held = _inner(graph, stream.buffers[buffer], lines[buffer][origin])
                lines[buffer][to] = _over(graph, stream.buffers[buffer], lines[buffer][to], held)
            case Run(number, _):
                made = _run(graph, stream, number, lines)
                for end in stream.groups[number].outputs:
                    if end.buffer is not None and _lie_together(stream, number, end.buffer):
                        line, rows = lines[end.buffer], made[end.tensor]
                        for slot, cells in enumerate(rows, start=len(line) - len(rows)):
                            line[slot] = _over(graph, stream.buffers[end.buffer], line[slot], cells)
            case EnterRow(number, output, row, slot):
                group, end = stream.groups[number], stream.groups[number].outputs[output]
                assert end.buffer is not None
                cells = made[end.tensor][group.dropped + row % group.rows_per_turn]
                line = lines[end.buffer]
                line[slot] = _over(graph, stream.buffers[end.buffer], line[slot], cells)
            case Keep(number, output, row):
                group = stream.groups[number]
                tensor = group.outputs[output].tensor
                rows = kept.setdefault(tensor, [()] * graph.tensors[tensor].shape[1])
                assert not rows[row], "a row is made once"
                rows[row] = made[tensor][group.dropped + row % group.rows_per_turn]
    return kept


def _run(graph: ModelGraph, stream: Stream, number: int, lines: Sequence[Rows]) -> dict[int, Rows]:
    """As many rows as the group makes, of every tensor."""
    known: dict[int, Rows] = {}
    count = stream.groups[number].dropped + stream.groups[number].rows_per_turn
    for view in stream.groups[number].views:
        buffer = stream.buffers[view.buffer]
        first = buffer.depth - view.lag - view.rows
        rows = [lines[view.buffer][first + k] for k in range(view.rows)]
        known[buffer.tensor] = [_without_sides(graph, stream, number, buffer, r) for r in rows]
    made: dict[int, Rows] = {}
    for k in stream.groups[number].ops:
        op = graph.ops[k]
        read = _read(graph, op)
        if op.type in _PADS:
            rows = [_padded(graph, op, known[read[0]][row]) for row in range(count)]
        elif op.type == _TRANSPOSED:
            rows = _transposed(graph, op, known[read[0]], count)
        else:
            taps, step = _taps(graph, op), int(op.options.get("strideH", 1))
            looked_at = [
                [tuple(known[t][_at(graph, t, row * step + at)] for at in taps) for t in read]
                for row in range(count)
            ]
            rows = [_result(graph, op, found) for found in looked_at]
        known[op.outputs[0]] = made[op.outputs[0]] = rows
    return made


def _lie_together(stream: Stream, number: int, buffer: int) -> bool:
    group, line = stream.groups[number], stream.buffers[buffer]
    return group.dropped + group.rows_per_turn == 1 or line.row_bytes == line.written_bytes


def _without_sides(
    graph: ModelGraph, stream: Stream, number: int, buffer: LineBuffer, row: Cells
) -> Cells:
    """The columns of the image, if what the op that reads it finds beside them is what it wants."""
    first, end = _span(graph, buffer)
    if buffer.tensor != buffer.written or len(row) == end - first:
        return row
    [op] = [k for k in stream.groups[number].ops if buffer.tensor in graph.ops[k].inputs]
    value = _outside(graph, graph.ops[op])
    is_right = {*row[:first], *row[end:]} == {("all", value)}
    return row[first:end] if is_right else row


def _outside(graph: ModelGraph, op: Op) -> int:
    tensor = graph.tensors[op.inputs[0]]
    assert tensor.quantization is not None
    is_pool = op.type == "MAX_POOL_2D"
    return -(1 << tensor.dtype.bits - 1) if is_pool else tensor.quantization.zero_points[0]


def _transposed(graph: ModelGraph, op: Op, given: Rows, count: int) -> Rows:
    """`count` rows: each row given is added at its place, with the filter row that meets it there.
    One of zero points adds nothing."""
    kernel, stride = graph.tensors[op.inputs[1]].shape[1], int(op.options["strideH"])
    quantization = graph.tensors[op.inputs[2]].quantization
    assert quantization is not None
    blank = _blank(graph.tensors[op.inputs[2]].shape[2], quantization.zero_points[0])
    above = 0
    if op.options.get("padding") == 0:
        above = max(0, (-(-count // stride) - 1) * stride + kernel - count) // 2
    added: list[list[object]] = [[] for _ in range(count)]
    for row, cells in enumerate(given):
        for tap in range(kernel):
            place = row * stride - above + tap
            if 0 <= place < count and cells != blank:
                added[place].append((tap, cells))
    return [_result(graph, op, sorted(found, key=str)) for found in added]


def _unsplit_op(graph: ModelGraph, op: Op, known: Mapping[int, Rows]) -> Rows:
    read, [output] = _read(graph, op), op.outputs
    tensor, count = graph.tensors[read[0]], graph.tensors[output].shape[1]
    whole = max(graph.tensors[t].shape[1] for t in read)
    if op.type in _PADS:
        above = int(_amounts(graph, op)[1, 0])
        blank = _blank(graph.tensors[output].shape[2], _pad_value(graph, op))
        inside = [_padded(graph, op, row) for row in known[read[0]]]
        return [blank] * above + inside + [blank] * (count - above - whole)
    if op.type == "RESIZE_NEAREST_NEIGHBOR":
        return [_result(graph, op, [(known[read[0]][r * whole // count],)]) for r in range(count)]
    if op.type == _TRANSPOSED:
        return _transposed(graph, op, known[read[0]], count)
    taps, stride = _taps(graph, op), int(op.options.get("strideH", 1))
    above = 0
    if op.options.get("padding") == 0 and len(read) == 1:
        above = max(0, (count - 1) * stride + taps[-1] + 1 - whole) // 2
    outside: Cells = (_OUTSIDE,)  # what no tap inside the image is
    if op.type != "AVERAGE_POOL_2D" and tensor.quantization is not None:
        outside = _blank(tensor.shape[2], _outside(graph, op))
    rows = []
    for row in range(count):
        at = [row * stride - above + tap for tap in taps]
        looked_at = [
            tuple(known[t][_at(graph, t, r)] if 0 <= r < whole else outside for r in at)
            for t in read
        ]
        rows.append(_result(graph, op, looked_at))
    return rows


def _at(graph: ModelGraph, tensor: int, row: int) -> int:
    """A tensor of one row is repeated for all of them."""
    return row if graph.tensors[tensor].shape[1] > 1 else 0


def _taps(graph: ModelGraph, op: Op) -> list[int]:
    if op.type in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        dilation = int(op.options.get("dilationHFactor", 1))
        return [k * dilation for k in range(graph.tensors[op.inputs[1]].shape[1])]
    return list(range(int(op.options.get("filterHeight", 1))))


def _result(graph: ModelGraph, op: Op, looked_at: Sequence[object]) -> Cells:
    value = hash((op.index, tuple(looked_at)))
    return tuple((value, column) for column in range(graph.tensors[op.outputs[0]].shape[2]))


def _padded(graph: ModelGraph, op: Op, row: Cells) -> Cells:
    left, right = _amounts(graph, op)[2].tolist()
    value = _pad_value(graph, op)
    if _amounts(graph, op)[3].any():
        row = tuple(("deeper", value, cell) for cell in row)
    return _blank(left, value) + row + _blank(right, value)


def _pad_value(graph: ModelGraph, op: Op) -> int:
    if op.type == "PADV2":
        return int(np.frombuffer(graph.tensors[op.inputs[2]].data, "<i1")[0])
    quantization = graph.tensors[op.outputs[0]].quantization
    assert quantization is not None
    return quantization.zero_points[0]


def _amounts(graph: ModelGraph, op: Op) -> np.ndarray:
    return np.frombuffer(graph.tensors[op.inputs[1]].data, "<i4").reshape(4, 2)


def _read(graph: ModelGraph, op: Op) -> list[int]:
    return [t for t in dict.fromkeys(op.inputs) if t >= 0 and graph.tensors[t].is_activation]


def _source(graph: ModelGraph, tensor: int) -> Rows:
    _, rows, columns, _ = graph.tensors[tensor].shape
    return [tuple((tensor, row, column) for column in range(columns)) for row in range(rows)]


def _blank(columns: int, value: object) -> Cells:
    return (("all", value),) * columns


def _cells(graph: ModelGraph, buffer: LineBuffer, value: object) -> Cells:
    tensor = graph.tensors[buffer.tensor]
    pixel = tensor.bytes // (tensor.shape[1] * tensor.shape[2])
    return _blank(buffer.row_bytes // pixel, value)


def _span(graph: ModelGraph, buffer: LineBuffer) -> tuple[int, int]:
    """Columns that are written."""
    _, _, columns, _ = graph.tensors[buffer.tensor].shape
    pixel = graph.tensors[buffer.tensor].bytes // graph.tensors[buffer.tensor].shape[1] // columns
    first = buffer.column_bytes // pixel
    return first, first + buffer.written_bytes // pixel


def _inner(graph: ModelGraph, buffer: LineBuffer, row: Cells) -> Cells:
    first, end = _span(graph, buffer)
    return row[first:end]


def _over(graph: ModelGraph, buffer: LineBuffer, row: Cells, cells: Cells) -> Cells:
    first, end = _span(graph, buffer)
    assert len(cells) == end - first
    return row[:first] + cells + row[end:]


def _is_output(graph: ModelGraph, stream: Stream, tensor: int) -> bool:
    later = (op.index for op in graph.ops[stream.stop :] if tensor in op.inputs)
    return tensor in graph.outputs or next(later, None) is not None

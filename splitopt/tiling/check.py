"""Says which rows of a band are right, row by row and tap by tap; independent of any planner.

Every row of every tensor of a band is followed by its identity: the row of the unsplit model's
tensor that it equals bit for bit, or None where it equals none. An output row is right if every tap
of it is a row that the unsplit model reads there, or lies outside the image for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from splitopt.graph.model import ModelGraph, Op
from splitopt.tiling.check_single_rows import looks_right_on_one_row
from splitopt.tiling.plan import Execution

Identity = list[int | None]
Piece = tuple[Mapping[int, int], Sequence[Execution]]
"""Rows of each activation in the piece, and what it executes."""


class InvalidBands(AssertionError):
    """Rows are wrong, left out, or written twice."""


_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_REPEATING = ("ADD", "MUL", "SUB")


def check_bands(graph: ModelGraph, start: int, stop: int, pieces: Sequence[Piece]) -> None:
    """Raises InvalidBands unless every row that ops [start, stop) make for the outside is written
    once, and right."""
    written: dict[int, list[bool]] = {}
    for rows, executions in pieces:
        _refuse_single_rows(graph, graph.ops[start:stop], rows)
        for execution in executions:
            known = identities(graph, start, stop, rows, execution)
            for span in execution.outputs:
                kept = known[span.tensor][span.from_row : span.from_row + span.rows]
                want = list(range(span.row, span.row + span.rows))
                if kept != want:
                    raise InvalidBands(f"tensor {span.tensor}: rows {want} are kept from {kept}")
                done = written.setdefault(span.tensor, [False] * _rows(graph, span.tensor))
                for row in want:
                    if done[row]:
                        raise InvalidBands(f"tensor {span.tensor}: row {row} is written twice")
                    done[row] = True
    for tensor in _outputs(graph, start, stop):
        left = [row for row, is_done in enumerate(written.get(tensor, [False])) if not is_done]
        if left:
            raise InvalidBands(f"tensor {tensor}: rows {left} are never written")


def identities(
    graph: ModelGraph, start: int, stop: int, rows: Mapping[int, int], execution: Execution
) -> dict[int, Identity]:
    """For every tensor in one execution, which row of the unsplit model each of its rows equals
    (None: no row). Raises InvalidBands where an input reads rows that do not exist."""
    known: dict[int, Identity] = {}
    for span in execution.inputs:
        inside = 0 <= span.row <= span.row + span.rows <= _rows(graph, span.tensor)
        if not inside or span.rows != rows[span.tensor]:
            raise InvalidBands(f"tensor {span.tensor}: cannot read {span.rows} rows at {span.row}")
        known[span.tensor] = list(range(span.row, span.row + span.rows))
    for op in graph.ops[start:stop]:
        made = list(_made(graph, op, known))
        if len(made) != rows[op.outputs[0]]:
            raise InvalidBands(f"{graph.op_name(op.index)} makes {len(made)} rows of a band")
        known[op.outputs[0]] = made
    return known


def _refuse_single_rows(graph: ModelGraph, ops: Sequence[Op], rows: Mapping[int, int]) -> None:
    for op in ops:
        is_on_one = op.type in _CONVOLUTIONS and rows[op.inputs[0]] == 1
        if is_on_one and not looks_right_on_one_row(graph, op):
            name = graph.op_name(op.index)
            raise InvalidBands(f"{name}: CMSIS-NN gets a band of a single row wrong")


def _made(graph: ModelGraph, op: Op, known: Mapping[int, Identity]) -> Iterator[int | None]:
    read = [t for t in op.given_inputs if graph.tensors[t].is_activation]
    sources = [t for t in read if not is_repeated(graph, op, t)]
    if not all(known[t] == [0] for t in read if t not in sources):
        raise InvalidBands(f"{graph.op_name(op.index)} reads other rows than the one it repeats")
    source = known[sources[0]]
    options = op.options
    whole = _rows(graph, sources[0])
    if op.type in _CONVOLUTIONS:
        kernel = graph.tensors[op.inputs[1]].shape[1]
        dilation = int(options.get("dilationHFactor", 1))
        return _windowed(source, whole, range(0, kernel * dilation, dilation), op)
    if op.type in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        return _windowed(source, whole, range(int(options.get("filterHeight", 1))), op)
    if op.type in ("PAD", "PADV2"):
        amounts = np.frombuffer(graph.tensors[op.inputs[1]].data, dtype="<i4").reshape(4, 2)
        return _padded(source, whole, int(amounts[1, 0]), int(amounts[1, 1]))
    if op.type == "RESIZE_NEAREST_NEIGHBOR":
        factor = _rows(graph, op.outputs[0]) // whole
        return (None if row is None else row * factor + k for row in source for k in range(factor))
    return _joined([known[tensor] for tensor in sources])


def is_repeated(graph: ModelGraph, op: Op, tensor: int) -> bool:
    """Whether the op's kernel repeats the one row of the tensor for each row that it makes."""
    shape, made = graph.tensors[tensor].shape, graph.tensors[op.outputs[0]].shape
    return op.type in _REPEATING and len(shape) == len(made) == 4 and shape[1] == 1 < made[1]


def _windowed(source: Identity, whole: int, reach: range, op: Op) -> Iterator[int | None]:
    stride, is_same = int(op.options.get("strideH", 1)), op.options.get("padding") == 0
    span = reach[-1] + 1
    count, above = window_places(len(source), span, stride, is_same=is_same)
    _, whole_above = window_places(whole, span, stride, is_same=is_same)
    for row in range(count):
        taps = [row * stride - above + tap for tap in reach]
        read = [source[tap] if 0 <= tap < len(source) else None for tap in taps]
        anchors = ((k, at) for k, at in enumerate(read) if at is not None)
        k, at = next(anchors, (0, None))
        meant, rest = (0, 1) if at is None else divmod(at + whole_above - reach[k], stride)
        wanted = [meant * stride - whole_above + tap for tap in reach]
        pairs = zip(taps, wanted, read, strict=True)
        is_right = not rest and all(
            got == want if 0 <= want < whole else not 0 <= tap < len(source)
            for tap, want, got in pairs
        )
        yield meant if is_right else None


def window_places(rows: int, span: int, stride: int, *, is_same: bool) -> tuple[int, int]:
    """(output rows, rows of padding above), as the kernels count them. `span`: of a window."""
    if not is_same:
        return max(0, (rows - span) // stride + 1), 0
    count = (rows + stride - 1) // stride
    return count, max(0, (count - 1) * stride + span - rows) // 2


def _padded(source: Identity, whole: int, above: int, below: int) -> Iterator[int | None]:
    """Padding is the image's own only where the image ends there."""
    at_top, at_bottom = source[0] == 0, source[-1] == whole - 1
    yield from (row if at_top else None for row in range(above))
    yield from (None if row is None else row + above for row in source)
    yield from (above + whole + row if at_bottom else None for row in range(below))


def _joined(sources: Sequence[Identity]) -> Iterator[int | None]:
    if len({len(source) for source in sources}) != 1:
        raise InvalidBands("operands of different height")
    for rows in zip(*sources, strict=True):
        yield rows[0] if len(set(rows)) == 1 else None


def _rows(graph: ModelGraph, tensor: int) -> int:
    return graph.tensors[tensor].shape[1]


def _outputs(graph: ModelGraph, start: int, stop: int) -> Iterator[int]:
    for op in graph.ops[start:stop]:
        for tensor in op.outputs:
            if tensor in graph.outputs or any(tensor in later.inputs for later in graph.ops[stop:]):
                yield tensor

"""A group as a graph of its own: the model's tensors at the rows of one Invoke.

The op with the window keeps its padding flag, its input has as many rows as the window, and its
stride of rows is that number: TFLM then makes one row, pads no rows, and pads columns as before.
One that makes several rows keeps its stride and pads nothing: its input has the columns of padding.
Explicit padding pads columns only. A TRANSPOSE_CONV is told by its constant how many rows to make.
Indices of tensors stay those of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from splitopt.graph.model import ModelGraph, Op
from splitopt.tiling.resized import RESIZING, with_rows
from splitopt.tiling.streams.grouping import pad_amounts
from splitopt.tiling.streams.several_rows import WINDOWED, side_columns
from splitopt.tiling.streams.stream import Group, Stream
from splitopt.tiling.streams.transposed import TRANSPOSED

PADS = frozenset({"PAD", "PADV2"})
SIZED = {**dict.fromkeys((*PADS, *RESIZING), 1), TRANSPOSED: 0}
"""Ops with a constant that says the size of what they make → which of their inputs that is."""
_VALID = 1


class GroupKey(NamedTuple):
    """What of a group does not depend on the rest of its stream: many streams share a group.

    `reads`: tensor and rows of each view. `outputs`: each tensor that it makes for others, and
    whether it is made in a line buffer. `rows`: that each Invoke makes of them.
    """

    ops: tuple[int, ...]
    reads: tuple[tuple[int, int], ...]
    outputs: tuple[tuple[int, bool], ...]
    rows: int = 1

    @property
    def pinned(self) -> tuple[int, ...]:
        """The tensors that it reads from line buffers and makes in them."""
        read = (tensor for tensor, _ in self.reads)
        return (*read, *(tensor for tensor, is_held in self.outputs if is_held))


def key_of(stream: Stream, group: Group) -> GroupKey:
    return GroupKey(
        ops=group.ops,
        reads=tuple((stream.buffers[view.buffer].tensor, view.rows) for view in group.views),
        outputs=tuple(
            (
                made.tensor,
                made.buffer is not None and group.writes_into(stream.buffers[made.buffer]),
            )
            for made in group.outputs
        ),
        rows=group.made_rows,
    )


def group_graph(graph: ModelGraph, stream: Stream, group: Group) -> ModelGraph:
    """The group's ops on the rows of one turn. Inputs stand in the order of its views, outputs in
    that of what it makes."""
    return keyed_graph(graph, key_of(stream, group))


def keyed_graph(graph: ModelGraph, key: GroupKey) -> ModelGraph:
    own = row_graph(graph, [graph.ops[op] for op in key.ops], dict(key.reads), key.rows)
    return replace(own, outputs=tuple(tensor for tensor, _ in key.outputs))


def row_graph(
    graph: ModelGraph, ops: Sequence[Op], read: Mapping[int, int], made: int
) -> ModelGraph:
    """These ops on `made` rows of what they make. `read`: tensors from elsewhere → how many rows
    of them."""
    rows = {**read, **{tensor: made for op in ops for tensor in op.outputs}}
    tensors = list(graph.tensors)
    for tensor, count in rows.items():
        tensors[tensor] = with_rows(graph.tensors[tensor], count)
    for op in ops:
        if _makes_several(op, read, made):
            own = tensors[op.inputs[0]]
            columns = own.shape[2] + sum(side_columns(graph, op))
            tensors[own.index] = replace(own, shape=(*own.shape[:2], columns, own.shape[3]))
        if op.type in SIZED:
            size = graph.tensors[op.inputs[SIZED[op.type]]]
            tensors[size.index] = replace(size, data=memoryview(_row_size(graph, op, made)))
    return replace(
        graph,
        tensors=tuple(tensors),
        ops=tuple(_renumbered(op, k, read, made) for k, op in enumerate(ops)),
        inputs=tuple(read),
        outputs=ops[-1].outputs,
        offline_offsets={},
    )


def _renumbered(op: Op, index: int, read: Mapping[int, int], made: int) -> Op:
    looks_at = next((read[t] for t in op.given_inputs if t in read), 1)
    if op.type in WINDOWED and made == 1:
        return replace(op, index=index, options={**op.options, "strideH": looks_at})
    if _makes_several(op, read, made):
        return replace(op, index=index, options={**op.options, "padding": _VALID})
    return replace(op, index=index)


def _makes_several(op: Op, read: Mapping[int, int], made: int) -> bool:
    """Whether it makes several rows of a window of more."""
    return op.type in WINDOWED and 1 < made != read.get(op.inputs[0], made)


def _row_size(graph: ModelGraph, op: Op, made: int) -> bytes:
    """The constant that says the size of what the op makes, for so many rows."""
    if op.type in PADS:
        amounts = pad_amounts(graph, op).copy()
        amounts[1] = 0
        return bytes(amounts.astype("<i4").tobytes())
    shape = graph.tensors[op.outputs[0]].shape
    size = [shape[0], made, *shape[2:]] if op.type == TRANSPOSED else [made, shape[2]]
    return np.array(size, dtype="<i4").tobytes()

"""Ops with a window of rows that make several rows at once, each time of a higher window.

TFLM pads rows where it pads columns, so such an op does not pad at all in its group: its line
buffer holds the columns of padding beside every row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from splitopt.arena.kernel import OpView
from splitopt.arena.windows import convolution_axes, pooling_axes
from splitopt.graph.model import ModelGraph, Op, Tensor
from splitopt.tiling.resized import RESIZING
from splitopt.tiling.rows import activations_read, images_read, rows_of
from splitopt.tiling.streams.rules import StreamRule, stream_rule, value_outside
from splitopt.tiling.streams.stream import Stream
from splitopt.tiling.streams.transposed import TRANSPOSED

WINDOWED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"})
_PADS = frozenset({"PAD", "PADV2"})


def side_columns(graph: ModelGraph, op: Op) -> tuple[int, int]:
    """Columns of padding that a windowed op adds on the left and on the right."""
    view = OpView(graph, op)
    axes = pooling_axes(view) if op.type.endswith("POOL_2D") else convolution_axes(view)
    width = axes[1]
    return width.pad_before, width.total_padding - width.pad_before


def making(graph: ModelGraph, op: Op, rule: StreamRule, rows: int) -> StreamRule | None:
    """The rule of an op that makes `rows` rows at once, more than one; None where it cannot.

    `rule`: where it makes one. Rows that several ops read come one by one, as these ops may want
    them at different times, and have no columns beside them.
    """
    if op.type not in WINDOWED or rule.is_pointwise or rows_of(_made(graph, op)) % rows:
        return None
    group = list(with_followers(graph, op))
    if any(len(graph.readers.get(own.outputs[0], ())) > 1 for own in group):
        return None
    if any(own.type == TRANSPOSED for own in group):
        return None  # makes as many rows at once as its stride has
    readers = graph.readers.get(group[-1].outputs[0], ())
    if any(graph.ops[reader].type in RESIZING for reader in readers):
        return None  # repeats rows that come one by one
    sides, fill = side_columns(graph, op), rule.fill
    if any(sides):
        [read] = activations_read(graph, op)
        maker = graph.producer.get(read)
        is_padded = maker is not None and graph.ops[maker].type in _PADS
        if is_padded or len(graph.readers[read]) > 1:
            return None
        fill = value_outside(graph, op)
        if fill is None:
            return None
    reach, stride = rule.reach + (rows - 1) * rule.stride, rows * rule.stride
    return replace(rule, reach=reach, stride=stride, fill=fill, rows=rows, sides=sides)


def rules_of(graph: ModelGraph, stream: Stream) -> list[StreamRule | str]:
    """The rules by which its groups make as many rows as they do, where their ops can."""
    rules = [stream_rule(graph, op) for op in graph.ops]
    for group in stream.groups:
        first, rule = graph.ops[group.ops[0]], rules[group.ops[0]]
        if group.rows_per_turn > 1 and isinstance(rule, StreamRule):
            rules[first.index] = making(graph, first, rule, group.rows_per_turn) or rule
    return rules


def with_followers(graph: ModelGraph, op: Op) -> Iterator[Op]:
    """The op, and those that work row by row on what becomes of its rows while one op alone reads
    it. What such an op reads whole for every row, such as a gate of channels, does not matter."""
    while True:
        yield op
        [made] = op.outputs
        readers = graph.readers.get(made, ())
        if len(readers) != 1:
            return
        op = graph.ops[readers[0]]
        if op.type in WINDOWED and not _keeps_rows(graph, op):
            return
        if len(op.outputs) != 1:
            return
        touched = (*images_read(graph, op), *op.outputs)
        if len({rows_of(graph.tensors[tensor]) for tensor in touched}) != 1:
            return


def _keeps_rows(graph: ModelGraph, op: Op) -> bool:
    """Whether its window is one row high, and moves on by one."""
    view = OpView(graph, op)
    axes = pooling_axes(view) if op.type.endswith("POOL_2D") else convolution_axes(view)
    return (axes[0].kernel, axes[0].stride) == (1, 1)


def _made(graph: ModelGraph, op: Op) -> Tensor:
    return graph.tensors[op.outputs[0]]

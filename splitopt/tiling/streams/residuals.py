"""Rows that wait in any stream, as an op reads them beside what becomes of them.

A window of `reach` rows, `above` of them over the image for its first row, makes a row no sooner
than row reach - 1 - above further down has come. Along a chain of ops these distances add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from splitopt.graph.model import ModelGraph, Op
from splitopt.tiling.rows import images_read, rows_of
from splitopt.tiling.streams.grouping import time_of_image
from splitopt.tiling.streams.rules import StreamRule

Rules = Sequence[StreamRule | str]


@dataclass(frozen=True, slots=True)
class Residual:
    """In every stream that has all ops from `first` to `reader`, the line buffer of the tensor has
    at least so many rows."""

    tensor: int
    first: int
    reader: int
    rows: int


def residuals(graph: ModelGraph, rules: Rules) -> Iterator[Residual]:
    """One for each tensor at most."""
    ticks, found = time_of_image(graph, rules), set[int]()
    for op, rule in zip(graph.ops, rules, strict=True):
        read = images_read(graph, op)
        if isinstance(rule, str) or not rule.is_pointwise or len(read) < 2:
            continue
        for tensor in read:
            if tensor in found:
                continue
            for root in _made_in_one_turn(graph, rules, tensor):
                distances = _distances(graph, rules, ticks, root, op.index)
                others = [distances[t] for t in read if t != tensor and t in distances]
                if others:
                    period = ticks // rows_of(graph.tensors[tensor])
                    rows = 1 + max(others) // period
                    if rows > 1:
                        found.add(tensor)
                        yield Residual(tensor, graph.readers[root][0], op.index, rows)
                    break


def rows_above(graph: ModelGraph, rules: Rules, op: Op, tensor: int) -> int:
    """Of padding, by the op and by the PAD whose output it reads."""
    rule, padding = rules[op.index], None
    maker = graph.producer.get(tensor)
    if maker is not None and isinstance(before := rules[maker], StreamRule):
        padding = before.padding
    assert isinstance(rule, StreamRule)
    return rule.above + (padding.above if padding is not None else 0)


def _made_in_one_turn(graph: ModelGraph, rules: Rules, tensor: int) -> Iterator[int]:
    """The tensor and what it is made of row by row, in the same Invoke."""
    yield tensor
    maker = graph.producer.get(tensor)
    while maker is not None and isinstance(rule := rules[maker], StreamRule):
        read = images_read(graph, graph.ops[maker])
        if (
            not rule.is_pointwise
            or len(read) > 1
            or rows_above(graph, rules, graph.ops[maker], read[0])
        ):
            return
        yield read[0]
        maker = graph.producer.get(read[0])


def _distances(graph: ModelGraph, rules: Rules, ticks: int, root: int, stop: int) -> dict[int, int]:
    """By what becomes of `root` before op `stop`: ticks from one of its rows to the last row of
    `root` that it takes."""
    found = {root: 0}
    for op in graph.ops[graph.readers[root][0] : stop]:
        read = [t for t in images_read(graph, op) if t in found]
        rule = rules[op.index]
        if not read or isinstance(rule, str):
            continue
        ahead = 0
        if not rule.is_pointwise and rule.padding is None:
            period = ticks // rows_of(graph.tensors[read[0]])
            ahead = period * (rule.reach - 1 - rows_above(graph, rules, op, read[0]))
        found[op.outputs[0]] = max(found[t] for t in read) + max(0, ahead)
    return found

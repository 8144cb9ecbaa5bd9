"""Which ops of a model's streams make several rows per Invoke: where rows are narrow, what every
Invoke and every row cost by themselves is much of the whole.

An op that makes r rows at once takes less time and more bytes: a window of more rows, the columns
of its padding, and its rows, which wait in pairs or more. What a byte is worth depends on what else
a plan holds, so there are several levels: at each, an op takes the r that saves most instructions
less what its bytes are worth there. All streams of a level run their ops so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from splitopt.cost.streaming import MADE_INSN, TURN_INSN, moved_insn
from splitopt.graph.model import ModelGraph, Op
from splitopt.planning.alike_ops import AlikeOps
from splitopt.tiling.rows import activations_read, rows_of, rows_read
from splitopt.tiling.schedule import row_bytes
from splitopt.tiling.streams.rules import StreamRule
from splitopt.tiling.streams.several_rows import making, with_followers

Rules = tuple[StreamRule | str, ...]

BYTES_PER_POINT = (8192, 1024)
"""By level: bytes that are worth one per cent of the unsplit Invoke."""

MOST_ROWS = 8
"""Per Invoke: beyond, an Invoke's own cost is little of the whole."""


def levels(alike: AlikeOps, rules: Rules) -> tuple[Rules, ...]:
    """The rules of each level that differs from the ones before it, and from one row at a time,
    which is `rules`."""
    ways = [list(_ways(alike, op, rules)) for op in range(len(rules))]
    whole = sum(alike.whole_insn(op) or 0 for op in range(len(rules)))
    found = [rules]
    for point_bytes in BYTES_PER_POINT:
        byte_insn = whole / 100 / point_bytes
        chosen = tuple(max(own, key=lambda way: way[0] - byte_insn * way[1])[2] for own in ways)
        if chosen not in found:
            found.append(chosen)
    return tuple(found[1:])


def _ways(alike: AlikeOps, op: int, rules: Rules) -> Iterator[tuple[int, int, StreamRule | str]]:
    """(instructions that are saved, bytes more, rule) of each number of rows."""
    graph, rule = alike.graph, rules[op]
    yield 0, 0, rule
    if isinstance(rule, str):
        return
    one = None
    for rows in range(2, MOST_ROWS + 1):
        several = making(graph, graph.ops[op], rule, rows)
        if several is not None:
            one = one or _insn(alike, op, rule)
            yield one - _insn(alike, op, several), _more_bytes(graph, op, several), several


def _insn(alike: AlikeOps, op: int, rule: StreamRule) -> int:
    """Of all Invokes of a group that begins with the op, and of its turns and rows."""
    graph = alike.graph
    [read] = activations_read(graph, graph.ops[op])
    ops = list(with_followers(graph, graph.ops[op]))
    rows = rows_of(graph.tensors[ops[0].outputs[0]])
    once = sum(_once(alike, own, rule.rows, {read: rule.reach}) for own in ops)
    turns, per_turn = rows // rule.rows, round(alike.costs.per_invoke) + TURN_INSN
    copied = moved_insn(row_bytes(graph, ops[-1].outputs[0])) if rule.rows > 1 else 0
    return turns * (once + per_turn) + rows * (MADE_INSN + copied)


def _once(alike: AlikeOps, op: Op, made: int, windows: Mapping[int, int]) -> int:
    """Of an Invoke of one op that makes so many rows. `windows`: tensor → more rows of it."""
    read = rows_read(alike.graph, op, made)
    return alike.row_insn(op.index, {t: windows.get(t, read[t]) for t in read}, made) or 0


def _more_bytes(graph: ModelGraph, op: int, several: StreamRule) -> int:
    """Of its line buffer, and of its rows while they wait."""
    [read], [made] = activations_read(graph, graph.ops[op]), graph.ops[op].outputs
    held, columns = row_bytes(graph, read), graph.tensors[read].shape[2]
    stride = several.stride // several.rows
    more = (several.rows - 1) * stride * held
    beside = several.reach * sum(several.sides) * (held // columns)
    return more + beside + (several.rows - 1) * row_bytes(graph, made)

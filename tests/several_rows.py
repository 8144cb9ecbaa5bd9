"""Streams whose groups make several rows per Invoke, as many as chance has it."""

from __future__ import annotations

import random
from collections.abc import Iterator

from splitopt.graph.model import ModelGraph
from splitopt.tiling.rows import rows_of
from splitopt.tiling.streams.build import stream_of
from splitopt.tiling.streams.rules import StreamRule, stream_rule
from splitopt.tiling.streams.several_rows import making
from splitopt.tiling.streams.stream import Stream


def rules_by_chance(graph: ModelGraph, seed: int) -> list[StreamRule | str]:
    """Of each op that can, a number of rows per turn that goes."""
    rng, found = random.Random(seed), list[StreamRule | str]()
    for op in graph.ops:
        rule = stream_rule(graph, op)
        if isinstance(rule, StreamRule):
            rows = rows_of(graph.tensors[op.outputs[0]])
            ways = [making(graph, op, rule, k) for k in range(2, rows + 1)]
            rule = rng.choice([way for way in ways if way is not None] or [rule])
        found.append(rule)
    return found


def streams_of_several_rows(graph: ModelGraph, seed: int) -> Iterator[Stream]:
    """Those with a group that makes several rows."""
    rules = rules_by_chance(graph, seed)
    for start in range(len(graph.ops)):
        for stop in range(len(graph.ops), start, -1):
            found = stream_of(graph, start, stop, rules)
            if isinstance(found, Stream) and any(g.made_rows > 1 for g in found.groups):
                yield found

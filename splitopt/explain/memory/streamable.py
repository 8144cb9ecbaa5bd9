"""Which ops can run in a stream, and why the others cannot."""

from __future__ import annotations

from collections.abc import Sequence

from splitopt.bundle.schema.streamable import NotStreamed, OpRange, Streamable
from splitopt.graph.model import ModelGraph
from splitopt.tiling.streams.build import stream_of
from splitopt.tiling.streams.grouping import Grouping, time_of_image
from splitopt.tiling.streams.rules import StreamRule, stream_rule
from splitopt.tiling.streams.stream import Stream

Rules = Sequence[StreamRule | str]


def streamable(graph: ModelGraph) -> Streamable:
    """Runs of ops that can be one stream, each as long as it goes from where the last one ended,
    and the ops in none of them, one entry for each op type and reason."""
    rules = [stream_rule(graph, op) for op in graph.ops]
    runs, ops_by_reason, start = [], dict[tuple[str, str], list[int]](), 0
    while start < len(graph.ops):
        stop, reason = _longest(graph, rules, start)
        if stop > start:
            runs.append(OpRange(start=start, stop=stop))
        else:
            ops_by_reason.setdefault((graph.ops[start].type, reason), []).append(start)
        start = max(stop, start + 1)
    return Streamable(
        runs=tuple(runs),
        refused=tuple(
            NotStreamed(op_type=op_type, ops=tuple(ops), reason=reason)
            for (op_type, reason), ops in ops_by_reason.items()
        ),
    )


def _longest(graph: ModelGraph, rules: Rules, start: int) -> tuple[int, str]:
    """The end of the longest stream from this op on; where there is none, `start` and the reason,
    as the end of a sentence on the op."""
    for stop in range(_reach(graph, rules, start), start, -1):
        if isinstance(stream_of(graph, start, stop, rules), Stream):
            return stop, ""
    rule, said = rules[start], stream_of(graph, start, start + 1, rules)
    return start, rule if isinstance(rule, str) else str(said)


def _reach(graph: ModelGraph, rules: Rules, start: int) -> int:
    """How far ops go on to fit into groups; the last of these groups may not be whole."""
    grouping = Grouping(graph, start, time_of_image(graph, rules))
    for op in range(start, len(graph.ops)):
        rule = rules[op]
        if isinstance(rule, str) or grouping.add(rule) is not None:
            return op
    return len(graph.ops)

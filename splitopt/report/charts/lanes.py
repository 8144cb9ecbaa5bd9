"""Lanes for a DAG in its order: one row for each op, one lane for each value that waits.

What is drawn between two rows is what is alive between the two ops: a cut there crosses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Lanes:
    """`of_node` says in which lane a node stands; lanes are counted from 0 to `count`."""

    of_node: Mapping[int, int]
    count: int


def assign_lanes(nodes: Sequence[int], edges: Sequence[tuple[int, int]]) -> Lanes:
    """A node takes the lane of a value that it is the last to read, or else the first free one.

    `nodes` stand in their order, and edges point forwards. Values nobody reads keep no lane.
    """
    row = {node: number for number, node in enumerate(nodes)}
    last_read: dict[int, int] = {}
    sources: dict[int, list[int]] = {}
    for maker, reader in edges:
        last_read[maker] = max(last_read.get(maker, -1), row[reader])
        sources.setdefault(reader, []).append(maker)
    taken: dict[int, int] = {}
    of_node: dict[int, int] = {}
    for node in nodes:
        ending = [m for m in sources.get(node, ()) if last_read[m] == row[node]]
        freed = [of_node[maker] for maker in ending if taken.get(of_node[maker]) == maker]
        for lane in freed:
            del taken[lane]
        of_node[node] = min(freed) if freed else _first_free(taken)
        if node in last_read:
            taken[of_node[node]] = node
    return Lanes(of_node, max(of_node.values(), default=0) + 1)


def _first_free(taken: Mapping[int, int]) -> int:
    lane = 0
    while lane in taken:
        lane += 1
    return lane

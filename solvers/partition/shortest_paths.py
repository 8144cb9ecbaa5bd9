"""Shortest paths from cut 0 to cut n, where weights[start, stop] is the weight of an edge.

Edges lead upwards (start < stop). The weight of a path is the sum of its edges (`join` is np.add),
which may be negative, or the largest of them (np.maximum).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.int64]
Column = npt.NDArray[np.int64]

NEVER = np.int64(2**59)
"""The weight of an edge or a path that is not there."""

_MOST_ROUNDS = 32
"""`around` ignores a limit of more edges than this: each edge costs it a round over the matrix."""


def least_weights(n: int, starts: Column, stops: Column, amounts: Column) -> Matrix:
    """For each pair of cuts, the smallest of the amounts given for it, as a matrix."""
    weights: Matrix = np.full((n + 1, n + 1), NEVER)
    np.minimum.at(weights, (starts, stops), amounts)
    return weights


def least(weights: Matrix, join: np.ufunc = np.add) -> int | None:
    """The weight of the shortest path; None where there is none."""
    reach, _ = _reach(weights, join)
    return None if reach[-1] >= NEVER else int(reach[-1])


def shortest(weights: Matrix, most_edges: int | None) -> list[int] | None:
    """Cuts on the path of smallest sum from 0 to n that has at most that many edges."""
    if most_edges is not None:
        paths = shortest_by_edges(weights, most_edges)
        return paths[-1] if paths else None
    reach, before = _reach(weights, np.add)
    if reach[-1] >= NEVER:
        return None
    nodes = [len(reach) - 1]
    while nodes[-1]:
        nodes.append(int(before[nodes[-1]]))
    return nodes[::-1]


def shortest_by_edges(weights: Matrix, most_edges: int | None) -> list[list[int]]:
    """The paths of smallest sum with exactly 1, 2, ... edges. A path is left out if one of fewer
    edges is as short."""
    n = weights.shape[0] - 1
    reach = np.full(n + 1, NEVER)
    reach[0] = 0
    steps: list[Matrix] = []
    paths: list[list[int]] = []
    best = NEVER
    for _ in range(n if most_edges is None else min(most_edges, n)):
        sums = _joined(np.add, reach[:, None], weights)
        steps.append(sums.argmin(axis=0))  # where the best path of so many edges comes from
        reach = sums.min(axis=0)
        if (reach >= NEVER).all():
            break
        if reach[n] < best:
            best = reach[n]
            nodes = [n]
            for step in reversed(steps):
                nodes.append(int(step[nodes[-1]]))
            paths.append(nodes[::-1])
    return paths


def around(weights: Matrix, most_edges: int | None, join: np.ufunc = np.add) -> Matrix:
    """For each pair of cuts, the smallest weight of a path through the edge between them, without
    that edge's own weight; NEVER where there is no path. The edge counts towards `most_edges`."""
    mirrored = _mirrored(weights)
    if most_edges is None or most_edges > _MOST_ROUNDS:
        ahead_of, behind_it = _reach(weights, join)[0], _reach(mirrored, join)[0][::-1]
        return _joined(join, ahead_of[:, None], behind_it[None, :])
    best: Matrix = np.full(weights.shape, NEVER)
    ahead = _reach_by_edges(weights, most_edges - 1, join)
    behind = _reach_by_edges(mirrored, most_edges - 1, join)
    for before, after in zip(ahead, reversed(behind), strict=True):
        np.minimum(best, _joined(join, before[:, None], after[None, ::-1]), out=best)
    return best


def to_end(weights: Matrix, join: np.ufunc) -> Column:
    """The smallest weight of a path from each cut to n."""
    reach: Column = _reach(_mirrored(weights), join)[0][::-1]
    return reach


def _mirrored(weights: Matrix) -> Matrix:
    """The same graph seen from n: edge (i, j) becomes (n - j, n - i)."""
    mirrored: Matrix = weights.T[::-1, ::-1]
    return mirrored


def _reach(weights: Matrix, join: np.ufunc) -> tuple[Column, Column]:
    """(the smallest weight of a path from 0 to each cut, the cut before it on that path)."""
    n = weights.shape[0] - 1
    reach: Column = np.full(n + 1, NEVER)
    before: Column = np.zeros(n + 1, dtype=np.int64)
    reach[0] = 0
    for stop in range(1, n + 1):
        joined = _joined(join, reach[:stop], weights[:stop, stop])
        before[stop] = joined.argmin()
        reach[stop] = joined[before[stop]]
    return reach, before


def _reach_by_edges(weights: Matrix, most_edges: int, join: np.ufunc) -> list[Column]:
    """The smallest weight of a path from 0 to each cut, of at most 0, 1, ... `most_edges` edges."""
    reach: Column = np.full(weights.shape[0], NEVER)
    reach[0] = 0
    found = [reach]
    for _ in range(most_edges):
        further = _joined(join, found[-1][:, None], weights).min(axis=0)
        found.append(np.minimum(further, found[-1]))
    return found


def _joined(join: np.ufunc, before: Matrix, after: Matrix) -> Matrix:
    """Weights of paths made of two parts; what lacks one part is not there, however little the
    other weighs."""
    is_there = (before < NEVER) & (after < NEVER)
    joined: Matrix = np.where(is_there, join(before, after), NEVER)
    return joined

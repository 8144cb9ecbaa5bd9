"""Shortest paths from cut 0 to cut n, where weights[start, stop] is the weight of an edge.

Edges lead upwards (start < stop). The weight of a path is the sum of its edges (`join` is np.add),
which may be negative, or the largest of them (np.maximum). Columns of `weights` are read one by
one: matrices of this module lie in memory column by column.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from splitopt.solvers.distinct import distinct

Matrix = npt.NDArray[np.int64]
Column = npt.NDArray[np.int64]

NEVER = np.int64(2**59)
"""The weight of an edge or a path that is not there."""
FAR = np.int64(2**58)
"""What lacks an edge weighs at least this, however little the rest weighs: sums of the edges that
are there stay below it (see instance._MOST_SUM)."""

_MOST_ROUNDS = 32
"""`around` ignores a limit of more edges than this: each edge costs it a round over the matrix."""


def no_edges(n: int) -> Matrix:
    """The weights of a graph without edges."""
    weights: Matrix = np.full((n + 1, n + 1), NEVER, order="F")
    return weights


def least_weights(n: int, starts: Column, stops: Column, amounts: Column) -> Matrix:
    """For each pair of cuts, the smallest of the amounts given for it, as a matrix."""
    weights = no_edges(n)
    np.minimum.at(weights, (starts, stops), amounts)
    return weights


def least(weights: Matrix, join: np.ufunc = np.add) -> int | None:
    """The weight of the shortest path; None where there is none."""
    reach = from_start(weights, join)
    return None if reach[-1] >= NEVER else int(reach[-1])


def shortest(weights: Matrix, most_edges: int | None) -> list[int] | None:
    """Cuts on the path of smallest sum from 0 to n that has at most that many edges."""
    if most_edges is not None:
        paths = shortest_by_edges(weights, most_edges)
        return paths[-1] if paths else None
    reach = from_start(weights, np.add)
    if reach[-1] >= NEVER:
        return None
    nodes = [len(reach) - 1]
    while nodes[-1]:
        stop = nodes[-1]
        nodes.append(int((reach[:stop] + weights[:stop, stop]).argmin()))
    return nodes[::-1]


def shortest_by_edges(weights: Matrix, most_edges: int | None) -> list[list[int]]:
    """The paths of smallest sum with exactly 1, 2, ... edges. A path is left out if one of fewer
    edges is as short.

    The search ends with the shortest path of all: whatever has more edges goes through some cut
    after so many of them, and then needs at least the least weight from there to n.
    """
    n = weights.shape[0] - 1
    rest = to_end(weights, np.add)
    reach = np.full(n + 1, NEVER)
    reach[0] = 0
    steps: list[Column] = []
    paths: list[list[int]] = []
    best = NEVER
    for _ in range(n if most_edges is None else min(most_edges, n)):
        if (reach + rest).min() >= min(best, FAR):
            break
        sums = reach[:, None] + weights
        steps.append(sums.argmin(axis=0))  # where the best path of so many edges comes from
        reach = _reachable(sums.min(axis=0))
        if reach[n] < best:
            best = reach[n]
            nodes = [n]
            for step in reversed(steps):
                nodes.append(int(step[nodes[-1]]))
            paths.append(nodes[::-1])
    return paths


def by_edges(weights: Matrix, most: Column) -> list[Column]:
    """The smallest weight of a path of exactly 0, 1, ... edges from 0 to each cut, as long as such
    a path can reach n and weigh less than most[edges]; these fall with more edges."""
    rest = to_end(weights, np.add)
    reach = np.full(len(rest), NEVER)
    reach[0] = 0
    found = [reach]
    for limit in most[1:]:
        reach = _reachable((reach[:, None] + weights).min(axis=0))
        if (reach + rest).min() >= min(limit, FAR):
            break
        found.append(reach)
    return found


def edges_through(weights: Matrix, most: int) -> list[tuple[int, int]]:
    """Of the path of smallest sum through each cut: the edge that leads there and the one that goes
    on, where the path weighs at most so much."""
    ahead, behind = from_start(weights, np.add), to_end(weights, np.add)
    edges = set()
    for cut in np.flatnonzero(ahead + behind <= min(most, int(FAR) - 1)).tolist():
        if cut:
            edges.add((int((ahead[:cut] + weights[:cut, cut]).argmin()), cut))
        if cut < len(ahead) - 1:
            edges.add((cut, cut + 1 + int((weights[cut, cut + 1 :] + behind[cut + 1 :]).argmin())))
    return sorted(edges)


def is_counted(most_edges: int | None) -> bool:
    """Whether `around` keeps to this limit."""
    return most_edges is not None and most_edges <= _MOST_ROUNDS


def around(weights: Matrix, most_edges: int | None, join: np.ufunc = np.add) -> Matrix:
    """For each pair of cuts, the smallest weight of a path through the edge between them, without
    that edge's own weight; NEVER where there is no path. The edge counts towards `most_edges`."""
    if most_edges is None or not is_counted(most_edges):
        ahead_of, behind_it = from_start(weights, join), to_end(weights, join)
        return _reachable(join(ahead_of[:, None], behind_it[None, :]))
    best: Matrix = np.full(weights.shape, NEVER)
    ahead = _reach_by_edges(weights, most_edges - 1, join)
    behind = _reach_by_edges(mirrored(weights), most_edges - 1, join)
    for before, after in zip(ahead, reversed(behind), strict=True):
        np.minimum(best, join(before[:, None], after[None, ::-1]), out=best)
    return _reachable(best)


def from_start(weights: Matrix, join: np.ufunc) -> Column:
    """The smallest weight of a path from 0 to each cut."""
    n = weights.shape[0] - 1
    reach: Column = np.full(n + 1, NEVER)
    reach[0] = 0
    for stop in range(1, n + 1):
        least = np.minimum.reduce(join(reach[:stop], weights[:stop, stop]))
        if least < FAR:
            reach[stop] = least
    return reach


def to_end(weights: Matrix, join: np.ufunc) -> Column:
    """The smallest weight of a path from each cut to n."""
    reach: Column = from_start(mirrored(weights), join)[::-1]
    return reach


def reach_by_level(
    n: int, levels: int, starts: Column, stops: Column, amounts: Column, level: Column
) -> tuple[Matrix, Matrix]:
    """[level, cut]: the smallest sum of a path from 0 to each cut, and from there to n, over the
    edges of this level and those below. `level`: of each edge; those of `levels` are in none."""
    ahead = _levels_from_start(n, levels, starts, stops, amounts, level)
    behind = _levels_from_start(n, levels, n - stops, n - starts, amounts, level)
    return ahead, behind[:, ::-1]


def _levels_from_start(
    n: int, levels: int, starts: Column, stops: Column, amounts: Column, level: Column
) -> Matrix:
    reach = np.full((levels, n + 1), NEVER)
    reach[:, 0] = 0
    order = np.argsort(stops, kind="stable")
    ends = np.searchsorted(stops[order], np.arange(n + 2))
    for stop in range(1, n + 1):
        edges = order[ends[stop] : ends[stop + 1]]
        edges = edges[level[edges] < levels]
        if len(edges):
            sources = distinct(starts[edges])
            columns = np.searchsorted(sources, starts[edges])
            weights = np.full((levels, len(sources)), NEVER)
            np.minimum.at(weights, (level[edges], columns), amounts[edges])
            np.minimum.accumulate(weights, axis=0, out=weights)
            reach[:, stop] = _reachable((reach[:, sources] + weights).min(axis=1))
    return reach


def mirrored(weights: Matrix) -> Matrix:
    """The same graph seen from n: edge (i, j) becomes (n - j, n - i)."""
    mirrored: Matrix = np.asfortranarray(weights.T[::-1, ::-1])
    return mirrored


def _reach_by_edges(weights: Matrix, most_edges: int, join: np.ufunc) -> list[Column]:
    """The smallest weight of a path from 0 to each cut, of at most 0, 1, ... `most_edges` edges."""
    reach: Column = np.full(weights.shape[0], NEVER)
    reach[0] = 0
    found = [reach]
    for _ in range(most_edges):
        further = _reachable(join(found[-1][:, None], weights).min(axis=0))
        found.append(np.minimum(further, found[-1]))
    return found


def _reachable(weights: Matrix) -> Matrix:
    """Whatever lacks an edge is not there."""
    there: Matrix = np.where(weights >= FAR, NEVER, weights)
    return there

"""Shortest paths from cut 0 to cut n over matrices of weights [start, stop); knows no figures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.int64]

NEVER = np.int64(2**59)
"""The weight of an edge that is not there."""

_MOST_ROUNDS = 32


def shortest(weights: Matrix, most_edges: int | None) -> list[int] | None:
    """Nodes of the shortest path 0 → n over the upper triangle, of at most that many edges."""
    return _shortest(weights) if most_edges is None else _shortest_within(weights, most_edges)


def shortest_by_edges(weights: Matrix) -> list[list[int]]:
    """The shortest paths of 1, 2, … edges at most, as far as each is shorter than all before."""
    n = weights.shape[0] - 1
    reach = np.full(n + 1, NEVER)
    reach[0] = 0
    steps: list[Matrix] = []
    paths: list[list[int]] = []
    best = NEVER
    for _ in range(n):
        sums = np.minimum(reach[:, None] + weights, NEVER)
        steps.append(sums.argmin(axis=0))
        reach = sums.min(axis=0)
        if (reach >= NEVER).all():
            break
        if reach[n] < best:
            best = reach[n]
            paths.append(_traced(steps, n))
    return paths


def around(weights: Matrix, most_edges: int | None) -> Matrix:
    """For each pair of cuts, the shortest way 0 → start and stop → n beside one edge between them,
    of at most that many edges with it; NEVER or more where there is none."""
    n = weights.shape[0] - 1
    if most_edges is None or most_edges > _MOST_ROUNDS:
        ahead, behind = _distances(weights), _distances(_reversed(weights))[::-1]
        both: Matrix = ahead[:, None] + behind[None, :]
        return both
    ahead_by = _distances_by_edges(weights, most_edges - 1)
    behind_by = [row[::-1] for row in _distances_by_edges(_reversed(weights), most_edges - 1)]
    best: Matrix = np.full((n + 1, n + 1), NEVER)
    for edges in range(most_edges):
        before, after = ahead_by[edges], behind_by[most_edges - 1 - edges]
        np.minimum(best, before[:, None] + after[None, :], out=best)
    return best


def least_bottleneck(weights: Matrix) -> int | None:
    """The least largest weight of any path 0 → n."""
    n = weights.shape[0] - 1
    reach = np.full(n + 1, NEVER)
    reach[0] = 0
    for stop in range(1, n + 1):
        reach[stop] = np.maximum(reach[:stop], weights[:stop, stop]).min()
    return None if reach[-1] >= NEVER else int(reach[-1])


def _shortest(weights: Matrix) -> list[int] | None:
    n = weights.shape[0] - 1
    reach = np.full(n + 1, NEVER)
    reach[0] = 0
    before = np.zeros(n + 1, dtype=np.int64)
    for stop in range(1, n + 1):
        sums = reach[:stop] + weights[:stop, stop]
        before[stop] = sums.argmin()
        reach[stop] = min(sums[before[stop]], NEVER)
    if reach[n] >= NEVER:
        return None
    nodes = [n]
    while nodes[-1]:
        nodes.append(int(before[nodes[-1]]))
    return nodes[::-1]


def _shortest_within(weights: Matrix, most_edges: int) -> list[int] | None:
    n = weights.shape[0] - 1
    reach = np.full(n + 1, NEVER)
    reach[0] = 0
    steps: list[Matrix] = []
    layers = [reach]
    for _ in range(min(most_edges, n)):
        sums = np.minimum(layers[-1][:, None] + weights, NEVER)
        steps.append(sums.argmin(axis=0))
        layers.append(sums.min(axis=0))
    edges = min(range(1, len(layers)), key=lambda k: int(layers[k][n]))
    return None if layers[edges][n] >= NEVER else _traced(steps[:edges], n)


def _traced(steps: list[Matrix], n: int) -> list[int]:
    """Nodes from 0 to n; `steps`: where each node of each layer was reached from."""
    nodes = [n]
    for step in reversed(steps):
        nodes.append(int(step[nodes[-1]]))
    return nodes[::-1]


def _reversed(weights: Matrix) -> Matrix:
    """The same graph seen from n: edge (i, j) becomes (n - j, n - i)."""
    mirrored: Matrix = weights.T[::-1, ::-1]
    return mirrored


def _distances(weights: Matrix) -> Matrix:
    n = weights.shape[0] - 1
    reach: Matrix = np.full(n + 1, NEVER)
    reach[0] = 0
    for node in range(1, n + 1):
        reach[node] = min((reach[:node] + weights[:node, node]).min(), NEVER)
    return reach


def _distances_by_edges(weights: Matrix, most: int) -> list[Matrix]:
    """Distances from node 0 over at most 0, 1, … `most` edges."""
    n = weights.shape[0] - 1
    first: Matrix = np.full(n + 1, NEVER)
    first[0] = 0
    layers = [first]
    for _ in range(most):
        step = (layers[-1][:, None] + weights).min(axis=0)
        layers.append(np.minimum(np.minimum(step, layers[-1]), NEVER))
    return layers

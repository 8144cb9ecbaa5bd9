"""The peak load of every segment's arena at once: live activations and scratch, rounded up to 16.

What is alive at an op is the same in all segments that hold the op, but for what a segment reads
from outside: it dies at its last reader *within*, and is not there without one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from splitopt.arena.kernel import KernelMemory
from splitopt.graph.model import ModelGraph
from splitopt.planning.head_buffers import HeadBuffer, head_buffers
from splitopt.solvers.partition.shortest_paths import Matrix


def peak_loads(graph: ModelGraph, memories: Sequence[KernelMemory]) -> Matrix:
    """Of every segment [start, stop); zeros where there is no op."""
    n = len(graph.ops)
    alive: list[list[HeadBuffer]] = [[] for _ in range(n)]
    for buffer in head_buffers(graph, memories):
        if not buffer.is_untouched:
            for op in range(max(buffer.maker, 0), min(buffer.last, n - 1) + 1):
                alive[op].append(buffer)
    peaks = np.zeros((n + 1, n + 1), dtype=np.int64)
    for op, buffers in enumerate(alive):
        load = sum(buffer.size_bytes for buffer in buffers)
        passing = [(b, reader) for b in buffers if (reader := _next_reader(b, op, n)) > op]
        holding = peaks[: op + 1, op + 1 :]
        if not passing:
            np.maximum(holding, load, out=holding)
            continue
        loads = np.full(holding.shape, load)
        for buffer, reader in passing:  # segments that start behind its maker, with no reader left
            loads[buffer.maker + 1 :, : reader - op] -= buffer.size_bytes
        np.maximum(holding, loads, out=holding)
    return peaks


def _next_reader(buffer: HeadBuffer, op: int, ops: int) -> int:
    """Of a buffer that `op` did not make, the first reader from it on, or one behind all ops; of
    another one, `op` itself."""
    if buffer.maker == op:
        return op
    at = bisect_left(buffer.readers, op)
    return buffer.readers[at] if at < len(buffer.readers) else ops

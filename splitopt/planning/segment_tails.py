"""Every segment's tail, and what temporary data ask of its arena, on all rows at once.

The steps of `arena/quick_replay.py` as matrices [start, stop]. Exact but for two things, where they
stay below: a model's variables behind a tail that is no multiple of 16, and padding among blocks
whose alignment is wider than that of TFLM's own structures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from splitopt.arena.abi import Abi, Block, reached, stacked
from splitopt.arena.kernel import KernelMemory
from splitopt.arena.replay import planning_reach, prepare_reach, tensor_blocks
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph
from splitopt.planning.segment_bounds import between, end_sums, tensor_counts, tensor_sums
from splitopt.solvers.partition.shortest_paths import Matrix

Vector = npt.NDArray[np.int64]
_NEVER = -(2**60)


@dataclass(frozen=True)
class SegmentTails:
    """`tail`: the whole tail. `temporary`: arenas that are smaller do not hold temporary data,
    whatever the head is. Both in bytes."""

    tail: Matrix
    temporary: Matrix

    def arena(self, head: Matrix) -> Matrix:
        """The smallest multiples of 16 that hold heads of these bytes."""
        return align_up(np.maximum(self.tail + head, self.temporary), ARENA_ALIGNMENT)


def segment_tails(graph: ModelGraph, memories: Sequence[KernelMemory], abi: Abi) -> SegmentTails:
    """Of every segment [start, stop) but the whole model, which may have inputs that no op reads;
    without meaning where there is no op."""
    n = len(graph.ops)
    tensors, ops = tensor_counts(graph), between(_by_op([1] * n))
    scratch = between(_by_op([len(memory.scratch) for memory in memories]))
    before = np.full_like(tensors, reached(0, (*abi.preamble, abi.subgraph)))
    tail = stacked(before, abi.eval_tensor, tensors)
    tail = stacked(tail, abi.node, ops)
    tail = tail + _params(tail, [memory.params for memory in memories])
    tail = _with_blocks(tail, [memory.init for memory in memories])
    temporary = _while_preparing(tail, graph, memories, abi)
    tail = _with_blocks(tail, [memory.kept for memory in memories])
    tail = np.where(scratch > 0, stacked(tail, abi.scratch_handle, scratch), tail)
    tail = _with_variables(tail, graph)
    sizes = [tensor.bytes if tensor.is_activation else 0 for tensor in graph.tensors]
    planned = tensor_sums(graph, [int(size > 0) for size in sizes]) + scratch
    temporary = np.maximum(temporary, tail + planning_reach(abi, tensors, scratch, planned))
    return SegmentTails(_with_ends(tail, graph, abi), temporary)


def _params(tail: Matrix, params: Sequence[Block | None]) -> Matrix:
    """What parsed options take. Their padding is the same wherever the tail is a multiple of the
    widest alignment; else it is left out."""
    n = len(params)
    widest = max((block[1] for block in params if block), default=1)
    is_padded = not (np.triu(tail, 1) % widest).any()
    taken = np.zeros((n + 1, n + 1), dtype=np.int64)
    for stop, block in enumerate(params, start=1):
        size, alignment = block or (0, 1)
        taken[:stop, stop] = taken[:stop, stop - 1] + size
        if is_padded:
            taken[:stop, stop] = align_up(taken[:stop, stop], alignment)
    return taken


def _with_blocks(tail: Matrix, blocks: Sequence[Sequence[int]]) -> Matrix:
    """The tail with blocks of each op, aligned to 16: all but the first lie on a multiple of 16."""
    n = len(blocks)
    first = _first_blocks(blocks)
    has_any = np.arange(n + 1)[None, :] > first[:, None]
    return np.where(has_any, _lifted(tail, blocks, first) + between(_rounded(blocks)), tail)


def _first_blocks(blocks: Sequence[Sequence[int]]) -> Vector:
    """For each start, the first op from there on that has blocks; n where none has."""
    n = len(blocks)
    places = [k if blocks[k] else n for k in range(n)] + [n]
    return np.minimum.accumulate(np.array(places, dtype=np.int64)[::-1])[::-1]


def _lifted(tail: Matrix, blocks: Sequence[Sequence[int]], first: Vector) -> Matrix:
    """The tail moved so that the blocks behind it, each rounded up to 16, end where they do."""
    raw = np.array([sizes[0] if sizes else 0 for sizes in blocks] + [0], dtype=np.int64)[first]
    lifted: Matrix = (
        align_up(tail + raw[:, None], ARENA_ALIGNMENT) - align_up(raw, ARENA_ALIGNMENT)[:, None]
    )
    return lifted


def _rounded(blocks: Sequence[Sequence[int]]) -> Vector:
    return _by_op([sum(align_up(size, ARENA_ALIGNMENT) for size in sizes) for sizes in blocks])


def _while_preparing(
    tail: Matrix, graph: ModelGraph, memories: Sequence[KernelMemory], abi: Abi
) -> Matrix:
    """The most that the tail, after what an op keeps, and the temporary data of its Prepare take
    together. `tail`: before any op keeps something.

    Both are sums up to the op, less the same sums up to the segment's start: a running maximum over
    ops for each start, of the ops before the first that keeps something and of the others.
    """
    n = len(memories)
    kept = [memory.kept for memory in memories]
    first, rounded = _first_blocks(kept), np.cumsum(_rounded(kept))
    requests = abi.scratch_request_bytes * np.cumsum(_by_op([len(m.scratch) for m in memories]))
    reach = [prepare_reach(graph, memory, abi, 0) for memory in memories]
    tops = np.array(reach, dtype=np.int64) + rounded[1:] + requests[:-1]
    before = np.full((n + 1, n + 1), _NEVER, dtype=np.int64)
    behind = before.copy()
    for start in range(n):
        middle = first[start]
        before[start, start + 1 : middle + 1] = np.maximum.accumulate(tops[start:middle])
        before[start, middle + 1 :] = before[start, middle]
        behind[start, middle + 1 :] = np.maximum.accumulate(tops[middle:])
    most = np.maximum(tail + before, _lifted(tail, kept, first) + behind)
    found: Matrix = most - (rounded + requests)[:, None]
    return found


def _with_variables(tail: Matrix, graph: ModelGraph) -> Matrix:
    """The first variable may end up to 15 bytes below where it would from a multiple of 16."""
    if not graph.variables:
        return tail
    sizes = [0] * len(graph.tensors)
    for tensor in graph.variables:
        sizes[tensor.index] = align_up(tensor.bytes, ARENA_ALIGNMENT)
    taken = tensor_sums(graph, sizes)
    return np.where(taken > 0, align_up(tail - 15, ARENA_ALIGNMENT) + taken, tail)


def _with_ends(tail: Matrix, graph: ModelGraph, abi: Abi) -> Matrix:
    """The tail with the structures of inputs and outputs."""
    blocks = [reached(0, tensor_blocks(tensor, abi)) for tensor in graph.tensors]
    counts = end_sums(graph, [1] * len(blocks))
    for count, sizes in zip(counts, end_sums(graph, blocks), strict=True):
        tail = align_up(tail + abi.pointer_bytes * count, ARENA_ALIGNMENT) + sizes
    return tail


def _by_op(values: Sequence[int]) -> Vector:
    """Values at index op + 1, as `between` takes them."""
    return np.array([0, *values], dtype=np.int64)

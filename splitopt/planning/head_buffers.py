"""The buffers of a model's head as the segments see them: which of them a segment plans, and which
live at the same time there.

Both are thresholds: for a segment's start, the last stop at which it is not so. Steps are ops of
the model: op k runs at step k + 1. What a segment reads from outside lives from before its first
op, where nothing of the segment lived yet, so that its start never matters; nor does where a result
ends that outlives the segment. Only what an outside tensor's last reader *within* the segment is
changes who lives together.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from splitopt.arena.kernel import KernelMemory
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph

ALWAYS, NEVER = -1, 1 << 30
"""Thresholds of what holds for every stop, and for none."""
_NO_OP = -2


@dataclass(frozen=True, slots=True)
class HeadBuffer:
    """A tensor, or a scratch request (without readers).

    `maker`: the op that makes it or asks for it, -1 for an input of the model. `is_output`: of the
    model. `is_untouched`: no op makes or reads it, though the `readers` name it; TFLM plans it at
    no time, where it only meets others of its kind.
    """

    size_bytes: int
    maker: int
    readers: tuple[int, ...] = ()
    is_output: bool = False
    is_untouched: bool = False

    @property
    def last(self) -> int:
        """The last op at which it lives in the whole model, or any later one."""
        return NEVER if self.is_output else (self.readers[-1] if self.readers else self.maker)

    @property
    def span(self) -> tuple[int, int]:
        """Two buffers live at once in some segment only where their spans [first, last] meet."""
        return (_NO_OP, _NO_OP) if self.is_untouched else (self.maker, self.last)

    @property
    def starts(self) -> Iterator[int]:
        """Starts of segments from which on thresholds are others than before."""
        yield self.maker + 1
        yield from (reader + 1 for reader in self.readers)

    def absent_up_to(self, start: int) -> int:
        """Segments [start, stop) plan the buffer where stop is above this."""
        return self.maker if start <= self.maker else self._read_from(start)

    def ends_before(self, step: int, start: int) -> int:
        """Segments that plan the buffer keep it for op `step` where stop is above this."""
        if start <= self.maker:
            return ALWAYS if self.last >= step else NEVER
        return self._read_from(max(start, step))

    def _read_from(self, op: int) -> int:
        at = bisect_left(self.readers, op)
        return self.readers[at] if at < len(self.readers) else NEVER

    def apart_up_to(self, other: HeadBuffer, start: int) -> int:
        """Segments that plan this buffer have the other one, too, and both live at once, where stop
        is above this. Their spans meet."""
        absent = other.absent_up_to(start)
        if self.is_untouched:
            return absent
        mine, others = self.ends_before(other.maker, start), other.ends_before(self.maker, start)
        return max(absent, mine, others)


def head_buffers(graph: ModelGraph, memories: Sequence[KernelMemory]) -> tuple[HeadBuffer, ...]:
    """All buffers in the order in which TFLM's planner is given them: tensors by index, then
    scratch by op."""
    given, outputs = frozenset(graph.inputs), frozenset(graph.outputs)
    named = _intermediates(graph)
    found = []
    for tensor in graph.tensors:
        index, maker = tensor.index, graph.producer.get(tensor.index, -1)
        readers = graph.readers.get(index) or tuple(named.get(index, ()))
        if tensor.is_activation and tensor.bytes and (readers or maker >= 0):
            is_output = index in outputs and maker >= 0
            is_untouched = maker < 0 and index not in given
            size = align_up(tensor.bytes, ARENA_ALIGNMENT)
            found.append(HeadBuffer(size, maker, readers, is_output, is_untouched))
    for number, memory in enumerate(memories):
        found += [HeadBuffer(align_up(size, ARENA_ALIGNMENT), number) for size in memory.scratch]
    return tuple(found)


def touches_intermediates(graph: ModelGraph) -> bool:
    """Whether an op only names a tensor that another one makes or reads. Some segments then hold
    it without touching it, which no `HeadBuffer` says."""
    return not _intermediates(graph).keys().isdisjoint({*graph.producer, *graph.readers})


def _intermediates(graph: ModelGraph) -> dict[int, list[int]]:
    """Tensor → the ops that only name it."""
    named: dict[int, list[int]] = {}
    for op in graph.ops:
        for index in dict.fromkeys(op.intermediates):
            named.setdefault(index, []).append(op.index)
    return named

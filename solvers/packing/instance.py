"""A packing problem: buffers with sizes and live ranges, and the memory they must fit in."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

BEFORE_ALL = -1
"""The step of everything that lives at no time; it comes before every real step."""


@dataclass(frozen=True)
class LiveRange:
    """Steps [start, stop) in which a buffer must exist.

    An empty range means "at no time". TFLM's planner has such buffers (first = last = -1): they
    overlap each other, nothing else, and still take memory. So an empty range, wherever it lies,
    stands for the step BEFORE_ALL, as LiveRange(-1, 0) does: see `steps`.
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not BEFORE_ALL <= self.start <= self.stop:
            raise ValueError(
                f"live range: got [{self.start}, {self.stop}), want {BEFORE_ALL} <= start <= stop"
            )

    @property
    def steps(self) -> tuple[int, int]:
        """(start, stop) of the steps that are really held: never empty."""
        return held_steps(self.start, self.stop)

    def overlaps(self, other: "LiveRange") -> bool:
        start, stop = self.steps
        other_start, other_stop = other.steps
        return start < other_stop and other_start < stop


def held_steps(start: int, stop: int) -> tuple[int, int]:
    """The range itself, or the step BEFORE_ALL for an empty one."""
    return (start, stop) if start < stop else (BEFORE_ALL, BEFORE_ALL + 1)


@dataclass(frozen=True)
class Buffer:
    """`size` bytes during `live`; `offset` pins it there, None leaves it to the planner."""

    size: int
    live: LiveRange
    offset: int | None = None

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError(f"buffer size: got {self.size}, want >= 0")
        if self.offset is not None and self.offset < 0:
            raise ValueError(f"buffer offset: got {self.offset}, want >= 0 or None")


@dataclass(frozen=True)
class PackingInstance:
    """Buffers in the order in which they were added, and the bytes there are (None: no limit)."""

    buffers: tuple[Buffer, ...]
    capacity: int | None = None

    def __post_init__(self) -> None:
        if self.capacity is not None and self.capacity < 0:
            raise ValueError(f"capacity: got {self.capacity}, want >= 0 or None")

    def load_at(self, step: int) -> int:
        """Sum of the sizes alive at a step."""
        return sum(b.size for b in self.buffers if b.live.steps[0] <= step < b.live.steps[1])

    @cached_property
    def peak_load(self) -> int:
        """The largest load of any step: no plan has a lower high-water mark."""
        ranges = [b.live.steps for b in self.buffers]
        return peak_load([b.size for b in self.buffers], ranges)


def peak_load(sizes: Sequence[int], ranges: Sequence[tuple[int, int]]) -> int:
    """Sweep over non-empty (start, stop) ranges; what stops at a step makes room at it."""
    changes = [(start, size) for (start, _), size in zip(ranges, sizes, strict=True)]
    changes += [(stop, -size) for (_, stop), size in zip(ranges, sizes, strict=True)]
    changes.sort()
    return max(accumulate((change for _, change in changes), initial=0), default=0)

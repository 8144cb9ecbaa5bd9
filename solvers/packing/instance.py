"""A packing problem: buffers with sizes and live ranges, and the memory they must fit in."""

from collections.abc import Iterable
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

    @cached_property
    def peak_load(self) -> int:
        """The largest load of any step: no plan has a lower high-water mark."""
        return peak_load((b.size, *b.live.steps) for b in self.buffers)


def peak_load(buffers: Iterable[tuple[int, int, int]]) -> int:
    """The largest sum of sizes that are alive at once, of buffers (size, start, stop).

    Ranges are half-open: at the step where one stops, another may start. Empty ones hold nothing.
    """
    changes = ((at, size) for b in buffers for at, size in ((b[1], b[0]), (b[2], -b[0])))
    return max(accumulate((size for _, size in sorted(changes)), initial=0))

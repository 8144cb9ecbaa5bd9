"""Which boundary values a choice of options keeps outside the arenas, and where they were laid."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from splitopt.solvers.packing.instance import LiveRange
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.plan import Layout, Placement


@dataclass(frozen=True)
class Kept:
    """A boundary value (by its index) that is kept outside the arenas; see plan.Layout for
    `live`. `is_made`: by its first segment."""

    boundary: int
    size: int
    first_segment: int
    last_segment: int
    live: LiveRange
    is_made: bool


@dataclass(frozen=True)
class LaidOut:
    """A layout and a proved lower bound of its region."""

    layout: Layout
    bound: int


def kept_values(options: Sequence[Option], boundaries: Sequence[Boundary]) -> tuple[Kept, ...]:
    """Which boundary values a choice of options keeps, and in which half-steps.

    The options may be a part of a plan, one behind the other: then values that begin before it, or
    are read behind it, live from its start or to its end.
    """
    starts, count = [option.start for option in options], len(options)
    kept = []
    begin, end = options[0].start, options[-1].stop
    for index, value in enumerate(boundaries):
        if value.last_item < begin or value.start_item >= end:
            continue
        first = bisect_right(starts, value.start_item) - 1
        last = bisect_right(starts, value.last_item) - 1
        last = count if value.last_item >= end else last
        if first < last or _is_kept_for(options[first], value):
            is_late = value.is_made and first >= 0 and not options[first].apart
            start = 2 * max(first, 0) + is_late
            stop = 2 * count if last == count else 2 * last + 1 + options[last].apart
            ends = max(first, 0), min(last, count - 1)
            kept.append(Kept(index, value.size, *ends, LiveRange(start, stop), value.is_made))
    return tuple(kept)


def _is_kept_for(option: Option, value: Boundary) -> bool:
    """Whether a value that no other segment needs is kept for this one."""
    is_handed_over = option.by_rows and not value.is_made
    return option.apart and value.goes_outside and not is_handed_over


def placements_of(kept: Iterable[Kept], offsets: Iterable[int]) -> tuple[Placement, ...]:
    placed = (
        Placement(value.boundary, offset, value.size, value.first_segment, value.last_segment)
        for value, offset in zip(kept, offsets, strict=True)
    )
    return tuple(sorted(placed, key=lambda placement: placement.boundary))

"""Which boundary values a choice of segments keeps, and in which half-steps."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from splitopt.solvers.packing.instance import LiveRange
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Option


@dataclass(frozen=True)
class Kept:
    """A boundary value (by its index) that is kept outside the arenas; see plan.Layout for
    `live`."""

    boundary: int
    size: int
    first_segment: int
    last_segment: int
    live: LiveRange


def kept_values(options: Sequence[Option], boundaries: Sequence[Boundary]) -> tuple[Kept, ...]:
    starts = [option.start for option in options]
    kept = []
    for index, value in enumerate(boundaries):
        first = bisect_right(starts, value.start_item) - 1
        last = bisect_right(starts, value.last_item) - 1
        if first < last or (value.goes_outside and options[first].apart):
            is_late = value.is_made and not options[first].apart
            live = LiveRange(2 * first + is_late, 2 * last + 1 + options[last].apart)
            kept.append(Kept(index, value.size, first, last, live))
    return tuple(kept)

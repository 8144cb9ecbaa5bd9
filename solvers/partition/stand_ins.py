"""What stands in a conflict for any options that a plan may have there.

Stand-ins are options that need not exist, told apart by their keys. Where a plan has what one
stands for, the plan's layout is one with the stand-in, too, once blocks are left out: so the plan
needs no less. `gap` may stand anywhere, `some` inside, the others at one end of a conflict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.option_pool import Mask
from splitopt.solvers.partition.shortest_paths import Column

_GAP, _SOME, _SOME_BEFORE, _SOME_BEHIND, _UP_TO, _FROM = -1, -2, -3, -4, -5, -6

BEGINS, GOES_ON, ENDS, MEETS = ROLES = range(4)
"""What an option may be in a plan of which a conflict speaks: the first that it names, one on the
way, the last; one that has as much arena as `some` says."""


def gap(options: Sequence[Option]) -> Option:
    """In the place of these, which are one behind the other, with no arena; see
    `is_easier_than_all`."""
    return Option(options[0].start, options[-1].stop, 0, 0, key=_GAP)


Range = tuple[int, int]
"""The least and the most."""


@dataclass(frozen=True)
class Some(Option):
    """A gap in which an option has that much arena whose start and stop are within ranges. It lives
    beside what is alive at all of these starts, or at all of these stops."""

    starts: Range = (0, 0)
    stops: Range = (0, 0)


def some(start: int, stop: int, arena_bytes: int, starts: Range, stops: Range) -> Some:
    return Some(start, stop, arena_bytes, 0, key=_SOME, starts=starts, stops=stops)


def some_before(start: int, stop: int, arena_bytes: int) -> Option:
    """One of the options within the segment has that much arena, and a cut follows at its stop. It
    lives beside what is alive all the time."""
    return Option(start, stop, arena_bytes, 0, key=_SOME_BEFORE)


def some_behind(start: int, stop: int, arena_bytes: int) -> Option:
    """The same behind a cut at the start."""
    return Option(start, stop, arena_bytes, 0, key=_SOME_BEHIND)


def up_to(stop: int, arena_bytes: int) -> Option:
    """The option that ends there has that much arena; it lives beside all that is alive there."""
    return Option(stop - 1, stop, arena_bytes, 0, key=_UP_TO)


def beginning(start: int, arena_bytes: int) -> Option:
    """The option that begins there has that much arena; it lives beside all that is alive there."""
    return Option(start, start + 1, arena_bytes, 0, key=_FROM)


def with_arena(own: Option, arena_bytes: int) -> Option:
    return replace(own, arena_bytes=arena_bytes)


def is_stand_in(option: Option) -> bool:
    return option.key < 0


def is_some(option: Option) -> bool:
    return isinstance(option, Some)


def is_gap(option: Option) -> bool:
    return option.key == _GAP


def is_easier_than_all(gap: Option, boundaries: Sequence[Boundary]) -> bool:
    """Whether a layout with any options in the place of a gap is one with the gap: what comes from
    outside lives from the start of the segment that reads it first, so not from that of the gap."""
    return not any(
        not value.is_made and gap.start < value.start_item < gap.stop for value in boundaries
    )


def seen_by(
    option: Option, before: tuple[int, ...], behind: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What a stand-in lives with, of the values alive before and behind its segment."""
    if option.key == _SOME_BEFORE:
        return tuple(value for value in before if value in behind), behind
    if option.key == _SOME_BEHIND:
        return before, tuple(value for value in behind if value in before)
    return () if option.key == _UP_TO else before, () if option.key == _FROM else behind


def is_apart_from(option: Option, value: Boundary) -> bool:
    """Whether a stand-in's arena may share bytes with a value, which is not alive when each option
    begins that it may stand for, nor when each ends."""

    def is_alive(cuts: Range) -> bool:
        return value.start_item < cuts[0] and cuts[1] <= value.last_item

    if isinstance(option, Some):
        return not (is_alive(option.starts) or is_alive(option.stops))
    is_whole = option.key in (_SOME_BEFORE, _SOME_BEHIND)
    return is_whole and not is_alive((option.start, option.stop))


def is_on_the_way(own: Option) -> bool:
    """Whether a stand-in may stand for options one behind the other."""
    return own.key in (_GAP, _SOME, _SOME_BEFORE, _SOME_BEHIND)


def is_told(
    own: Option, role: int, starts: Column | int, stops: Column | int, arenas: Column | int
) -> Mask:
    """Which options may have that role where a stand-in has it in a conflict."""
    is_enough, inside = arenas >= own.arena_bytes, (own.start <= starts) & (stops <= own.stop)
    if own.key == _UP_TO:
        inside = stops == own.stop
    elif own.key == _FROM:
        inside = starts == own.start
    elif role == GOES_ON:
        is_enough = True
    elif isinstance(own, Some):
        inside = _is_in(own.starts, starts) & _is_in(own.stops, stops)
    elif own.key == _GAP:
        is_enough = starts == own.start if role == BEGINS else stops == own.stop
    return np.asarray(inside & is_enough)


def _is_in(own: Range, cuts: Column | int) -> Mask:
    return np.asarray((own[0] <= cuts) & (cuts <= own[1]))


def is_no_easier(other: Option, option: Option) -> bool:
    """Whether every layout with the one is a layout with the other option in its place."""
    if (other.start, other.stop) != (option.start, option.stop):
        return False
    if other.arena_bytes < option.arena_bytes or (option.low and not other.low):
        return False
    if not option.apart:  # whatever it reads last may lie where it writes
        return True
    leads = {(roll.read, roll.made): roll.lead for roll in option.rolls}
    keeps_as_much = other.apart and (option.by_rows or not other.by_rows)
    return keeps_as_much and all(
        leads.get((roll.read, roll.made), roll.lead + 1) <= roll.lead for roll in other.rolls
    )

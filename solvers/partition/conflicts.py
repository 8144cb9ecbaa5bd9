"""What a choice of options teaches whose layout needs more than it claims.

Mostly a few segments one behind the other are to blame: their own layout, with all that lives
beside them, needs more than the region, whatever the rest of the plan is. And what these options
cannot do, no option of the same segments can that has as large an arena and as few liberties.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.shortest_paths import Column

MOST_CONFLICTS = 62
"""Bits of a mask."""


@dataclass(frozen=True)
class Conflict:
    """These options, one behind the other, need at least that region; and so do others that are no
    easier."""

    options: tuple[Option, ...]
    region: int

    def holds(self, options: Sequence[Option]) -> bool:
        """Whether it speaks of the plan of these options."""
        return all(any(is_no_easier(other, own) for other in options) for own in self.options)


class Conflicts:
    """Of plans for n items, as bits of masks: what a path has of some of them at its end, so that
    options behind it may complete them."""

    def __init__(self, n: int, conflicts: Sequence[Conflict]) -> None:
        self._conflicts = conflicts
        self._segments = {(own.start, own.stop) for it in conflicts for own in it.options}
        self._first, self._last = np.zeros((2, n + 1), dtype=np.int64)
        for bit, conflict in enumerate(conflicts):
            self._first[conflict.options[0].start] |= 1 << bit
            self._last[conflict.options[-1].stop] |= 1 << bit

    def concern(self, start: int, stop: int) -> bool:
        """Whether options of a segment can be a part of any."""
        return (start, stop) in self._segments

    def bits(self, option: Option) -> int:
        """Those that it can be a part of."""
        return sum(
            1 << bit
            for bit, conflict in enumerate(self._conflicts)
            if any(is_no_easier(option, own) for own in conflict.options)
        )

    def extended(
        self, masks: Column, bits: Column, region: Column, starts: Column, stop: int
    ) -> tuple[Column, Column]:
        """Masks and regions of paths to some starts, longer by options with these bits."""
        masks = (masks | self._first[starts]) & bits
        ending = masks & self._last[stop]
        for bit, conflict in enumerate(self._conflicts if ending.any() else ()):
            is_met = (ending >> bit) & 1 > 0
            region = np.where(is_met, np.maximum(region, conflict.region), region)
        return masks & ~self._last[stop], region


def conflicts_of(
    instance: PartitionInstance, numbers: Sequence[int], region: int, params: SolveParams
) -> list[Conflict]:
    """What the choice of these options teaches, whose layout needs more than the region: one
    conflict for each shortest run of segments that do so alone."""
    search = _Learning(instance, region, params)
    for length in range(2, len(numbers)):
        found = list(search.of_length(numbers, length))
        if found or search.deadline.is_over:
            break
    else:
        found = []
    return found or [search.conflict([instance.options[i] for i in numbers])]


class _Learning:
    def __init__(self, instance: PartitionInstance, peak: int, params: SolveParams) -> None:
        self._instance, self._peak, self._params = instance, peak, params
        self.deadline = Deadline(params.time_limit_s)

    def of_length(self, numbers: Sequence[int], length: int) -> Iterator[Conflict]:
        for first in range(len(numbers) - length + 1):
            if self.deadline.is_over:
                return
            options = [self._instance.options[i] for i in numbers[first : first + length]]
            if self._needs_more(options):
                yield self.conflict(options)

    def conflict(self, options: Sequence[Option]) -> Conflict:
        """What these options teach, with easier ones in the place of each as far as these need
        more than the peak, too."""
        eased = list(options)
        for k, option in enumerate(options):
            for easier in self._easier(option):
                trial = [*eased[:k], easier, *eased[k + 1 :]]
                if not self.deadline.is_over and self._needs_more(trial):
                    eased = trial
                    break
        return Conflict(tuple(eased), self._needed(eased))

    def _needs_more(self, options: Sequence[Option]) -> bool:
        return self._needed(options, self._peak) > self._peak

    def _needed(self, options: Sequence[Option], enough: int | None = None) -> int:
        limited = replace(self._params, time_limit_s=self.deadline.left_s)
        return lay_out(options, self._instance.boundaries, limited, enough).bound

    def _easier(self, option: Option) -> Iterator[Option]:
        """Options that need not exist: as easy as any of the segment's that run apart as this one
        does, then less so."""
        alike = [
            other
            for other in self._instance.options
            if (other.start, other.stop, other.apart, other.by_rows, other.low)
            == (option.start, option.stop, option.apart, option.by_rows, option.low)
        ]
        alike.sort(key=lambda other: other.arena_bytes)
        while len(alike) > 1 and alike[0].arena_bytes <= option.arena_bytes:
            yield _easiest([option, *alike])
            alike = alike[(len(alike) + 1) // 2 :]


def _easiest(options: Sequence[Option]) -> Option:
    """The first one with the smallest arena and the smallest leads of all."""
    leads: dict[tuple[int, int], int] = {}
    for option in options:
        for roll in option.rolls:
            pair = roll.read, roll.made
            leads[pair] = min(leads.get(pair, roll.lead), roll.lead)
    first, arena = options[0], min(option.arena_bytes for option in options)
    rolls = tuple(replace(roll, lead=leads[roll.read, roll.made]) for roll in first.rolls)
    return replace(first, arena_bytes=arena, rolls=rolls)


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

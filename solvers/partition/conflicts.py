"""What a choice of options teaches whose layout needs more than it claims.

Mostly a few segments one behind the other are to blame: their own layout, with all that lives
beside them, needs more than the region, whatever the rest of the plan is. And what these options
cannot do, no option of the same segments can that has as large an arena and as few liberties.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.shortest_paths import Column

_WORD = 62
"""Bits of a word."""

Segment = tuple[int, int]
Words = npt.NDArray[np.int64]
"""A row for each mask."""
Mask = npt.NDArray[np.bool_]


_GAP = -1
"""Key of a gap."""


def gap(options: Sequence[Option]) -> Option:
    """In the place of these, which are one behind the other, with no arena; see
    `is_easier_than_all`."""
    return Option(options[0].start, options[-1].stop, 0, 0, key=_GAP)


def is_gap(option: Option) -> bool:
    return option.key == _GAP


def is_easier_than_all(gap: Option, boundaries: Sequence[Boundary]) -> bool:
    """Whether a layout with any options in the place of a gap is one with the gap: what comes from
    outside lives from the start of the segment that reads it first, so not from that of the gap."""
    return not any(
        not value.is_made and gap.start < value.start_item < gap.stop for value in boundaries
    )


@dataclass(frozen=True)
class Conflict:
    """These options, one behind the other, need at least that region; and so do others that are no
    easier, and whatever is in the place of gaps."""

    options: tuple[Option, ...]
    region: int

    def holds(self, options: Sequence[Option]) -> bool:
        """Whether it speaks of the plan of these options."""
        starts = {option.start for option in options}
        return all(
            own.start in starts and any(own.stop == other.stop for other in options)
            if is_gap(own)
            else any(is_no_easier(other, own) for other in options)
            for own in self.options
        )


class Conflicts:
    """Of plans for n items, as bits in words: what a path has of some of them at its end, so that
    options behind it may complete them. Those of the largest regions come first."""

    def __init__(self, n: int, conflicts: Sequence[Conflict]) -> None:
        self._conflicts = sorted(conflicts, key=lambda conflict: -conflict.region)
        self.words = -(-len(conflicts) // _WORD)
        self._regions = -np.array([it.region for it in self._conflicts], dtype=np.int64)
        self._parts: dict[Segment, list[tuple[int, Option]]] = {}
        self._gaps: list[tuple[int, Option]] = []
        first, last = np.zeros((2, n + 1, len(conflicts)), dtype=bool)
        for bit, conflict in enumerate(self._conflicts):
            for own in conflict.options:
                if is_gap(own):
                    self._gaps.append((bit, own))
                else:
                    self._parts.setdefault((own.start, own.stop), []).append((bit, own))
            first[conflict.options[0].start, bit] = True
            last[conflict.options[-1].stop, bit] = True
        self._first, self._last = self._packed(first), self._packed(last)
        self._ending = [np.flatnonzero(row).tolist() for row in last]
        largest = np.tri(len(conflicts) + 1, len(conflicts), -1, dtype=bool)
        self._largest = self._packed(largest)

    def concern(self, start: int, stop: int) -> bool:
        """Whether options of a segment can be a part of any."""
        is_in_gap = any(own.start <= start and stop <= own.stop for _, own in self._gaps)
        return is_in_gap or (start, stop) in self._parts

    def bits(self, options: Sequence[Option]) -> Words:
        """Of each of these, those that it can be a part of."""
        rows = np.zeros((len(options), len(self._conflicts)), dtype=bool)
        for row, option in zip(rows, options, strict=True):
            for bit, own in self._parts.get((option.start, option.stop), ()):
                row[bit] = row[bit] or is_no_easier(option, own)
        ends = [(option.start, option.stop) for option in options]
        starts, stops = np.array(ends, dtype=np.int64).reshape(-1, 2).T
        for bit, own in self._gaps:
            rows[:, bit] |= (own.start <= starts) & (stops <= own.stop)
        return self._packed(rows)

    def extended(
        self, masks: Words, bits: Words, region: Column, starts: Column, stop: int
    ) -> tuple[Words, Column]:
        """Masks and regions of paths to some starts, longer by options with these bits. What asks
        for no larger region than a path has is none of its any more."""
        masks = (masks | self._first[starts]) & bits
        for bit in self._ending[stop]:
            is_met = (masks[:, bit // _WORD] >> (bit % _WORD)) & 1 > 0
            region = np.where(is_met, np.maximum(region, -self._regions[bit]), region)
        larger = np.searchsorted(self._regions, -region)
        return masks & ~self._last[stop] & self._largest[larger], region

    def _packed(self, rows: Mask) -> Words:
        """Bits as words."""
        padded = np.zeros((*rows.shape[:-1], self.words * _WORD), dtype=np.int64)
        padded[..., : rows.shape[-1]] = rows
        parts = padded.reshape(*rows.shape[:-1], self.words, _WORD)
        words: Words = (parts << np.arange(_WORD)).sum(axis=-1)
        return words


def conflicts_of(
    instance: PartitionInstance, numbers: Sequence[int], region: int, params: SolveParams
) -> list[Conflict]:
    """What the choice of these options teaches, whose layout needs more than the region: one
    conflict for each shortest run of segments that do so alone."""
    search = Learning(instance, region, params)
    for length in range(2, len(numbers)):
        found = list(search.of_length(numbers, length))
        if found or search.deadline.is_over:
            break
    else:
        found = []
    return found or [search.conflict([instance.options[i] for i in numbers])]


class Learning:
    """Of one region that a choice of options does not fit."""

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
        eased = self.eased(options)
        return Conflict(eased, self._needed(eased))

    def eased(self, options: Sequence[Option]) -> tuple[Option, ...]:
        """With easier ones in the place of each as far as these need more than the peak, too."""
        eased = list(options)
        for k, option in enumerate(options):
            for easier in () if is_gap(option) else self._easier(option):
                trial = [*eased[:k], easier, *eased[k + 1 :]]
                if not self.deadline.is_over and self._needs_more(trial):
                    eased = trial
                    break
        return tuple(eased)

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

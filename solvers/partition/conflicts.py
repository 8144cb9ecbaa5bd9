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
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.shortest_paths import NEVER, Column
from splitopt.solvers.partition.stand_ins import (
    BEGINS,
    ENDS,
    GOES_ON,
    MEETS,
    ROLES,
    is_no_easier,
    is_on_the_way,
    is_some,
    is_stand_in,
    is_told,
)

_WORD = 62
"""Bits of a word."""

Segment = tuple[int, int]
Part = tuple[int, int, Option]
"""A stage, a role in it (see stand_ins.py), and which option has it; or one that is no easier."""
BitPart = tuple[int, int, Option]
"""The same with the bit of a stage."""
Words = npt.NDArray[np.int64]
"""A row for each mask."""
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Conflict:
    """These options, one behind the other, need at least that region; and so do others that are no
    easier, and whatever stand-ins stand for."""

    options: tuple[Option, ...]
    region: int

    @property
    def parts(self) -> Iterator[Part]:
        """What may have which role in a plan that holds it. A stage ends where `some` is met."""
        first, *_, last = self.options if len(self.options) > 1 else self.options * 2
        stage = 0
        yield stage, BEGINS, first
        for own in self.options:
            if is_on_the_way(own) or (own is not first and own is not last):
                yield stage, GOES_ON, own
            if is_some(own):
                yield stage, MEETS, own
                stage += 1
                yield stage, GOES_ON, own
        yield stage, ENDS, last

    @property
    def stages(self) -> int:
        return 1 + sum(map(is_some, self.options))

    def holds(self, options: Sequence[Option]) -> bool:
        """Whether it speaks of the plan of these options."""
        stages = set[int]()
        for option in options:
            told = {(at, role) for at, role, own in self.parts if is_part(option, own, role)}
            begun = {at for at, role in told if role == BEGINS}
            if any((at, ENDS) in told for at in stages | begun):
                return True
            going = {at for at in stages if (at, GOES_ON) in told}
            stages = begun | going | {at + 1 for at in stages if (at, MEETS) in told}
        return False


def is_part(option: Option, own: Option, role: int) -> bool:
    """Whether an option may have the role of one in a conflict."""
    if not is_stand_in(own):
        return is_no_easier(option, own)
    return bool(is_told(own, role, option.start, option.stop, option.arena_bytes))


class Conflicts:
    """Of one problem's plans, as bits in words: what a path has of some of them at its end, so that
    options behind it may complete them. Those of the largest regions come first."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        regions: list[int] = []
        self._parts: dict[Segment, list[BitPart]] = {}
        self._stand_ins: list[BitPart] = []
        for conflict in sorted(conflicts, key=lambda conflict: -conflict.region):
            rest = _WORD - len(regions) % _WORD
            regions += [conflict.region] * (rest if rest < conflict.stages else 0)  # in one word
            for stage, role, own in conflict.parts:
                part = len(regions) + stage, role, own
                if is_stand_in(own):
                    self._stand_ins.append(part)
                else:
                    self._parts.setdefault((own.start, own.stop), []).append(part)
            regions += [conflict.region] * conflict.stages
        self.words = -(-len(regions) // _WORD)
        self._regions = -np.array(regions, dtype=np.int64)
        largest = np.tri(len(regions) + 1, len(regions), -1, dtype=bool)
        self._largest = self._packed(largest)

    def concern(self, starts: Column, stops: Column) -> Mask:
        """Whether options of these segments can be a part of any."""
        segments = zip(starts.tolist(), stops.tolist(), strict=True)
        found: Mask = np.array([segment in self._parts for segment in segments], dtype=bool)
        for _, role, own in self._stand_ins:
            found |= is_told(own, role, starts, stops, np.full_like(starts, NEVER))
        return found

    def bits(self, options: Sequence[Option]) -> Words:
        """Of each of these [option, role, word], those in which it can have a role."""
        rows = np.zeros((len(options), len(ROLES), len(self._regions)), dtype=bool)
        for row, option in zip(rows, options, strict=True):
            for bit, role, own in self._parts.get((option.start, option.stop), ()):
                row[role, bit] |= is_no_easier(option, own)
        figures = [(option.start, option.stop, option.arena_bytes) for option in options]
        columns = np.array(figures, dtype=np.int64).reshape(-1, 3).T
        for bit, role, own in self._stand_ins:
            rows[:, role, bit] |= is_told(own, role, *columns)
        return self._packed(rows)

    def extended(self, masks: Words, bits: Words, region: Column) -> tuple[Words, Column]:
        """Masks and regions of paths that are longer by options with these bits. What asks for no
        larger region than a path has is none of its any more."""
        begins, goes_on, ends, meets = (bits[:, role] for role in ROLES)
        met = (masks | begins) & ends
        for bit in self._some_of(met):
            is_met = (met[:, bit // _WORD] >> (bit % _WORD)) & 1 > 0
            region = np.where(is_met, np.maximum(region, -self._regions[bit]), region)
        larger = np.searchsorted(self._regions, -region)
        longer = begins | (masks & goes_on) | ((masks & meets) << 1)
        return longer & ~met & self._largest[larger], region

    def _some_of(self, masks: Words) -> list[int]:
        """The bits that are in any of these."""
        words = np.bitwise_or.reduce(masks, axis=0)
        found: list[int] = np.flatnonzero((words[:, None] >> np.arange(_WORD)) & 1).tolist()
        return found

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
            for easier in () if is_stand_in(option) else self._easier(option):
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

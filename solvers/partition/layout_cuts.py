"""What a choice of options teaches whose layout needs more than it claims.

Mostly a few segments one behind the other are to blame: their own layout, with all that lives
beside them, needs more than the peak, whatever the rest of the plan is. And what these options
cannot do, no option of the same segments can that has as large an arena and as few liberties.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.model import LayoutCut


def layout_cuts(
    instance: PartitionInstance, numbers: Sequence[int], peak: int, params: SolveParams
) -> list[LayoutCut]:
    """Cuts for the choice of these options, whose layout needs more than its peak: one for each
    shortest run of segments that do so alone."""
    search = _Search(instance, peak, params)
    for length in range(2, len(numbers)):
        found = list(search.of_length(numbers, length))
        if found or search.deadline.is_over:
            break
    else:
        found = []
    return found or [search.cut([instance.options[i] for i in numbers])]


class _Search:
    def __init__(self, instance: PartitionInstance, peak: int, params: SolveParams) -> None:
        self._instance, self._peak, self._params = instance, peak, params
        self.deadline = Deadline(params.time_limit_s)

    def of_length(self, numbers: Sequence[int], length: int) -> Iterator[LayoutCut]:
        for first in range(len(numbers) - length + 1):
            if self.deadline.is_over:
                return
            options = [self._instance.options[i] for i in numbers[first : first + length]]
            if self._needs_more(options):
                yield self.cut(options)

    def cut(self, options: Sequence[Option]) -> LayoutCut:
        """What these options teach, with easier ones in the place of each as far as these need
        more than the peak, too."""
        eased = list(options)
        for k, option in enumerate(options):
            for easier in self._easier(option):
                trial = [*eased[:k], easier, *eased[k + 1 :]]
                if not self.deadline.is_over and self._needs_more(trial):
                    eased = trial
                    break
        every = list(enumerate(self._instance.options))
        among = [frozenset(i for i, o in every if _is_no_easier(o, option)) for option in eased]
        return LayoutCut(tuple(among), self._needed(eased))

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


def _is_no_easier(other: Option, option: Option) -> bool:
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

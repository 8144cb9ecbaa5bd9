"""Which paths can still end in a plan that none of the known ones dominates, judged by loads.

For every cut and level of the peak, and number of segments behind the cut where segments count or
are limited: the least cost of such an end. Levels are the loads of options and the peaks of known
plans: between two of them nothing changes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from splitopt.solvers.partition.instance import PartitionInstance
from splitopt.solvers.partition.shortest_paths import Matrix, least_weights, to_end

Measures = tuple[int, int, int]
"""Peak, added cost, number of segments; of the last always 0 where segments are no measure."""

_NONE = 2**60
_MOST_ENTRIES = 2**25
"""Of the table: 256 MiB."""


class TooLarge(Exception):
    """The table would take more than `_MOST_ENTRIES`."""


class Prospects:
    """Of one instance, beside plans that are known. `most_segments`: no path has more.

    Raises: TooLarge.
    """

    def __init__(
        self, instance: PartitionInstance, known: Iterable[Measures], *, by_segments: bool
    ) -> None:
        known = list(known)
        rams = (ram for ram in instance.rams if instance.goal.fits(ram))
        self._levels = sorted({*rams, *(peak for peak, _, _ in known)})
        self.most_segments = 0
        self._rest = self._rests_by_segments(instance) if by_segments else self._rests(instance)
        limit = instance.goal.max_cost
        worst = _NONE if limit is None else limit + 1
        self._best = np.full((self.most_segments + 1, len(self._levels)), worst)
        for plan in known:
            self.add(plan)

    def add(self, plan: Measures) -> None:
        """A plan that is known from now on."""
        peak, cost, segments = plan
        if segments < len(self._best):
            level = bisect_left(self._levels, peak)
            worse = self._best[segments:, level:]
            np.minimum(worse, cost, out=worse)

    def limits(self, segments: int) -> list[list[int]]:
        """By cut and level: a path of so many segments and at least that peak must cost less. Of 0
        segments where these neither count nor are limited."""
        left = self.most_segments - segments
        most = np.full(self._rest.shape[1:], -_NONE)
        for more in range(left + 1):
            rest = self._rest[more]
            np.maximum(most, self._best[segments + more] - rest, out=most, where=rest < _NONE)
        found: list[list[int]] = np.maximum.accumulate(most[:, ::-1], axis=1)[:, ::-1].tolist()
        return found

    def level(self, peak: int) -> int:
        """The highest level that is no higher than the peak, as an index of `limits`."""
        return max(0, bisect_right(self._levels, peak) - 1)

    def _rests(self, instance: PartitionInstance) -> npt.NDArray[np.int64]:
        """By cut and level: the least cost of an end, of any number of segments."""
        rest = np.full((instance.n + 1, len(self._levels)), _NONE)
        rest[instance.n] = 0
        for start, stop, level, cost in sorted(self._arcs(instance), reverse=True):
            ends = rest[start, level:]
            np.minimum(ends, rest[stop, level:] + cost, out=ends)
        rest[rest > _NONE // 2] = _NONE
        return rest[None]

    def _rests_by_segments(self, instance: PartitionInstance) -> npt.NDArray[np.int64]:
        """By number of segments, cut and level: the least cost of an end."""
        arcs = self._arcs(instance)
        rest = np.full((instance.n + 1, len(self._levels)), _NONE)
        rest[instance.n] = 0
        rests = [rest]
        for _ in range(min(instance.most_segments, instance.n)):
            longer = np.full_like(rest, _NONE)
            for start, stop, level, cost in arcs:
                ends = longer[start, level:]
                np.minimum(ends, rest[stop, level:] + cost, out=ends)
            longer[longer > _NONE // 2] = _NONE
            if (longer == _NONE).all():
                break
            rest = longer
            rests.append(rest)
            if len(rests) * rest.size > _MOST_ENTRIES:
                raise TooLarge
        self.most_segments = len(rests) - 1
        return np.stack(rests)

    def _arcs(self, instance: PartitionInstance) -> list[tuple[int, int, int, int]]:
        """Of the options that keep the capacity: start, stop, level and cost."""
        return [
            (option.start, option.stop, self.level(ram), option.cost)
            for option, ram in zip(instance.options, instance.rams, strict=True)
            if instance.goal.fits(ram)
        ]


def lowest_peaks(instance: PartitionInstance) -> list[int]:
    """By cut: the lowest load that any path from there to the end must have; NEVER where there is
    none."""
    found: list[int] = to_end(_least(instance, instance.rams), np.maximum).tolist()
    return found


def least_costs(instance: PartitionInstance) -> list[int]:
    """By cut: the least cost of any path from there to the end; NEVER where there is none."""
    costs = [option.cost for option in instance.options]
    found: list[int] = to_end(_least(instance, costs), np.add).tolist()
    return found


def _least(instance: PartitionInstance, amounts: Sequence[int]) -> Matrix:
    """Of the options that keep the capacity, the smallest amount of each segment."""
    rows = [
        (option.start, option.stop, amount)
        for option, ram, amount in zip(instance.options, instance.rams, amounts, strict=True)
        if instance.goal.fits(ram)
    ]
    return least_weights(instance.n, *np.array(rows, dtype=np.int64).reshape(-1, 3).T)

"""What a choice of options teaches that fits a region in no order of its blocks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.conflicts import (
    Conflict,
    Learning,
    gap,
    is_easier_than_all,
    is_gap,
)
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.needs import Needs
from splitopt.solvers.partition.orders import Undecided

_ABOVE = 64
"""What a conflict needs is known exactly up to this part of a region above it."""


Shape = tuple[tuple[int, int], ...]
"""Segments of a conflict, gaps aside: where others are sought first."""


class Teacher:
    """Of choices of options of one problem that do not fit their regions."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._shapes: dict[Shape, range] = {}
        """With the regions that segments of such a shape did not fit; the shortest ones first."""

    def soon(
        self,
        instance: PartitionInstance,
        options: Sequence[Option],
        region: int,
        deadline: Deadline,
    ) -> Conflict | None:
        """What these options teach if segments that others taught of do not fit the region."""
        learning = _ByOrders(instance, self._needs, region, deadline)
        for shape, regions in self._shapes.items():
            run = learning.like(options, shape) if region in regions else None
            if run is not None:
                return self._learnt(learning, run, shape, keeps_need=True)
        return None

    def conflict_of(
        self,
        instance: PartitionInstance,
        options: Sequence[Option],
        region: int,
        needed: int,
        deadline: Deadline,
        *,
        keeps_need: bool = True,
    ) -> Conflict:
        """One of the shortest runs of these options that does not fit the region, as far as can be
        with gaps, and with easier ones in the place of others, of which none changes what the run
        needs. `needed`: by all of them. `keeps_need` false: the run may need less, but fits not."""
        learning = _ByOrders(instance, self._needs, region, deadline)
        run = learning.shortest(options)
        conflict = self._learnt(learning, run, shape_of(run), keeps_need=keeps_need)
        return conflict if conflict.region > region else Conflict(tuple(options), needed)

    def _learnt(
        self, learning: _ByOrders, run: Sequence[Option], shape: Shape, *, keeps_need: bool
    ) -> Conflict:
        conflict = learning.conflict(run) if keeps_need else learning.loose_conflict(run)
        shapes = self._shapes
        known = shapes.get(shape, range(learning.region, 0))
        least, most = min(known.start, learning.region), max(known.stop, conflict.region)
        shapes[shape] = range(least, most)
        self._shapes = dict(sorted(shapes.items(), key=lambda it: len(it[0])))
        return conflict


def shape_of(options: Sequence[Option]) -> Shape:
    return tuple((own.start, own.stop) for own in options if not is_gap(own))


def _shaped(options: Sequence[Option], shape: Shape) -> list[Option]:
    """Those that share items with a shape, and gaps between them."""
    found = list[Option]()
    for option in options:
        is_in = any(option.start < stop and start < option.stop for start, stop in shape)
        if is_in:
            found.append(option)
        elif found:
            some = [found.pop()] if is_gap(found[-1]) else []
            found.append(gap([*some, option]))
    while found and is_gap(found[-1]):
        found.pop()
    return found


class _ByOrders(Learning):
    def __init__(
        self, instance: PartitionInstance, needs: Needs, region: int, deadline: Deadline
    ) -> None:
        super().__init__(instance, region, SolveParams(time_limit_s=deadline.left_s))
        self._needs, self.region = needs, region
        self._most = region + region // _ABOVE

    def conflict(self, options: Sequence[Option]) -> Conflict:
        """With easier ones in the place of each as far as they need no less."""
        needed = self._least(options, self.region, self._most)
        self._peak = needed - 1
        return Conflict(self.eased(options), needed)

    def loose_conflict(self, options: Sequence[Option]) -> Conflict:
        """The same as far as they do not fit the region."""
        eased = self.eased(options)
        return Conflict(eased, self._least(eased, self.region, self._most))

    def like(self, options: Sequence[Option], shape: Shape) -> Sequence[Option] | None:
        """What is left of them by a shape, if that does not fit the region."""
        run = _shaped(options, shape)
        if len(run) < 2 or self._fits(run, self._most):
            return None
        return run if len(shape_of(run)) <= len(shape) else self.shortest(run)

    def shortest(self, options: Sequence[Option]) -> Sequence[Option]:
        """What is left of them where as many of the first as can be are left out, and all that can
        be are gaps."""
        firsts = range(1, len(options))
        found = options[bisect_left(firsts, True, key=lambda at: self._fits(options[at:])) :]
        kept = list[Option]()
        for at, option in enumerate(found):
            some = [kept.pop()] if kept and is_gap(kept[-1]) else []
            trial = [*kept, gap([*some, option]), *found[at + 1 :]]
            kept += [trial[len(kept)]] if not self._fits(trial) else [*some, option]
        return kept

    def _fits(self, options: Sequence[Option], most: int | None = None) -> bool:
        """Not proved not to."""
        boundaries = self._instance.boundaries
        if not all(is_easier_than_all(own, boundaries) for own in options if is_gap(own)):
            return True
        return self._least(options, self.region, most) <= self.region

    def _needs_more(self, options: Sequence[Option]) -> bool:
        return self._least(options, self._peak) > self._peak

    def _least(self, options: Sequence[Option], enough: int, most: int | None = None) -> int:
        """At least what they need, or that; exactly so up to `most`."""
        try:
            needed = self._needs.needed(options, enough, most or enough, self.deadline)
        except Undecided:
            return enough
        return max(enough, needed)

"""What a choice of options teaches that fits a region in no order of its blocks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

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
from splitopt.solvers.partition.needs import Fit, Needs
from splitopt.solvers.partition.orders import Undecided

_STEP = 256
"""By so many bytes more a region is tried first."""


Shape = tuple[tuple[int, int], ...]
"""Segments of a conflict, gaps aside: where others are sought first."""


class Teacher:
    """Of choices of options of one problem that do not fit their regions."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._shapes: list[Shape] = []
        """Those of few segments first."""

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
        run = learning.by_shapes(options, self._shapes)
        if run is None:
            run = learning.shortest(options)
            self._shapes.append(shape_of(run))
            self._shapes.sort(key=len)
        conflict = learning.conflict(run) if keeps_need else learning.loose_conflict(run)
        return conflict if conflict.region > region else Conflict(tuple(options), needed)


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
        self._needs, self._region = needs, region

    def conflict(self, options: Sequence[Option]) -> Conflict:
        """With easier ones in the place of each as far as they need no less."""
        needed = self._needed(options)
        self._peak = needed - 1
        return Conflict(self.eased(options), needed)

    def loose_conflict(self, options: Sequence[Option]) -> Conflict:
        """The same as far as they do not fit the region."""
        return super().conflict(options)

    def by_shapes(
        self, options: Sequence[Option], shapes: Iterable[Shape]
    ) -> Sequence[Option] | None:
        """What is left of them by the first of these shapes that does not fit the region."""
        for shape in shapes:
            run = _shaped(options, shape)
            if len(run) > 1 and not self._fits(run):
                return run if len(shape_of(run)) <= len(shape) else self.shortest(run)
        return None

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

    def _fits(self, options: Sequence[Option]) -> bool:
        """Not proved not to."""
        boundaries = self._instance.boundaries
        if not all(is_easier_than_all(own, boundaries) for own in options if is_gap(own)):
            return True
        return self.deadline.is_over or not self._needs_more(options)

    def _needed(self, options: Sequence[Option], enough: int | None = None) -> int:
        """At least what they need; `enough`: or that."""
        if enough is not None:
            fit = self._fit(options, enough)
            return enough if fit is None or fit.places is not None else fit.needed
        needed, above, step = self._region, None, _STEP
        while above is None or needed < above:
            fit = self._fit(options, needed + step - 1 if above is None else above - 1)
            if fit is None:
                break
            if fit.places is None:
                needed, step = fit.needed, 2 * step
            else:
                above = fit.needed
        return needed

    def _fit(self, options: Sequence[Option], region: int) -> Fit | None:
        """None where that is not decided."""
        try:
            return self._needs.fit(options, region, self.deadline)
        except Undecided:
            return None

"""What a choice of options teaches that fits a region in no order of its blocks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.conflicts import Conflict, Learning, is_part
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.needs import Needs
from splitopt.solvers.partition.orders import Undecided
from splitopt.solvers.partition.shapes import Shape, shape_of, shaped
from splitopt.solvers.partition.stand_ins import (
    BEGINS,
    Range,
    beginning,
    gap,
    is_easier_than_all,
    is_gap,
    is_stand_in,
    some,
    some_before,
    some_behind,
    up_to,
    with_arena,
)

_ABOVE = 128
"""What a conflict needs is known exactly up to this part of a region above it."""
_STEP = 64
"""Bytes to which the least arena of a stand-in is found."""
_ARENAS = 32
"""The most at the beginning of one run of which conflicts tell what they need."""


class Teacher:
    """Of choices of options of one problem that do not fit their regions."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._shapes: dict[Shape, range] = {}
        """With the regions that segments of such a shape did not fit; the shortest ones first."""
        self._behind: dict[tuple[Option, ...], range] = {}
        """What was told of any first options before these, with the regions asked for."""

    def soon(
        self,
        instance: PartitionInstance,
        options: Sequence[Option],
        region: int,
        deadline: Deadline,
    ) -> list[Conflict]:
        """What these options teach if segments that others taught of do not fit the region."""
        learning = _ByOrders(instance, self._needs, region, deadline)
        for shape, regions in self._shapes.items():
            run = shaped(options, shape) if region in regions else []
            if region in self._behind.get(_behind_first(run), ()):
                continue
            if learning.is_too_much(run):
                short = run if len(shape_of(run)) <= len(shape) else learning.shortest(run)
                return self._learnt(learning, short, shape, keeps_need=True)
        return []

    def conflicts_of(
        self,
        instance: PartitionInstance,
        options: Sequence[Option],
        region: int,
        needed: int,
        deadline: Deadline,
        *,
        keeps_need: bool = True,
    ) -> list[Conflict]:
        """One of the shortest runs of these options that does not fit the region, as far as can be
        with gaps, with easier ones in the place of others and with any at its ends and beside gaps,
        of which none changes what the run needs. `needed`: by all of them. `keeps_need` false: the
        run may need less, but fits not."""
        learning = _ByOrders(instance, self._needs, region, deadline)
        run = learning.shortest(options)
        conflicts = self._learnt(learning, run, shape_of(run), keeps_need=keeps_need)
        is_learnt = any(conflict.region > region for conflict in conflicts)
        return conflicts if is_learnt else [Conflict(tuple(options), needed)]

    def _learnt(
        self, learning: _ByOrders, run: Sequence[Option], shape: Shape, *, keeps_need: bool
    ) -> list[Conflict]:
        if keeps_need:
            conflicts = list(learning.with_arenas(learning.conflict(run)))
        else:
            conflicts = [learning.loose_conflict(run)]
        regions = range(learning.region, max(conflict.region for conflict in conflicts))
        if len(conflicts) > 1:
            behind = _behind_first(run)
            self._behind[behind] = _both(self._behind.get(behind), regions)
        shapes = self._shapes
        shapes[shape] = _both(shapes.get(shape), regions)
        self._shapes = dict(sorted(shapes.items(), key=lambda it: len(it[0])))
        return conflicts


def _behind_first(run: Sequence[Option]) -> tuple[Option, ...]:
    """With no gap at the beginning."""
    return tuple(run[2:] if is_gap(run[1]) else run[1:]) if len(run) > 1 else ()


def _both(known: range | None, own: range) -> range:
    return own if known is None else range(min(known.start, own.start), max(known.stop, own.stop))


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
        return Conflict(self._opened(self.eased(options)), needed)

    def loose_conflict(self, options: Sequence[Option]) -> Conflict:
        """The same as far as they do not fit the region."""
        eased = self._lowered(self._opened(self.eased(options)))
        return Conflict(eased, self._least(eased, self.region, self._most))

    def with_arenas(self, conflict: Conflict) -> Iterator[Conflict]:
        """The same of other arenas at its beginning, where these do not fit the region."""
        yield conflict
        first, *rest = conflict.options
        if not rest or not is_stand_in(first) or is_gap(first):
            return
        any_first = with_arena(first, 0)
        parts = (own for own in self._instance.options if is_part(own, any_first, BEGINS))
        arenas = np.unique([own.arena_bytes for own in parts])
        try:
            needed = self._needs.needed_with(
                conflict.options, arenas, self.region, self._most, self.deadline
            )
        except Undecided:
            return
        regions, some = np.unique(needed, return_index=True)
        told = (regions > self.region) & (regions != conflict.region)
        regions, arenas = regions[told], arenas[some[told]]
        spread = np.linspace(0, len(regions) - 1, min(_ARENAS, len(regions)))
        for at in spread.astype(int):
            yield Conflict((with_arena(first, int(arenas[at])), *rest), int(regions[at]))

    def is_too_much(self, run: Sequence[Option]) -> bool:
        return len(run) > 1 and not self._fits(run, self._most)

    def shortest(self, options: Sequence[Option]) -> Sequence[Option]:
        """What is left of them where as many of the first as can be are left out, and all that can
        be are gaps."""
        firsts = range(1, len(options))
        found = options[bisect_left(firsts, True, key=lambda at: self._fits(options[at:])) :]
        kept = list[Option]()
        for at, option in enumerate(found):
            free = [kept.pop()] if kept and is_gap(kept[-1]) else []
            trial = [*kept, gap([*free, option]), *found[at + 1 :]]
            kept += [trial[len(kept)]] if not self._fits(trial) else [*free, option]
        return kept

    def _opened(self, options: tuple[Option, ...]) -> tuple[Option, ...]:
        """With any options of as much arena at the ends and beside gaps, as far as they need more
        than the peak, too."""
        if len(options) > 1:
            options = next(filter(self._needs_more, self._with_any_first(options)), options)
            options = next(filter(self._needs_more, _with_any_last(options)), options)
        for own in [it for it in options[1:-1] if not is_stand_in(it)]:
            options = self._with_some(options, options.index(own)) or options
        return options

    def _with_some(self, options: tuple[Option, ...], at: int) -> tuple[Option, ...] | None:
        """With any in the place of one between gaps, or behind or before one."""
        own = options[at]
        first = at - (at > 1 and is_gap(options[at - 1]))
        last = at + (at < len(options) - 2 and is_gap(options[at + 1]))
        start, stop = options[first].start, options[last].stop
        whole, values = gap(options[first : last + 1]), self._instance.boundaries
        if first == last or not is_easier_than_all(whole, values):
            return None

        def trial(starts: Range, stops: Range) -> tuple[Option, ...]:
            alike = some(start, stop, own.arena_bytes, starts, stops)
            return *options[:first], alike, *options[last + 1 :]

        starts, stops = (own.start, own.start), (own.stop, own.stop)
        if not self._needs_more(trial(starts, stops)):
            return None
        cuts = {start, start + 1, stop - 1, stop}
        cuts |= {it.start_item + 1 for it in values} | {it.last_item for it in values}
        inside = [cut for cut in sorted(cuts) if start <= cut <= stop]

        def widest(own: int, step: int, trial: Callable[[int], Sequence[Option]]) -> int:
            """The cut farthest from this one with which options need more than the peak."""
            farther = [cut for cut in inside[::-step] if (cut - own) * step > 0]
            at = bisect_left(farther, True, key=lambda cut: self._needs_more(trial(cut)))
            return (*farther, own)[at]

        low = widest(own.start, -1, lambda cut: trial((cut, own.start), stops))
        high = widest(own.start, 1, lambda cut: trial((low, cut), stops))
        most = widest(own.stop, 1, lambda cut: trial((low, high), (own.stop, cut)))
        least = widest(own.stop, -1, lambda cut: trial((low, high), (cut, most)))
        found = trial((low, high), (least, most))
        return found if self._needs_more(found) else None

    def _lowered(self, options: tuple[Option, ...]) -> tuple[Option, ...]:
        """With hardly more arena for stand-ins than they must have not to fit, the inner first."""
        last = len(options) - 1
        for at in (*range(1, last), last, 0):
            if is_stand_in(options[at]) and not is_gap(options[at]):
                options = self._with_least(options, at)
        return options

    def _with_least(self, options: tuple[Option, ...], at: int) -> tuple[Option, ...]:
        def trial(arena_bytes: int) -> tuple[Option, ...]:
            return *options[:at], with_arena(options[at], arena_bytes), *options[at + 1 :]

        arenas = range(options[at].arena_bytes % _STEP, options[at].arena_bytes, _STEP)
        least = bisect_left(arenas, True, key=lambda arena: self._needs_more(trial(arena)))
        return trial(arenas[least]) if least < len(arenas) else options

    def _with_any_first(self, options: tuple[Option, ...]) -> Iterator[tuple[Option, ...]]:
        first, *rest = options
        if is_stand_in(first):
            return
        behind = rest[1:] if is_gap(rest[0]) else rest
        if behind:
            stop, arena_bytes = behind[0].start, first.arena_bytes

            def trial(start: int) -> tuple[Option, ...]:
                return some_before(start, stop, arena_bytes), *behind

            made = (it.start_item + 1 for it in self._instance.boundaries if it.last_item >= stop)
            starts = sorted({0, *(start for start in made if start <= first.start)})
            at = bisect_left(starts, True, key=lambda start: self._needs_more(trial(start)))
            yield trial(starts[min(at, len(starts) - 1)])
        yield up_to(first.stop, first.arena_bytes), *rest

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


def _with_any_last(options: tuple[Option, ...]) -> Iterator[tuple[Option, ...]]:
    *rest, last = options if not is_gap(options[-1]) else options[:-1]
    if not rest or is_stand_in(last):
        return
    if is_gap(rest[-1]):
        yield *rest[:-1], some_behind(rest[-1].start, last.stop, last.arena_bytes)
    yield *rest, beginning(last.start, last.arena_bytes)

"""Packing by first fit in many orders: cheap plans that are often optimal, for exact ones to start
from.

Every plan that no buffer can sink in is the first fit of some order, so an optimum is among them.
Several fixed orders first; then the best one is changed: what reaches the mark, and what lives
at the same time, is placed earlier.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import add

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.packing.first_fit import FirstFit, mark, ranks_of
from splitopt.solvers.packing.instance import PackingInstance
from splitopt.solvers.packing.plan import PackingPlan

GIVE_UP_AFTER = 400
"""Tries without a gain."""
_MOST_MOVED = 4
Order = list[int]


def search(
    instance: PackingInstance,
    lower_bound: int,
    deadline: Deadline,
    seed: int,
    give_up_after: int = GIVE_UP_AFTER,
) -> PackingPlan:
    """The best plan found. The search ends at a high-water mark of `lower_bound`, when time is
    over, or after many tries without a gain.

    Pins are kept. Like any greedy plan, this one may exceed the capacity, and pins that overlap
    stay so.
    """
    pinned = {i: b.offset for i, b in enumerate(instance.buffers) if b.offset is not None}
    problem = Orders(
        [b.size for b in instance.buffers], [b.live.steps for b in instance.buffers], pinned
    )
    best = problem.searched(lower_bound, deadline, seed, give_up_after)
    return PackingPlan(tuple(best.offsets))


@dataclass(frozen=True)
class Tried:
    """An order, its first fit, and how high that reaches."""

    order: Order
    offsets: list[int]
    mark: int
    sizes: Sequence[int]

    @cached_property
    def ranks(self) -> list[int]:
        return ranks_of(self.order)

    @cached_property
    def highest(self) -> list[int]:
        """The buffers that end at the mark."""
        ends = map(add, self.offsets, self.sizes)
        return [buffer for buffer, end in enumerate(ends) if end == self.mark]


class Orders:
    """Buffers by size and steps, none of which are empty, placed in one order after the other;
    pins by index."""

    def __init__(
        self, sizes: Sequence[int], ranges: Sequence[tuple[int, int]], pinned: Mapping[int, int]
    ) -> None:
        self._sizes, self._ranges, self._pinned = sizes, ranges, pinned
        self._first_fit = FirstFit(sizes, ranges, pinned)

    def searched(
        self, lower_bound: int, deadline: Deadline, seed: int, give_up_after: int
    ) -> Tried:
        """As `search` has it."""
        best = self.first_of(lower_bound)
        draw = random.Random(seed)  # noqa: S311 - no secret
        current, stale = best, 0
        while best.mark > lower_bound and stale < give_up_after and not deadline.is_over:
            order, moved = self.changed(current, draw)
            found = self._after_moves(order, moved, current)
            stale += 1
            if found is not None:
                current = found
                if found.mark < best.mark:
                    best, stale = found, 0
            elif draw.random() < 0.02:
                current = self.placed(order)
            if stale and stale % 100 == 0:
                current = best
        return best

    def orders(self) -> Iterator[Order]:
        """Largest first, longest first, both at once, by time from either end."""
        sizes = [-size for size in self._sizes]
        starts = [start for start, _ in self._ranges]
        stops = [-stop for _, stop in self._ranges]
        spans = list(map(add, starts, stops))
        areas = [-size * span for size, span in zip(sizes, spans, strict=True)]
        pinned = sorted(self._pinned)
        free = [b for b in range(len(sizes)) if b not in self._pinned]
        for columns in (
            (sizes, spans),
            (spans, sizes),
            (areas, sizes),
            (starts, spans, sizes),
            (stops, spans, sizes),
            (starts, sizes),
        ):
            keys = list(zip(*columns, strict=True))
            yield pinned + sorted(free, key=keys.__getitem__)

    def first_of(self, lower_bound: int) -> Tried:
        """The best of the fixed orders; those behind one that reaches the bound are not tried."""
        orders = self.orders()
        best = self.placed(next(orders))
        while best.mark > lower_bound and (order := next(orders, None)) is not None:
            offsets = self._first_fit.offsets(order, best.mark - 1)
            best = best if offsets is None else self._tried(order, offsets)
        return best

    def placed(self, order: Order) -> Tried:
        offsets = self._first_fit.offsets(order)
        assert offsets is not None, "without a limit, there is a place for everything"
        return self._tried(order, offsets)

    def changed(self, tried: Tried, draw: random.Random) -> tuple[Order, Order]:
        """A few of those at the mark, or that live beside one of them, move towards the front: the
        order that results, and those."""
        beside = self._first_fit.beside[draw.choice(tried.highest)]
        if self._pinned:
            beside = [b for b in beside if b not in self._pinned]
        order = list(tried.order)
        if not beside:
            return order, []
        chosen = draw.sample(beside, min(len(beside), draw.randint(1, _MOST_MOVED)))
        for buffer in chosen:
            at = order.index(buffer)
            order.insert(draw.randrange(at + 1), order.pop(at))
        return order, chosen

    def _after_moves(self, order: Order, moved: Order, before: Tried) -> Tried | None:
        """None where that reaches higher than before."""
        offsets = self._first_fit.after_moves(
            order, moved, before.offsets, before.ranks, before.mark
        )
        return None if offsets is None else self._tried(order, offsets)

    def _tried(self, order: Order, offsets: list[int]) -> Tried:
        return Tried(order, offsets, mark(offsets, self._sizes), self._sizes)

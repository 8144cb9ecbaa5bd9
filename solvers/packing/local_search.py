"""Packing by first fit in many orders: cheap plans that are often optimal, for exact ones to start
from.

Every plan that no buffer can sink in is the first fit of some order, so an optimum is among them.
Several fixed orders first; then the best one is changed: what reaches the mark, and what lives
at the same time, is placed earlier.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.packing.first_fit import FirstFit, mark
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
    problem = _Problem(instance)
    best = problem.first_of(lower_bound)
    draw = random.Random(seed)  # noqa: S311 - no secret
    current, stale = best, 0
    while best.mark > lower_bound and stale < give_up_after and not deadline.is_over:
        order = problem.changed(current, draw)
        found = problem.tried(order, current.mark)
        stale += 1
        if found is not None:
            current = found
            if found.mark < best.mark:
                best, stale = found, 0
        elif draw.random() < 0.02:
            current = problem.placed(order)
        if stale and stale % 100 == 0:
            current = best
    return PackingPlan(tuple(best.offsets))


@dataclass(frozen=True)
class _Tried:
    """An order, its first fit, and how high that reaches."""

    order: Order
    offsets: list[int]
    mark: int


class _Problem:
    def __init__(self, instance: PackingInstance) -> None:
        self._sizes = [b.size for b in instance.buffers]
        self._ranges = [b.live.steps for b in instance.buffers]
        self._pinned = {i: b.offset for i, b in enumerate(instance.buffers) if b.offset is not None}
        self._first_fit = FirstFit(self._sizes, self._ranges, self._pinned)

    def orders(self) -> Iterator[Order]:
        """Largest first, longest first, both at once, by time from either end."""
        sizes, ranges = self._sizes, self._ranges
        spans = [stop - start for start, stop in ranges]
        keys: tuple[Callable[[int], tuple[int, ...]], ...] = (
            lambda b: (-sizes[b], -spans[b]),
            lambda b: (-spans[b], -sizes[b]),
            lambda b: (-sizes[b] * spans[b], -sizes[b]),
            lambda b: (ranges[b][0], -spans[b], -sizes[b]),
            lambda b: (-ranges[b][1], -spans[b], -sizes[b]),
            lambda b: (ranges[b][0], -sizes[b]),
        )
        for key in keys:
            free = sorted((b for b in range(len(sizes)) if b not in self._pinned), key=key)
            yield sorted(self._pinned) + free

    def first_of(self, lower_bound: int) -> _Tried:
        """The best of the fixed orders; those behind one that reaches the bound are not tried."""
        orders = self.orders()
        best = self.placed(next(orders))
        while best.mark > lower_bound and (order := next(orders, None)) is not None:
            best = self.tried(order, best.mark - 1) or best
        return best

    def placed(self, order: Order) -> _Tried:
        found = self.tried(order)
        assert found is not None, "without a limit, there is a place for everything"
        return found

    def tried(self, order: Order, most: int | None = None) -> _Tried | None:
        """None where it reaches above `most`."""
        offsets = self._first_fit.offsets(order, most)
        return None if offsets is None else _Tried(order, offsets, mark(offsets, self._sizes))

    def changed(self, tried: _Tried, draw: random.Random) -> Order:
        """A few of those at the mark, or that live beside one of them, move towards the front."""
        ends = [o + s for o, s in zip(tried.offsets, self._sizes, strict=True)]
        top = draw.choice([b for b, end in enumerate(ends) if end == tried.mark])
        beside = [b for b in self._first_fit.beside[top] if b not in self._pinned]
        if not beside:
            return list(tried.order)
        chosen = draw.sample(beside, min(len(beside), draw.randint(1, _MOST_MOVED)))
        order = list(tried.order)
        for buffer in chosen:
            at = order.index(buffer)
            order.insert(draw.randrange(at + 1), order.pop(at))
        return order

"""Which options an optimal plan can hold at all; never drops one that could tie."""

from collections.abc import Callable, Sequence
from operator import add

from splitopt.solvers.partition.instance import PartitionInstance


def fitting(instance: PartitionInstance) -> list[int]:
    """Numbers of the options that fit the capacity alone."""
    capacity = instance.capacity
    return [i for i, ram in enumerate(instance.rams) if capacity is None or ram <= capacity]


def worthwhile(instance: PartitionInstance, numbers: Sequence[int], best_known: int) -> list[int]:
    """Those of `numbers` that a plan of weighted sum <= `best_known` can hold within all limits.

    Every plan through an option has at least its RAM and the best bottlenecks before and behind it
    as its peak, and at least its cost and the cheapest ways before and behind it as its cost;
    likewise its segments. What is dropped makes the ways of the rest longer: so again, until
    nothing changes.
    """
    while True:
        kept = _worthwhile_once(instance, numbers, best_known)
        if len(kept) == len(numbers):
            return kept
        numbers = kept


def least_sum(instance: PartitionInstance, numbers: Sequence[int]) -> int | None:
    """A bound of every plan's weighted sum; None if these options do not reach from 0 to n."""
    cost = _costs(instance, numbers).before[instance.n]
    peak = _peaks(instance, numbers).before[instance.n]
    return None if cost is None or peak is None else instance.objective.weigh(peak, cost)


def _worthwhile_once(
    instance: PartitionInstance, numbers: Sequence[int], best_known: int
) -> list[int]:
    objective = instance.objective
    most = instance.n if instance.max_segments is None else instance.max_segments
    costs, peaks = _costs(instance, numbers), _peaks(instance, numbers)
    counts = _Ways(instance, numbers, [1] * len(instance.options), add)
    kept = []
    for i in numbers:
        cost, peak, count = costs.through(i), peaks.through(i), counts.through(i)
        if cost is None or peak is None or count is None:
            continue
        affordable = objective.max_cost is None or cost <= objective.max_cost
        if affordable and count <= most and objective.weigh(peak, cost) <= best_known:
            kept.append(i)
    return kept


def _costs(instance: PartitionInstance, numbers: Sequence[int]) -> "_Ways":
    return _Ways(instance, numbers, [option.cost for option in instance.options], add)


def _peaks(instance: PartitionInstance, numbers: Sequence[int]) -> "_Ways":
    return _Ways(instance, numbers, instance.rams, max)


class _Ways:
    """The least amount of a path from 0 to each item, and from each item to n; None: no path.

    `join` makes one amount of those of two parts of a path.
    """

    def __init__(
        self,
        instance: PartitionInstance,
        numbers: Sequence[int],
        amounts: Sequence[int],
        join: Callable[[int, int], int],
    ) -> None:
        self._options, self._amounts, self._join = instance.options, amounts, join
        self.before: list[int | None] = [0] + [None] * instance.n
        self.behind: list[int | None] = [None] * instance.n + [0]
        for i in sorted(numbers, key=lambda i: self._options[i].start):
            self._extend(self.before, self._options[i].start, self._options[i].stop, i)
        for i in sorted(numbers, key=lambda i: -self._options[i].stop):
            self._extend(self.behind, self._options[i].stop, self._options[i].start, i)

    def _extend(self, least: list[int | None], source: int, target: int, i: int) -> None:
        way, known = least[source], least[target]
        if way is not None:
            longer = self._join(way, self._amounts[i])
            least[target] = longer if known is None else min(known, longer)

    def through(self, i: int) -> int | None:
        """The least amount of a path that takes option i."""
        before, behind = self.before[self._options[i].start], self.behind[self._options[i].stop]
        if before is None or behind is None:
            return None
        return self._join(self._join(before, self._amounts[i]), behind)

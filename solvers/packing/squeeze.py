"""The lowest mark between a bound and a plan, by exact searches under capacities in between.

A search that proves that nothing fits also says below which capacity nothing can: the bound rises
there. One that finds a plan lowers the mark. The bound itself is asked first, since most plans
reach it, then the middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import gcd

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.packing.exact.decide import Question
from splitopt.solvers.packing.exact.state import BUFFER, initial, neighbours, placed
from splitopt.solvers.packing.exact.switches import SearchSwitches
from splitopt.solvers.packing.instance import Buffer, PackingInstance
from splitopt.solvers.packing.plan import PackingPlan

MOST_BUFFERS = 1500
_BOUNDS_FIRST = 3
"""How often the bound is asked before the middle."""
_SHARE = 0.4
"""Of the time that is left, for one capacity: where the bound is too hard, others bring the mark
down."""
_FIRST_TRIES = 4
"""Of a search: enough for most, and soon over."""


@dataclass(frozen=True)
class Bracket:
    """No plan has a mark below `bound`; `plan` has the mark `mark`, if there is one."""

    bound: int
    plan: PackingPlan | None = None
    mark: int | None = None

    @property
    def is_closed(self) -> bool:
        return self.mark == self.bound

    def with_plan(self, plan: PackingPlan, mark: int) -> "Bracket":
        """With this plan, if it is lower than the one there is."""
        is_lower = self.mark is None or mark < self.mark
        return replace(self, plan=plan, mark=mark) if is_lower else self


class Squeeze:
    """Searches of one instance; each call makes twice as many tries as the one before.

    Instances with pins above 0 or beside one another, and those of more than MOST_BUFFERS, are left
    as they are.
    `is_fit_enough`: only the capacity of the instance is asked for.
    """

    def __init__(
        self,
        instance: PackingInstance,
        *,
        is_fit_enough: bool = False,
        switches: SearchSwitches | None = None,
    ) -> None:
        self._instance = instance
        self._asks_capacity = is_fit_enough and instance.capacity is not None
        self._switches = switches
        self._real = [i for i, b in enumerate(instance.buffers) if b.size]
        buffers = [instance.buffers[i] for i in self._real]
        pins = [place for place, b in enumerate(buffers) if b.offset is not None]
        self.can_search = len(pins) < len(buffers) <= MOST_BUFFERS and _lie_low(
            [buffers[place] for place in pins]
        )
        # In a settled plan every offset is a sum of sizes.
        self._unit = gcd(*(b.size for b in buffers)) or 1
        sizes = [b.size // self._unit for b in buffers]
        self._state = initial(sizes, [b.live.steps for b in buffers])
        for place in pins:
            column = self._state[BUFFER].tolist().index(place)
            self._state, _ = placed(self._state, column, neighbours(self._state, column))
        self._tries = _FIRST_TRIES
        self._questions: dict[int, Question] = {}

    def narrowed(self, known: Bracket, deadline: Deadline) -> Bracket:
        """The bracket after a search under every capacity that it is worth asking for."""
        if not self.can_search:
            return known
        if self._asks_capacity:
            known = self._asked(known, self._instance.capacity or 0, deadline)
        else:
            known = self._between(known, deadline)
        self._tries *= 2
        return known

    def _between(self, known: Bracket, deadline: Deadline) -> Bracket:
        """The bound is asked while it rises, a few times; then the middle of what is left open."""
        asked, given_up = 0, known.bound - self._unit
        while not known.is_closed and not deadline.is_over:
            low = max(known.bound, given_up + self._unit)
            high = self._highest(known)
            if low > high:
                break
            asks_bound = asked < _BOUNDS_FIRST and given_up < known.bound
            trial = low if asks_bound else (low + high) // 2
            found = self._asked(known, trial, deadline.share(_SHARE))
            given_up = trial if found == known else given_up
            known, asked = found, asked + 1
        return known

    def _highest(self, known: Bracket) -> int:
        """The highest capacity worth asking for."""
        capacity = self._instance.capacity
        if known.mark is not None:
            return known.mark - self._unit
        assert capacity is not None, "without a capacity the greedy plan is one"
        return capacity

    def _asked(self, known: Bracket, capacity: int, deadline: Deadline) -> Bracket:
        """What is known after a search under this capacity; the same if it came to no end."""
        units = capacity // self._unit
        if units not in self._questions:
            self._questions[units] = Question(self._state, units, self._switches)
        decision = self._questions[units].ask(self._tries, deadline)
        if decision.offsets is None:
            return replace(known, bound=max(known.bound, decision.bound * self._unit))
        offsets = [0] * len(self._instance.buffers)
        for place, offset in decision.offsets.items():
            offsets[self._real[place]] = offset * self._unit
        plan = PackingPlan(tuple(offsets))
        return known.with_plan(plan, plan.high_water_mark(self._instance))


def _lie_low(pinned: Sequence[Buffer]) -> bool:
    """Whether they lie at 0, as what is placed first does."""
    return all(b.offset == 0 for b in pinned) and not any(
        a.live.overlaps(b.live) for a, b in combinations(pinned, 2)
    )

"""Whether buffers fit a capacity: tries under one preference after another."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.packing.exact.failed import FailedStates
from splitopt.solvers.packing.exact.preference import PREFERENCES, Preference, shuffled
from splitopt.solvers.packing.exact.search import OutOfNodes, OutOfTime, Refusals, Try
from splitopt.solvers.packing.exact.state import State
from splitopt.solvers.packing.exact.switches import SearchSwitches

_DEEP, _SHORT = 2, 1.2
"""Nodes of a try for each buffer: one way down takes one."""


@dataclass(frozen=True)
class Decision:
    """`offsets` of a plan within the capacity, by buffer; or None and what every plan needs at
    least (`bound`): more than the capacity where none fits, 0 where nothing is known."""

    offsets: dict[int, int] | None = None
    bound: int = 0

    @property
    def is_known(self) -> bool:
        return self.offsets is not None or self.bound > 0


class Question:
    """Does this state have a plan within this capacity? What failed once is not tried again."""

    def __init__(self, state: State, capacity: int, switches: SearchSwitches | None = None) -> None:
        self._state = state
        self._switches = switches or SearchSwitches()
        self._failed = FailedStates()
        self._refusals = Refusals(capacity)
        self._tries = _endless_tries(state.shape[1])

    def ask(self, tries: int, deadline: Deadline) -> Decision:
        """The answer, if one of the next so many tries finds it in time."""
        for preference, nodes in islice(self._tries, tries):
            attempt = Try(preference, nodes, self._failed, self._refusals, self._switches, deadline)
            try:
                if attempt.has_plan(self._state):
                    return Decision(attempt.offsets)
            except OutOfNodes:
                continue
            except OutOfTime:
                break
            assert self._refusals.least is not None, "nothing was refused, and no plan was found"
            return Decision(bound=self._refusals.least)
        return Decision()


def _endless_tries(count: int) -> Iterator[tuple[Preference, int]]:
    """Preferences and nodes for so many buffers: round by round a deep try under each of the
    preferences, and short ones between them. All double from round to round: the deep ones in
    nodes, the short ones in number."""
    numbers = itertools.count(1)
    for turn in itertools.count():
        for preference in PREFERENCES:
            yield preference, (_DEEP * count) << turn
            for _ in range(1 << turn):
                yield shuffled(next(numbers)), int(_SHORT * count)

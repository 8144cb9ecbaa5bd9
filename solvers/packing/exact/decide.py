"""Whether buffers fit a capacity: tries under one preference after another."""

from dataclasses import dataclass

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.packing.exact.failed import FailedStates
from splitopt.solvers.packing.exact.preference import PREFERENCES
from splitopt.solvers.packing.exact.search import OutOfNodes, OutOfTime, Refusals, Try
from splitopt.solvers.packing.exact.state import State
from splitopt.solvers.packing.exact.switches import SearchSwitches


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

    def ask(self, nodes: int, deadline: Deadline) -> Decision:
        """The answer, if a try of so many nodes under one of the preferences finds it in time."""
        for preference in PREFERENCES:
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

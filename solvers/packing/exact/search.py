"""One try: a depth-first search for a plan of a state, under one order of preference.

The way down is as long as there are buffers, so calls are generators on a stack of their own:
`yield` a call to make it, and get its answer back (see _answer).
"""

from collections.abc import Generator
from typing import TypeAlias

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.packing.exact.bounds import least_capacity
from splitopt.solvers.packing.exact.decomposition import independent_groups
from splitopt.solvers.packing.exact.failed import FailedStates, digest_of
from splitopt.solvers.packing.exact.firsts import raise_above_firsts
from splitopt.solvers.packing.exact.preference import Preference, chosen, ranked
from splitopt.solvers.packing.exact.sections import within
from splitopt.solvers.packing.exact.state import (
    BUFFER,
    LOW,
    RESTS,
    SIZE,
    START,
    STOP,
    Mask,
    State,
    lowest_rest,
    neighbours,
    placed,
)
from splitopt.solvers.packing.exact.switches import SearchSwitches

Call: TypeAlias = "Generator[Call, bool, bool]"

_NODES_PER_LOOK = 16


class OutOfNodes(Exception):
    """The try has used up its nodes; nothing is said about the state."""


class OutOfTime(Exception):
    """The deadline is over; nothing is said about the state."""


class Refusals:
    """The least capacity under which something that was refused might not have been.

    Where all of a search is refused under one capacity, no plan lies below that figure.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.least: int | None = None

    def refuses(self, needs: int) -> bool:
        """Whether this is more than there is; if so it is noted."""
        if needs <= self.capacity:
            return False
        self.note(needs)
        return True

    def note(self, needs: int) -> None:
        self.least = needs if self.least is None else min(self.least, needs)


class Try:
    """`offsets` by buffer once it has answered True; `nodes` that it still may take."""

    def __init__(
        self,
        preference: Preference,
        nodes: int,
        failed: FailedStates,
        refusals: Refusals,
        switches: SearchSwitches,
        deadline: Deadline,
    ) -> None:
        self.offsets: dict[int, int] = {}
        self._preference = preference
        self._left = nodes
        self._failed = failed
        self._refusals = refusals
        self._switches = switches
        self._deadline = deadline
        self._raises = switches.firsts and preference.firsts

    def has_plan(self, state: State) -> bool:
        """Raises OutOfNodes, OutOfTime."""
        return _answer(self._all(self._groups(state.copy())))

    def _groups(self, state: State) -> list[State]:
        return independent_groups(state) if self._switches.decomposition else [state]

    def _all(self, groups: list[State]) -> Call:
        """Whether every group has a plan; small ones fail soonest."""
        for group in groups:
            if not self._may_fit(group, np.ones(group.shape[1], dtype=bool)):
                return False
        for group in sorted(groups, key=lambda group: group.shape[1]):
            if not (yield self._node(ranked(group, self._preference))):
                return False
        return True

    def _node(self, state: State) -> Call:
        """Whether a group has a plan. `state` is its own to change."""
        if state.shape[1] == 1 and state[RESTS, 0]:
            return self._put(state, 0)
        self._count()
        digest = digest_of(state)
        if self._switches.failed_states and digest in self._failed:
            return False
        while True:
            column = chosen(state, self._preference.choice, self._refusals.capacity)
            near = neighbours(state, column)
            if state[RESTS, column] or not self._switches.supports:
                left, changed = placed(state, column, near)
                if (yield self._rest(left, changed)):
                    return self._put(state, column)
            if not self._raised(state, column, near):
                break
        self._failed.add(digest)
        return False

    def _put(self, state: State, column: int) -> bool:
        self.offsets[int(state[BUFFER, column])] = int(state[LOW, column])
        return True

    def _rest(self, left: State, changed: Mask) -> Call:
        """Whether what is left after placing one buffer has a plan."""
        if not left.shape[1]:
            return True
        if self._refusals.refuses(int((left[LOW] + left[SIZE]).max())):
            return False
        groups = self._groups(left)
        if len(groups) > 1:
            return (yield self._all(groups))
        if not self._may_fit(left, changed):
            return False
        return (yield self._node(left))

    def _raised(self, state: State, column: int, near: Mask) -> bool:
        """Whether the buffer may lie higher than at its lowest offset; it is raised then."""
        low = lowest_rest(state, near)
        if low is None or self._refusals.refuses(low + int(state[SIZE, column])):
            return False
        state[LOW, column] = low
        state[RESTS, column] = 0
        changed = np.zeros(state.shape[1], dtype=bool)
        changed[column] = True
        return self._may_fit(state, changed)

    def _may_fit(self, state: State, changed: Mask) -> bool:
        """Whether no bound refuses the state, of which these columns have changed."""
        while changed.any():
            window = self._window(state, changed)
            part = state[:, window]
            dates = self._switches.release_dates
            if self._refusals.refuses(least_capacity(part, release_dates=dates)):
                return False
            raised = raise_above_firsts(part, self._refusals.capacity) if self._raises else None
            if raised is None:
                return True
            self._refusals.note(raised[1])
            state[:, window] = part
            changed = np.zeros(state.shape[1], dtype=bool)
            changed[np.flatnonzero(window)[raised[0]]] = True
            if self._refusals.refuses(int((part[LOW] + part[SIZE]).max())):
                return False
        return True

    def _window(self, state: State, changed: Mask) -> Mask:
        """What lives at some time at which a changed buffer may: bounds of other sections are as
        they were."""
        if not self._switches.windows:
            return np.ones(state.shape[1], dtype=bool)
        touched = state[:, changed]
        return within(state, int(touched[START].min()), int(touched[STOP].max()))

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise OutOfNodes
        if self._left % _NODES_PER_LOOK == 0 and self._deadline.is_over:
            raise OutOfTime


def _answer(call: Call) -> bool:
    """Runs a call and all those that it makes."""
    stack = [call]
    answer: bool | None = None
    while stack:
        try:
            # A generator that has just begun takes None only.
            made = next(stack[-1]) if answer is None else stack[-1].send(answer)
        except StopIteration as done:
            stack.pop()
            answer = bool(done.value)
        else:
            stack.append(made)
            answer = None
    assert answer is not None
    return answer

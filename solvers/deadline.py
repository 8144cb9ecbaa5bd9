"""A point in time after which a solver has to answer with what it has."""

import time

from splitopt.solvers.interrupt import is_asked_to_stop


class Deadline:
    """Counts down from its making; every phase of a solver asks what is left. Nothing is, once all
    solvers are asked to stop."""

    def __init__(self, limit_s: float) -> None:
        self._start_s = time.monotonic()
        self._limit_s = limit_s

    @property
    def spent_s(self) -> float:
        return time.monotonic() - self._start_s

    @property
    def left_s(self) -> float:
        return 0.0 if is_asked_to_stop() else max(0.0, self._limit_s - self.spent_s)

    def share(self, part: float) -> "Deadline":
        """A deadline of its own over this part of what is left."""
        return Deadline(part * self.left_s)

    def again(self) -> "Deadline":
        """The same time once more, from now on."""
        return Deadline(self._limit_s)

    @property
    def is_over(self) -> bool:
        return self.left_s <= 0.0

"""The best plan over all options and their layouts, where layouts need more than loads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from splitopt.planning.build_plan import named_option
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment_options import SegmentTable
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.partition import best_first, conflict_search
from splitopt.solvers.partition.boundary import most_alive
from splitopt.solvers.partition.option_pool import OptionPool, Survivors
from splitopt.solvers.partition.pareto import Learnt
from splitopt.solvers.partition.plan import PartitionPlan

_MANY = 3
"""Values at a cut: their orders are too many to follow all."""

_HASTE = 1 / 2
"""The part of the most conflicts that are looked for where a request is not patient."""

_FIRST = 2 / 3
"""How much of the time the first search may take."""


class LayoutSearch:
    """Of the options of one table. What questions teach of layouts is kept for further ones."""

    def __init__(self, table: SegmentTable) -> None:
        self._table = table
        self._learnt: Learnt | None = None

    def best(
        self, pool: OptionPool, among: Survivors, request: PlanRequest, deadline: Deadline
    ) -> Outcome[PartitionPlan]:
        """The optimum of these options, each in its cheapest way; UNKNOWN where that takes too
        long. Orders of all blocks are followed first; conflicts, where many values live at once or
        some are known already. The other one is tried where the request is patient."""
        boundaries = self._table.nodes.boundaries
        learnt = self._learnt = self._learnt or Learnt.between(boundaries)
        by_conflicts = partial(
            conflict_search.best_plan, learnt=learnt, effort=1 if request.is_patient else _HASTE
        )
        both: list[Callable[..., Outcome[PartitionPlan]]] = [best_first.best_plan, by_conflicts]
        found = Outcome[PartitionPlan](Status.UNKNOWN)
        if learnt.conflicts or most_alive(boundaries, pool.n) >= _MANY:
            both.reverse()
        tried = both if request.is_patient else both[:1]
        for best_plan, part in zip(tried, (_FIRST, 1), strict=False):
            found = best_plan(
                pool,
                among,
                request.goal,
                boundaries,
                partial(named_option, self._table),
                deadline.share(part),
                with_ties=request.with_ties,
            )
            if found.status is not Status.UNKNOWN:
                break
        return found

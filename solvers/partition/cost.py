"""What a partition plan costs."""

from collections.abc import Iterable
from dataclasses import dataclass

from splitopt.solvers.partition.instance import Objective, Option
from splitopt.solvers.partition.plan import PartitionPlan


@dataclass(frozen=True)
class PlanCost:
    """Peak bytes, added cost, segments, copied bytes."""

    peak: int
    added: int
    segments: int
    copied_bytes: int

    def ranked(self, objective: Objective) -> tuple[int, int, int]:
        """What is minimised, in this order: weighted sum, segments, copied bytes."""
        return objective.weigh(self.peak, self.added), self.segments, self.copied_bytes


def plan_cost(plan: PartitionPlan) -> PlanCost:
    """The peak is the layout's region: the load alone is no plan."""
    return options_cost(plan.options, plan.layout.region_bytes)


def options_cost(options: Iterable[Option], peak: int) -> PlanCost:
    chosen = tuple(options)
    added = sum(option.cost for option in chosen)
    copied = sum(option.copied_bytes for option in chosen)
    return PlanCost(peak, added, len(chosen), copied)

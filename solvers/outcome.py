"""What a solver hands back: a plan, what it costs, what is proved about it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

P = TypeVar("P")


class Status(StrEnum):
    """OPTIMAL and INFEASIBLE are proofs; FEASIBLE and UNKNOWN say that time or method ended."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"

    @property
    def has_plan(self) -> bool:
        return self in (Status.OPTIMAL, Status.FEASIBLE)


@dataclass(frozen=True)
class Outcome(Generic[P]):
    """A plan with its cost, the proved lower bound of the cost, and the wall time in seconds.

    Guarantees: a plan and a cost if and only if the status has one; bound <= cost; an OPTIMAL
    outcome has bound == cost. A FEASIBLE one may have bound == cost too: the cost is then proved,
    the tie-breaks are not. UNKNOWN may have a bound, INFEASIBLE has none.

    Raises: ValueError where this is broken.
    """

    status: Status
    plan: P | None = None
    cost: int | None = None
    bound: int | None = None
    wall_s: float = 0.0

    def __post_init__(self) -> None:
        if self.status.has_plan != (self.plan is not None):
            raise ValueError(
                f"outcome {self.status}: a plan is there exactly if the status has one"
            )
        if self.status.has_plan != (self.cost is not None):
            raise ValueError(
                f"outcome {self.status}: a cost is there exactly if the status has one"
            )
        if self.status is Status.OPTIMAL and self.bound != self.cost:
            raise ValueError(f"outcome optimal: bound {self.bound} must equal cost {self.cost}")
        if self.status is Status.INFEASIBLE and self.bound is not None:
            raise ValueError("outcome infeasible: there is nothing to bound")
        if self.cost is not None and self.bound is not None and self.bound > self.cost:
            raise ValueError(f"outcome {self.status}: bound {self.bound} exceeds cost {self.cost}")

    @property
    def gap(self) -> float | None:
        """(cost - bound) / cost; None where either is missing."""
        if self.cost is None or self.bound is None:
            return None
        return (self.cost - self.bound) / max(1, abs(self.cost))

    @property
    def found(self) -> P:
        """The plan. Raises ValueError where there is none."""
        if self.plan is None:
            raise ValueError(f"outcome {self.status} has no plan")
        return self.plan

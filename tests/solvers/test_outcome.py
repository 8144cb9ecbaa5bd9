"""An outcome cannot claim what its status denies."""

import pytest

from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.params import SolveParams


def test_gap_is_relative_to_the_cost() -> None:
    assert Outcome(Status.FEASIBLE, "plan", 10, 8).gap == pytest.approx(0.2)
    assert Outcome(Status.OPTIMAL, "plan", 10, 10).gap == 0
    assert Outcome[str](Status.UNKNOWN, bound=3).gap is None


@pytest.mark.parametrize(
    ("status", "plan", "cost", "bound"),
    [
        (Status.OPTIMAL, "plan", 10, 9),
        (Status.OPTIMAL, "plan", 10, None),
        (Status.OPTIMAL, None, 10, 10),
        (Status.FEASIBLE, "plan", None, None),
        (Status.FEASIBLE, "plan", 10, 11),
        (Status.INFEASIBLE, "plan", None, None),
        (Status.INFEASIBLE, None, None, 4),
        (Status.UNKNOWN, None, 4, None),
    ],
)
def test_contradictions_are_refused(
    status: Status, plan: str | None, cost: int | None, bound: int | None
) -> None:
    with pytest.raises(ValueError, match="outcome"):
        Outcome(status, plan, cost, bound)


def test_found_is_the_plan_or_an_error() -> None:
    assert Outcome(Status.FEASIBLE, "plan", 10).found == "plan"
    with pytest.raises(ValueError, match="has no plan"):
        _ = Outcome[str](Status.UNKNOWN).found


@pytest.mark.parametrize("wrong", [{"time_limit_s": -1}, {"seed": -1}, {"workers": 0}])
def test_params_are_checked(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SolveParams(**wrong)  # type: ignore[arg-type]

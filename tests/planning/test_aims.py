"""What jobs aim at, against every plan of small nets, counted out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise, product

import pytest
from images import ImageNet
from planning_helpers import allowed_everywhere, every_option

from splitopt.arena.rules import target_rules
from splitopt.config.objective import Aim
from splitopt.planning.aims import plan_aimed
from splitopt.planning.planner import Planner
from splitopt.planning.request import Deadline, PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal, Option
from splitopt.solvers.partition.layout import lay_out

WIDTHS = (24, 4, 16, 4)
OPS = len(WIDTHS)
Figures = tuple[int, int, int]
"""Peak in bytes, added instructions, segments."""
WEIGHTS: dict[Aim, tuple[int, int]] = {"fit": (0, 1), "smallest": (1, 0), "balanced": (3, 2)}


def table() -> SegmentTable:
    net = ImageNet()
    source = made = net.image(16, 12, 4)
    for k, width in enumerate(WIDTHS):
        made = net.conv(made, width, 3 if k % 2 else 1, 2 if k % 2 else 1, "same")
    techniques = Techniques(streams=False)
    graph = net.graph([source], [made])
    return SegmentTable(graph, target_rules("m55"), techniques=techniques)


@pytest.fixture(scope="module")
def planner() -> Planner:
    return Planner(table())


@pytest.fixture(scope="module")
def plans(planner: Planner) -> list[Figures]:
    """Of every choice of options, laid out."""
    request = asking("weighted", None)
    instance = planner.instance(every_option(planner, request), request.goal)
    return [
        (
            lay_out(options, instance.boundaries).layout.region_bytes,
            sum(option.cost for option in options),
            len(options),
        )
        for options in choices(instance.options)
    ]


def choices(options: tuple[Option, ...]) -> Iterator[tuple[Option, ...]]:
    for count in range(OPS):
        for cuts in combinations(range(1, OPS), count):
            spans = pairwise((0, *cuts, OPS))
            yield from product(*[[o for o in options if (o.start, o.stop) == s] for s in spans])


def asking(aim: Aim, capacity: int | None, most: int | None = None) -> PlanRequest:
    goal = Goal(*WEIGHTS.get(aim, (1, 1)), capacity=capacity, max_segments=most)
    return PlanRequest(goal, allowed_everywhere(OPS), SolveParams(), aim=aim)


def ranked(aim: Aim) -> Callable[[Figures], tuple[int, ...]]:
    """What is least of the plan that is aimed at."""
    if aim == "fit":  # an uncut model that adds nothing is left alone
        return lambda p: (not (p[2] == 1 and p[1] <= 0), p[1], p[0], p[2])
    if aim == "smallest":
        return lambda p: (p[0], p[1], p[2])
    return lambda p: (3 * p[0] + 2 * p[1], p[2])


def pays(plans: list[Figures], weights: tuple[int, int]) -> bool:
    """Whether the best sum is a tenth below that of the uncut model, where that is among them."""
    values = [(weights[0] * peak + weights[1] * added, n) for peak, added, n in plans]
    uncut = [
        value for (value, n), plan in zip(values, plans, strict=True) if n == 1 and plan[1] <= 0
    ]
    return not uncut or 10 * min(values)[0] <= 9 * min(uncut)


@pytest.mark.parametrize("aim", ["fit", "smallest", "balanced"])
@pytest.mark.parametrize("most", [None, 2])
def test_it_is_the_best_of_all_plans(
    planner: Planner, plans: list[Figures], aim: Aim, most: int | None
) -> None:
    few = [plan for plan in plans if most is None or plan[2] <= most]
    peaks = sorted({peak for peak, _, _ in few})
    for capacity in (None, peaks[-1], peaks[len(peaks) // 2], peaks[3], peaks[0], peaks[0] - 1):
        found = plan_aimed(planner, asking(aim, capacity, most))
        within = [plan for plan in few if capacity is None or plan[0] <= capacity]
        if not within:
            assert isinstance(found, Infeasible)
            continue
        assert isinstance(found, SplitPlan)
        assert found.status is Status.OPTIMAL
        figures = found.peak_ram_bytes, found.added_insn, len(found.cuts) + 1
        rank = ranked(aim)
        if aim == "balanced" and not pays(within, WEIGHTS[aim]):
            assert figures[1:] == (0, 1)
            rank = ranked("fit")
        assert rank(figures) == min(map(rank, within)), capacity
        assert found.cost == found.bound


def test_balanced_cuts_what_fits_only_where_that_pays(
    planner: Planner, plans: list[Figures]
) -> None:
    """Under weights at which the best cuts gain nothing, less than a tenth, and more."""
    seen = set()
    for weight in sorted({int(1.2**step) for step in range(45)}):
        goal = Goal(weight, 1)
        request = PlanRequest(goal, allowed_everywhere(OPS), SolveParams(), aim="balanced")
        found = plan_aimed(planner, request)
        assert isinstance(found, SplitPlan)
        assert found.status is Status.OPTIMAL
        least = min(weight * peak + added for peak, added, _ in plans)
        whole = min(weight * peak + added for peak, added, n in plans if n == 1 and added <= 0)
        is_cut = 10 * least <= 9 * whole
        assert found.cost == (least if is_cut else whole)
        assert bool(found.cuts) <= is_cut
        seen.add((least < whole, is_cut))
    assert seen == {(False, False), (True, False), (True, True)}


def test_ties_are_decided(planner: Planner, plans: list[Figures]) -> None:
    """The net is one on which the second figure matters: plans of least peak differ in time."""
    least = min(peak for peak, _, _ in plans)
    assert len({added for peak, added, _ in plans if peak == least}) > 1


def test_without_time_nothing_is_claimed() -> None:
    found = plan_aimed(Planner(table()), asking("smallest", None), Deadline(0))
    assert isinstance(found, SplitPlan)
    assert found.status is not Status.OPTIMAL
    assert found.unfinished is not None

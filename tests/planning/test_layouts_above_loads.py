"""Layouts that need more than their loads, under a clock that runs out: what was not looked at is
never taken for proved."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from bench.synthetic import convolution_chain, u_net
from images import chance_net
from planning_helpers import allowed_everywhere

from splitopt.arena.rules import target_rules
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning import planner
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_bounds import has_both_ends
from splitopt.planning.segment_options import SegmentTable
from splitopt.solvers import deadline
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition import best_first, conflict_search, cpsat, dp, layout
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance
from splitopt.solvers.partition.model import LayoutCut
from splitopt.solvers.partition.plan import plan_cost


class Clock:
    """Every look at it takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


def taller(
    options: Sequence[Option],
    boundaries: Sequence[Boundary],
    _: SolveParams | None = None,
    __: int | None = None,
) -> layout.LaidOut:
    """As by `lay_out`, but many plans need up to 304 B more than that."""
    found = layout.lay_out(options, boundaries)
    names = str([(option.start, option.stop, option.key) for option in options])
    more = 16 * (zlib.crc32(names.encode()) % 20) if len(options) > 1 else 0
    made = replace(found.layout, region_bytes=found.layout.region_bytes + more)
    return layout.LaidOut(made, found.bound + more)


def only_these(
    instance: PartitionInstance, numbers: Sequence[int], peak: int, params: SolveParams
) -> list[LayoutCut]:
    """What is added by chance says nothing of other options."""
    needed = taller([instance.options[i] for i in numbers], instance.boundaries).bound
    assert needed > peak
    return [LayoutCut(tuple(frozenset({i}) for i in numbers), needed)]


@pytest.mark.parametrize(
    "seed", [1, 5, 13, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (3, 7, 11))]
)
def test_nothing_is_proved_that_was_not_looked_at(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = chance_net(seed)
    allowed = allowed_everywhere(len(graph.ops)) & has_both_ends(graph)
    faked = (
        (cpsat, "lay_out", taller),
        (dp, "lay_out", taller),
        (cpsat, "layout_cuts", only_these),
        (best_first, "_MOST_STEPS", 0),
        (conflict_search, "_MOST_ROUNDS", 0),
    )
    for fake in faked:
        monkeypatch.setattr(*fake)

    def solved(
        goal: Goal, limit_s: float, *, is_patient: bool = True
    ) -> tuple[Status, int | None, int | None]:
        techniques = Techniques(two_heights=False, streams=False, rolled_ends=False)
        table = SegmentTable(graph, target_rules("m55"), techniques=techniques)
        request = PlanRequest(goal, allowed, SolveParams(limit_s), is_patient=is_patient)
        outcome, _ = Planner(table).solve(request)
        return outcome.status, outcome.cost, outcome.bound

    status, least, _ = solved(Goal(1, 0), 60)
    assert status is Status.OPTIMAL
    for goal in (Goal(1, 0), Goal(0, 1, capacity=least)):
        monkeypatch.undo()
        for fake in faked:
            monkeypatch.setattr(*fake)
        _, cost, _ = solved(goal, 60)
        assert cost is not None
        for limit_s in (3600, 60, 150, 250, 400, 700, 1300):
            if limit_s < 3600:
                monkeypatch.setattr(deadline, "time", Clock())
            else:
                monkeypatch.setattr(planner, "_FEW", 0)
            status, found, bound = solved(goal, limit_s, is_patient=limit_s < 3600)
            assert status is not Status.INFEASIBLE
            assert status is not Status.OPTIMAL or found == cost
            assert bound is None or bound <= cost
            assert status is not Status.FEASIBLE or goal.cost_weight or (bound or 0) > 0


def test_layouts_of_long_chains_are_searched_without_ortools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the best path over loads has no layout of its load."""
    file = tmp_path / "chain.tflite"
    file.write_bytes(convolution_chain(50, 0))
    graph = read_tflite(file)
    allowed = allowed_everywhere(len(graph.ops)) & has_both_ends(graph)
    request = PlanRequest(Goal(1000, 1), allowed, SolveParams(60))

    def solved() -> tuple[Status, int | None, int, int]:
        outcome, _ = Planner(SegmentTable(graph, target_rules("m55"))).solve(request)
        cost = plan_cost(outcome.found)
        return outcome.status, outcome.cost, cost.segments, cost.copied_bytes

    monkeypatch.setattr(best_first, "_MOST_STEPS", 0)
    by_cpsat = solved()
    monkeypatch.undo()
    monkeypatch.setattr(cpsat, "solve", None)
    assert solved() == by_cpsat
    assert by_cpsat[0] is Status.OPTIMAL


def test_layouts_of_u_nets_are_decided_by_conflicts_as_by_cpsat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The least peak at a price, then the least price of that peak, for which conflicts of the
    first question are known."""
    file = tmp_path / "net.tflite"
    file.write_bytes(u_net(26, 0))
    graph = read_tflite(file)
    allowed = allowed_everywhere(len(graph.ops)) & has_both_ends(graph)
    monkeypatch.setattr(best_first, "_MOST_STEPS", 0)
    peak = 119_312

    def answers() -> list[tuple[Status, int | None]]:
        table = SegmentTable(graph, target_rules("m55"), techniques=Techniques(streams=False))
        price, own = int(table.whole_invoke(0, len(graph.ops)) // 10), Planner(table)
        found = []
        for goal in (Goal(1, 0, max_cost=price), Goal(0, 1, capacity=peak, max_cost=price)):
            request = PlanRequest(goal, allowed, SolveParams(600), with_ties=goal.cost_weight > 0)
            outcome, _ = own.solve(request)
            found.append((outcome.status, outcome.cost))
        return found

    monkeypatch.setattr(conflict_search, "_MOST_ROUNDS", 0)
    by_cpsat = answers()
    monkeypatch.undo()
    monkeypatch.setattr(best_first, "_MOST_STEPS", 0)
    monkeypatch.setattr(Planner, "_widened", None)
    assert answers() == by_cpsat
    assert by_cpsat[0] == (Status.OPTIMAL, peak)
    assert by_cpsat[1][0] is Status.OPTIMAL

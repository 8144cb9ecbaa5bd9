"""Beside the price of rebuilding stands that of restoring the same plan, where the board can."""

from __future__ import annotations

from planning_helpers import allowed_everywhere, chain

from splitopt.arena.rules import target_rules
from splitopt.cost.costs import InvokeEstimate
from splitopt.explain.memory.facts import lowest_peak_lines
from splitopt.planning.lowest_peak import LowestPeak, lowest_peak
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.switching import Switching, TailMemory
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal


def test_the_price_of_restoring_stands_beside_that_of_rebuilding() -> None:
    graph = chain(6)
    planner = Planner(SegmentTable(graph, target_rules("m55")))
    found = lowest_peak(planner, PlanRequest(Goal(1, 0), allowed_everywhere(6), SolveParams()))
    assert isinstance(found, LowestPeak)
    assert found.pieces > 1
    images = [segment.figures.image_bytes for segment in found.plan.segments]
    wanted = sum(86 + 3 * image // 16 for image in images)
    invoke = InvokeEstimate(20 * wanted, ())

    def line(room: int) -> str:
        switching = Switching((TailMemory("m", room),))
        return next(iter(lowest_peak_lines([found], 10**6, invoke, switching)))

    assert line(sum(images)).endswith(", +5.0 % where pieces are restored from saved tails")
    assert "restored" not in line(min(images) - 16)

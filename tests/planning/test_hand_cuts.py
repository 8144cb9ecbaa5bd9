"""Cuts by hand lie where they say, and none beats the optimum."""

from __future__ import annotations

from pathlib import Path

from planning_helpers import allowed_everywhere

from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.job_table import Pricing, priced_segments
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.unsplit import by_hand, equal_cuts, unsplit, weight_cuts
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"


def test_equal_counts() -> None:
    assert equal_cuts(6, 3) == [2, 4]
    assert equal_cuts(6, 4) == [1, 3, 4]
    assert equal_cuts(6, 1) == []


def test_weights_fill_each_piece_up_to_the_limit() -> None:
    assert weight_cuts([100] * 6, 250) == [2, 4]
    assert weight_cuts([1, 900, 1, 1, 1, 1], 4) == [1, 2]


def test_no_cuts_by_hand_beat_the_plan() -> None:
    graph = read_tflite(MODELS / "squeeze_digits_int8.tflite")
    table = priced_segments(graph, Pricing(abi="m55"))
    goal = Goal(1, 0, max_segments=3)
    request = PlanRequest(goal, allowed_everywhere(len(graph.ops)), SolveParams())
    best = Planner(table).plan(request)
    assert isinstance(best, SplitPlan)
    whole, *others = by_hand(table, 4, request)
    assert (whole.name, whole.cuts, whole.added_insn) == ("no cut", (), 0)
    assert whole.peak_ram_bytes == unsplit(table).ram_bytes
    assert all(cuts.name.endswith("(outside the job's limits)") for cuts in others)
    assert all(cuts.peak_ram_bytes >= best.peak_ram_bytes for cuts in (whole, *others))

"""What the terminal and the report of a sweep say of fronts that are proved, and of others."""

from __future__ import annotations

import pytest

from splitopt.bundle.front_marks import budget_costs
from splitopt.bundle.left_out import unproved_lines
from splitopt.bundle.schema.sweep import Front, Mark, PlannedRecord
from splitopt.report.text.sweep import costs_text, marked_rows, notes_of


def point(name: str, peak: int, added: int, cause: str | None, board: int) -> PlannedRecord:
    return PlannedRecord.model_validate({
        "id": name, "kind": "front", "job": "job", "model": "m.tflite", "board": "swept",
        "budget_bytes": None, "board_budget_bytes": board, "objective": None, "max_pieces": None,
        "status": "FEASIBLE" if cause else "OPTIMAL", "peak_ram_bytes": peak, "added_insn": added,
        "pieces": 1 + (added > 0), "cuts": (), "exact": True, "largest_arena_bytes": peak,
        "unsplit_ram_bytes": 300_000, "estimated_invoke_insn": 1_000_000, "floor": None,
        "smallest_feasible_budget_bytes": None, "plan": f"plans/{name}/plan.json",
        "unfinished": cause, "dominated": False, "wall_s": 0.0, "solver_s": 0.0, "error": None,
    })  # fmt: skip


@pytest.mark.parametrize("cause", [None, "time_limit", "places"])
def test_a_front_begins_with_its_board_and_says_why_it_is_not_proved(cause: str | None) -> None:
    points = [
        point(name, *figures, cause, 57_344)
        for name, figures in [("a", (300_000, 0)), ("b", (60_000, 27_000)), ("c", (57_000, 29_000))]
    ]
    reasons = tuple(unproved_lines(points))
    front = Front(
        model="m.tflite",
        board="swept",
        is_complete=cause is None,
        points=("a", "b", "c"),
        marks=(Mark(mark="smallest", point="c"),),
        budgets=tuple(budget_costs(points))[::-1],
        notes=("a note.", *reasons),
    )
    most = "at most " if cause else ""
    told = f"The board's 57,344 B cost {most}+2.9 % of Invoke; 64 KiB +2.7 %."
    assert costs_text(front, points) == told
    [(_, cells)] = marked_rows(front, points)
    assert cells[3] == f"{most}+29.0 k"
    assert notes_of(front, points) == ["a note."]
    remedy = {"time_limit": "solve.time_limit_s", "places": "a run at one budget"}
    assert [remedy[cause] in reason for reason in reasons] == [True] if cause else not reasons


def test_without_a_plan_that_fits_the_board_round_budgets_are_told() -> None:
    points = [point("a", 300_000, 0, None, 50_000), point("b", 60_000, 27_000, None, 50_000)]
    budgets = tuple(budget_costs(points))
    front = Front(
        model="m.tflite", board="swept", is_complete=True, points=("a", "b"), budgets=budgets
    )
    assert costs_text(front, points) == "64 KiB costs +2.7 % of Invoke."

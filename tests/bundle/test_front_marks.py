"""Marks of a front and costs of budgets, against a search through all of its points."""

from __future__ import annotations

import random
from fractions import Fraction

from splitopt.bundle.front_marks import budget_costs, marks_of
from splitopt.bundle.schema.sweep import PlannedRecord
from splitopt.config.board import Board

WHOLE, INVOKE = 300_000, 1_000_000


def point(name: str, peak: int, added: int) -> PlannedRecord:
    return PlannedRecord(
        id=name, kind="front", job="job", model="m.tflite", board="swept", budget_bytes=None,
        objective=None, max_pieces=None, status="OPTIMAL", peak_ram_bytes=peak, added_insn=added,
        pieces=1 + (added > 0), cuts=(), exact=True, largest_arena_bytes=peak,
        unsplit_ram_bytes=WHOLE, estimated_invoke_insn=INVOKE, floor=None,
        smallest_feasible_budget_bytes=None, plan=f"plans/{name}/plan.json", dominated=False,
        wall_s=0.0, solver_s=0.0, error=None,
    )  # fmt: skip


def drawn(chance: random.Random) -> list[PlannedRecord]:
    """The unsplit model, then points that fall in peak and rise in what they add."""
    count = chance.randint(1, 12)
    peaks = sorted(chance.sample(range(5_000, 290_000), count), reverse=True)
    added = sorted(chance.sample(range(1, 900_000), count))
    split = [point(f"p{k}", *both) for k, both in enumerate(zip(peaks, added, strict=True))]
    return [point("whole", WHOLE, 0), *split]


def board(name: str, budget: int, headroom: int = 1024, abi: str = "m55") -> Board:
    return Board.model_validate(
        {"name": name, "sram_bytes": budget, "headroom_bytes": headroom, "abi": abi}
    )


def test_marks_and_costs_are_those_of_a_search_through_the_front() -> None:
    chance = random.Random(0)
    swept = board("swept", 200_000)
    for _ in range(100):
        points = drawn(chance)
        by_id = {p.id: p for p in points}
        boards = [board(f"b{k}", chance.randint(3_000, 400_000)) for k in range(5)]
        others = [board("roomy", 9_000, headroom=4096), board("pc", 9_000, abi="x86_64")]
        found = list(marks_of(points, [*boards, *others], swept))
        assert sorted(m.board or "" for m in found if m.mark == "fits") == [
            one.name for one in boards
        ]
        for mark in found:
            if mark.mark == "fits":
                fitting = [p for p in points if p.peak_ram_bytes <= (mark.budget_bytes or 0)]
                assert (mark.point is None) == (not fitting)
                if mark.point is not None:
                    assert by_id[mark.point].added_insn == min(p.added_insn for p in fitting)
        named = {m.mark: by_id[m.point] for m in found if m.point and m.mark != "fits"}
        assert named["smallest"] is points[-1]
        sums = [Fraction(p.peak_ram_bytes, WHOLE) + Fraction(p.added_insn, INVOKE) for p in points]
        assert sums[points.index(named["balanced"])] == min(sums)
        below = [_below(p, points) for p in points]
        if "knee" in named:
            assert below[points.index(named["knee"])] == max(below) > 0
        else:
            assert max(below) <= 0
        for cost in budget_costs(points):
            fitting = [p for p in points if p.peak_ram_bytes <= cost.budget_bytes < WHOLE]
            assert cost.added_insn == min(p.added_insn for p in fitting)


def _below(at: PlannedRecord, points: list[PlannedRecord]) -> Fraction:
    """How far the line between the ends of the front passes above a point, in instructions."""
    first, last = points[0], points[-1]
    slope = Fraction(last.added_insn - first.added_insn, first.peak_ram_bytes - last.peak_ram_bytes)
    return last.added_insn - slope * (at.peak_ram_bytes - last.peak_ram_bytes) - at.added_insn


def test_only_boards_with_the_memories_of_the_plans_are_marked() -> None:
    memory = {"name": "psram", "bytes": 9_000, "holds": ["boundary"], "written": "always"}
    bare, rich = board("bare", 200_000), board("swept", 200_000)
    rich = rich.model_validate({**rich.model_dump(), "memories": [memory]}, strict=False)
    points = drawn(random.Random(0))

    def marked(swept: Board) -> list[str | None]:
        return [m.board for m in marks_of(points, [bare, rich], swept) if m.mark == "fits"]

    assert marked(rich) == ["swept"]
    assert marked(bare) == ["bare", "swept"]


def test_a_budget_that_buys_no_more_than_a_smaller_one_is_not_told() -> None:
    points = [point("whole", WHOLE, 0), point("a", 90_000, 50), point("b", 30_000, 900)]
    costs = [(c.budget_bytes // 1024, c.point) for c in budget_costs(points)]
    assert costs == [(32, "b"), (96, "a")]

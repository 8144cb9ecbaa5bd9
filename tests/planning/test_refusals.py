"""What a job without a plan is told to lower."""

from __future__ import annotations

import re

import pytest
from diagnosis_bundles import digits

from splitopt import InfeasibleError, Job, plan


def test_the_piece_that_sets_the_smallest_peak_is_named_below_the_single_op_bound() -> None:
    job = Job.of(
        model=str(digits("unet")),
        board="corstone300_64k",
        budget_bytes=16_384,
        pieces={"bands": False, "offline_plans": False},
    )
    with pytest.raises(InfeasibleError) as caught:
        plan(job)
    said = str(caught.value)
    least = caught.value.facts["smallest_feasible_budget_bytes"]
    assert "CONCATENATION" not in said
    found = re.search(
        r"its piece 0 .*streamed.*: arena ([\d,]+) B, boundary tensors ([\d,]+)", said
    )
    assert found is not None
    assert sum(int(size.replace(",", "")) for size in found.groups()) == least
    assert "the model's input, 3,072 B, which pieces.input: rows" in said


def test_the_op_of_the_single_op_bound_is_named_where_the_plan_rests_on_it() -> None:
    job = Job.of(
        model=str(digits("unet")),
        board="corstone300_64k",
        budget_bytes=16_384,
        pieces={"bands": False, "offline_plans": False, "streams": False},
    )
    with pytest.raises(InfeasibleError, match="op 9 CONCATENATION needs most: a piece with it on"):
        plan(job)


def tails_outside(psram_bytes: int, budget: int, *ways: str) -> Job:
    memory = {"name": "psram", "bytes": psram_bytes, "holds": ["tails"], "written": "always"}
    board = {"name": "two", "sram_bytes": 57_344, "headroom_bytes": 0, "memories": [memory]}
    only_cuts = {"bands": False, "offline_plans": False, "streams": False}
    return Job.of(
        model=str(digits("squeeze")),
        board=board,
        budget_bytes=budget,
        objective={"minimise": "fit"},
        pieces={**only_cuts, **({"switching": list(ways)} if ways else {})},
    )


def test_the_memory_that_is_too_small_is_named_with_what_a_plan_takes_of_it() -> None:
    lowest = 49_000
    with pytest.raises(InfeasibleError) as caught:
        plan(tails_outside(256, lowest))
    [memory] = caught.value.facts["memories"]
    assert (memory["name"], memory["bytes"]) == ("psram", 256)
    needed = memory["needed_bytes"]
    assert f"{lowest:,} B of the main SRAM of two" in str(caught.value)
    assert f"memory psram, which is too small: it has 256 B, and a plan takes {needed:,}" in str(
        caught.value
    )
    assert plan(tails_outside(needed, lowest)).peak_ram_bytes <= lowest


def test_a_way_of_switching_that_is_left_out_is_named_though_pieces_may_be_rebuilt() -> None:
    with pytest.raises(InfeasibleError, match=r"pieces\.switching with resident, which"):
        plan(tails_outside(1 << 20, 49_000, "rebuild"))
    assert plan(tails_outside(1 << 20, 49_000)).peak_ram_bytes <= 49_000

"""What a job without a plan is told to lower."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from diagnosis_bundles import digits
from models import chain_of_sizes

from splitopt import InfeasibleError, Job, plan
from splitopt.base.units import more_text


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
    assert "of them the model's input, 3,072 B; what would help, too: pieces.input: rows" in said


def _job(budget: int | None = None, **keys: Any) -> Job:
    return Job.of(model=str(digits("unet")), board="corstone300_64k", budget_bytes=budget, **keys)


def _would_help(job: Job) -> list[str]:
    with pytest.raises(InfeasibleError) as caught:
        plan(job)
    said: list[str] = caught.value.facts["help"]
    least = caught.value.facts["smallest_feasible_budget_bytes"]
    assert said[0] == f"a budget of {least:,} B: corstone300_64k grants 57,344 B"
    return said[1:]


def test_a_change_that_is_not_enough_is_told_with_how_low_it_gets() -> None:
    lowest = plan(_job(objective={"minimise": "smallest"}, pieces={"input": "rows"}))
    pieces = f"{lowest.peak_ram_bytes:,} B in {len(lowest.segments)} pieces, which does not fit"
    line = _would_help(_job(16_384))[0]
    assert line.startswith("pieces.input: rows, if ")
    assert pieces in line


def test_a_change_that_makes_it_fit_is_told_at_its_least_price() -> None:
    cheapest = plan(_job(24_000, objective={"minimise": "fit"}))
    line = _would_help(_job(24_000, pieces={"streams": False, "bands": False}))[0]
    price = f"{cheapest.peak_ram_bytes:,} B in {len(cheapest.segments)} piece, which fits"
    assert line.startswith(f"pieces.bands and pieces.streams: true: {price}")
    assert f"; {more_text(cheapest.added_insn)}" in line


def test_what_brings_nothing_is_not_proposed(tmp_path: Path) -> None:
    """Rows of an input that has none; more cuts of a chain whose pairs need the same."""
    model = tmp_path / "chain.tflite"
    model.write_bytes(chain_of_sizes([3000, 2000, 3000, 2000, 3000, 2000]))
    job = Job.of(model=str(model), board="corstone300_64k", budget_bytes=4_096, pieces={"max": 1})
    assert [line.split(" ")[0] for line in _would_help(job)] == ["less"]


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
        solve={"time_limit_s": 30},
        pieces={**only_cuts, **({"switching": list(ways)} if ways else {})},
    )


def test_a_memory_that_is_too_small_for_boundary_tensors_is_named() -> None:
    """46,576 B is what the heaviest op needs, so that nothing beside its arena has room."""
    job = tails_outside(256, 46_576)
    [memory] = job.board.memories
    own = memory.model_copy(update={"holds": ("boundary",)})
    board = job.board.model_copy(update={"memories": (own,)})
    with pytest.raises(InfeasibleError, match="more of memory psram, which is too small") as caught:
        plan(replace(job, board=board))
    [short] = caught.value.facts["memories"]
    roomy = own.model_copy(update={"bytes": short["needed_bytes"]})
    board = board.model_copy(update={"memories": (roomy,)})
    found = plan(replace(job, board=board))
    assert found.peak_ram_bytes == 46_576
    assert {placed.memory for placed in found.plan.placements} == {"psram"}


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

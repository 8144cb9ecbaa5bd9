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

"""The three plans of a run: each is what a job that aims at it would get."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from splitopt.bundle.load import load_run
from splitopt.config.job import Job, read_job
from splitopt.config.objective import Aim
from splitopt.convert.open_model import open_model
from splitopt.solvers.outcome import Status
from splitopt.workflows.choices import best_known
from splitopt.workflows.plan import plan, plan_job
from splitopt.workflows.run import run_job

MODEL = Path(__file__).resolve().parents[2] / "configs" / "models" / "unet_digits_int8.tflite"


def job(aim: Aim) -> Job:
    return Job.of(
        model=MODEL, board="corstone300_64k", budget_bytes=40_000, objective={"minimise": aim}
    )


@pytest.mark.parametrize("aim", ["balanced", "weighted"])
def test_each_is_what_a_job_of_its_own_gets(aim: Aim) -> None:
    planned = plan_job(job(aim), open_model(job(aim)), with_choices=True)
    names = [choice.aim for choice in planned.choices]
    assert names == ["fit", "balanced", "smallest", *(["weighted"] if aim == "weighted" else [])]
    for choice in planned.choices:
        own = plan(job(choice.aim)).plan
        assert (choice.plan.peak_ram_bytes, choice.plan.added_insn, choice.plan.cuts) == (
            *(own.peak_ram_bytes, own.added_insn),
            own.cuts,
        )
        assert choice.plan.status is own.status
    assert [choice.aim for choice in planned.choices if choice.plan is planned.plan] == [aim]


def test_they_are_in_the_bundle_and_its_job_makes_it_again(tmp_path: Path) -> None:
    first = run_job(job("fit"), out=tmp_path, verify=False)
    read = load_run(first.folder).plan
    assert [choice.aim for choice in read.choices] == ["fit", "balanced", "smallest"]
    [written] = [choice for choice in read.choices if choice.is_written]
    assert (written.aim, written.flash_bytes) == ("fit", read.piece_bytes)
    assert written.peak_ram_bytes == read.peak_ram_bytes
    again = run_job(read_job(first.folder / "job.yaml"), out=tmp_path, verify=False)
    assert again.plan.cuts == first.plan.cuts
    assert again.document.objective == first.document.objective


def test_a_plan_that_is_not_proved_is_never_worse_than_another_of_the_run() -> None:
    planned = plan_job(job("fit"), open_model(job("fit")), with_choices=True)
    plans = {choice.aim: choice.plan for choice in planned.choices}
    dear = replace(
        plans["smallest"], goal=plans["fit"].goal, status=Status.FEASIBLE, bound=0, cost=10**9
    )
    assert dear.added_insn > plans["fit"].added_insn
    found = best_known(dear, plans.values())
    assert (found.added_insn, found.peak_ram_bytes) == (
        plans["fit"].added_insn,
        plans["fit"].peak_ram_bytes,
    )
    assert (found.status, found.cost) == (Status.FEASIBLE, plans["fit"].added_insn)
    tight = replace(dear, goal=replace(dear.goal, capacity=dear.peak_ram_bytes))
    assert best_known(tight, plans.values()) is tight

"""A run whose plan has streams, in a bundle of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from diagnosis_bundles import digits
from once import made_once

from splitopt.config.job import read_job
from splitopt.planning import job_table
from splitopt.planning.segment import CUTS_ONLY
from splitopt.workflows.run import RunResult, run_job


def kept_streams(model: str, factory: pytest.TempPathFactory) -> Path:
    """The bundle of `streamed_run`, not verified, for tests that do not change it."""
    return made_once(
        factory, f"streams_{model}", lambda home: streamed_run(home, model, verify=False).folder
    )


def streamed_run(
    home: Path, model: str = "resnet8", *, verify: bool = True, by_rows: bool = False
) -> RunResult:
    """The plan of the least peak that streams with rolled ends reach, without bands. `by_rows`: the
    application hands the input over row by row."""
    job = home / f"{model}.yaml"
    job.write_text(
        f"model: {{path: {digits(model)}}}\nboard: corstone300_128k\n"
        "objective: {minimise: smallest}\nverify: {inputs: 3, litert: false}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        streams = replace(CUTS_ONLY, streams=True, rolled_ends=True, input_by_rows=by_rows)
        patch.setattr(job_table, "techniques_of", lambda _: streams)
        return run_job(read_job(job), out=home / "out", verify=verify)

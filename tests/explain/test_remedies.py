"""What the remedies of techniques are counted from, and that the plans they speak of are those of
runs."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml
from diagnosis_bundles import digits

from splitopt import Job, explain
from splitopt import plan as plan_of
from splitopt.base.units import more_text
from splitopt.bundle.schema.explain import ModelExplanation, Remedy
from splitopt.explain.memory.remedies import technique_remedies
from splitopt.planning.lowest_peak import BY_ROWS, LowestPeak


def test_all_techniques_are_counted_from_one_peak() -> None:
    job = Job.of(model=str(digits("squeeze")), board="corstone300_64k", pieces={"streams": False})
    plan = plan_of(job).plan
    sizes = {"cuts": 55_000, "streams": 40_000, BY_ROWS: 38_000}
    every = [
        LowestPeak(code, code, replace(plan, peak_ram_bytes=size), None)
        for code, size in sizes.items()
    ]
    found = list(technique_remedies(every[0], every[1:], 60_000))
    assert [remedy.worth_bytes for remedy in found] == [60_000 - size for size in sizes.values()]
    assert all(remedy.sentence.startswith("from 60,000 B, ") for remedy in found)

    useless = [every[1], replace(every[2], plan=every[1].plan)]
    assert [remedy.code for remedy in technique_remedies(None, useless, 60_000)] == ["streams"]
    as_low = replace(every[1], plan=every[0].plan)
    cuts, streams = technique_remedies(every[0], [as_low], 60_000)
    assert (cuts.worth_bytes, streams.worth_bytes) == (5_000, 0)
    assert streams.sentence.startswith("row streams get nothing below 55,000 B")


@pytest.fixture(scope="module")
def remedies() -> dict[str, Remedy]:
    found = explain(digits("squeeze"), "corstone300_64k")
    assert isinstance(found, ModelExplanation)
    return {remedy.code: remedy for remedy in found.remedies}


@pytest.mark.parametrize("code", ["cuts", "streams"])
def test_a_run_of_what_a_remedy_proposes_is_the_plan_that_it_speaks_of(
    code: str, remedies: dict[str, Remedy]
) -> None:
    remedy = remedies[code]
    words = re.search(r"pieces: ({.*?})", remedy.next_step)
    planned = plan_of(
        Job.of(
            model=str(digits("squeeze")),
            board="corstone300_64k",
            objective={"minimise": "smallest"},
            pieces=yaml.safe_load(words[1]) if words else {},
        )
    )
    assert remedy.worth_bytes == planned.unsplit_ram_bytes - planned.peak_ram_bytes
    assert f"reach {planned.peak_ram_bytes:,} B in {len(planned.segments)} piece" in remedy.sentence
    assert remedy.next_step.endswith(f"; {more_text(planned.added_insn)} per inference (estimate)")

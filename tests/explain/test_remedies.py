"""What the remedies of techniques are counted from."""

from __future__ import annotations

from dataclasses import replace

from diagnosis_bundles import digits

from splitopt import Job
from splitopt import plan as plan_of
from splitopt.explain.memory.remedies import technique_remedies
from splitopt.planning.lowest_peak import BY_ROWS, LowestPeak


def test_input_by_rows_is_counted_from_the_lowest_peak_without_it() -> None:
    job = Job.of(model=str(digits("squeeze")), board="corstone300_64k", pieces={"streams": False})
    plan = plan_of(job).plan
    sizes = {"streams": 40_000, BY_ROWS: 38_000}
    found = [
        LowestPeak(code, code, replace(plan, peak_ram_bytes=size), None)
        for code, size in sizes.items()
    ]
    streams, by_rows = technique_remedies(None, found, 60_000, 60_000)
    assert (streams.worth_bytes, by_rows.worth_bytes) == (20_000, 2_000)
    assert streams.sentence.startswith("from 60,000 B, row streams reach 40,000 B")
    assert by_rows.sentence.startswith("from 40,000 B, row streams that are handed")
    assert "budget_bytes: 38000;" in by_rows.next_step

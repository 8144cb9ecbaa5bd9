"""Where resident pieces keep bytes in the main SRAM, every account of the peak holds them."""

from __future__ import annotations

import re

import pytest
from diagnosis_bundles import digits

from splitopt import Job
from splitopt.bundle.load import load_run
from splitopt.bundle.schema.explain import RunMemory
from splitopt.bundle.schema.plan import Plan
from splitopt.explain.run import diagnose_run
from splitopt.workflows.run import RunResult, run_job


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """The cheapest plan within the budget: of its pieces, some are resident."""
    asked = {"budget_bytes": 15_000, "objective": {"minimise": "fit"}}
    job = Job.of(model=str(digits("squeeze")), board="corstone300_64k", **asked)
    return run_job(job, out=tmp_path_factory.mktemp("run"), verify=False)


@pytest.fixture(scope="module")
def plan(finished: RunResult) -> Plan:
    plan = load_run(finished.folder).plan
    assert {"resident", "rebuild"} <= {segment.switching for segment in plan.segments}
    return plan


@pytest.fixture(scope="module")
def memory(finished: RunResult) -> RunMemory:
    found = diagnose_run(finished.folder, is_suspect=False)
    assert found is not None
    return found.memory


def kept(plan: Plan) -> int:
    return sum(s.kept_bytes for s in plan.segments if s.kept_in is None)


def sizes(text: str) -> list[int]:
    return [int(size.replace(",", "")) for size in re.findall(r"([\d,]+) B", text)]


def test_kept_bytes_are_a_cause_and_shares_are_of_the_whole_peak(
    memory: RunMemory, plan: Plan
) -> None:
    assert memory.after_bytes == plan.peak_ram_bytes
    assert [p.kept_bytes for p in memory.pieces] == [s.kept_bytes for s in plan.segments]
    own = next(cause for cause in memory.causes if cause.code == "kept")
    assert own.size_bytes == kept(plan)
    assert "[rebuild]" in own.next_step
    assert "holds tails" in own.next_step
    for cause in memory.causes:
        if cause.code != "floor_op":
            share = 100 * cause.size_bytes / plan.peak_ram_bytes
            assert f"{cause.size_bytes:,} B, {share:.1f} % of the peak" in cause.sentence
    largest = max(memory.pieces, key=lambda piece: piece.ram_bytes)
    parts = [c for c in memory.causes if c.code not in ("floor_op", "live_set")]
    rest = largest.live_bytes + largest.interpreters_bytes
    assert sum(cause.size_bytes for cause in parts) + rest == plan.peak_ram_bytes


def test_what_sets_the_peak_adds_up_to_it(finished: RunResult, plan: Plan) -> None:
    parts = re.search(r"\((.* B)\)[,;]", finished.limit)
    assert parts is not None, finished.limit
    assert sum(sizes(parts[1])) == plan.peak_ram_bytes

"""Where resident pieces keep bytes in the main SRAM, every account of the peak holds them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from diagnosis_bundles import digits

from splitopt import Job
from splitopt.base.text import plain_text
from splitopt.bundle.load import load_run
from splitopt.bundle.schema.explain import RunMemory
from splitopt.bundle.schema.plan import Plan
from splitopt.explain.run import diagnose_run
from splitopt.report.pages.tables import ram_formula
from splitopt.report.text.answer import answer_text
from splitopt.report.text.summary import before_after, segment_columns, segment_rows
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


def test_the_table_of_pieces_adds_up_to_the_peak(plan: Plan) -> None:
    columns = segment_columns(plan)
    rows = [dict(zip(columns, row, strict=True)) for row in segment_rows(plan)]
    arenas, rams, all_kept = [], [], []
    for row in rows:
        number = {name: int(row[name].replace(",", "")) for name in columns[3:-1]}
        least = number["head"] + number["tail"] + plan.board.headroom_bytes
        assert least <= number["arena"] < least + 16 + 208 * 6
        assert (number["tail"] == 0) == (number["kept"] > 0) == ("resident" in row["runs"])
        ends = number["in"], number["out"]
        both = sum(ends) if "streamed" in row["runs"] else max(ends)
        assert number["RAM"] <= number["arena"] + number["through"] + both
        rams.append(number["RAM"])
        arenas.append(number["arena"])
        all_kept.append(number["kept"])
    assert max(rams) + sum(all_kept) == plan.peak_ram_bytes
    formula = ram_formula(plan)
    total = f"{max(rams):,} + {sum(all_kept):,} = {plan.peak_ram_bytes:,}"
    assert formula.endswith(total)
    change = {row[0]: row[1:] for row in before_after(plan)}
    [arena] = (cells for title, cells in change.items() if title.startswith("largest arena"))
    assert arena[1:] == (f"{max(arenas):,} B", "")
    assert change["of it kept by resident pieces, for good"][1] == f"{sum(all_kept):,} B"


def test_the_report_draws_and_declares_what_is_kept(finished: RunResult, plan: Plan) -> None:
    page = (finished.folder / "report.html").read_text("utf-8").replace("\N{NO-BREAK SPACE}", " ")
    own, peak = f"{kept(plan):,} B", f"{plan.peak_ram_bytes:,} B"
    assert f"on the {own} that resident pieces keep: at most {peak}" in page
    assert f"kept by resident pieces, for good: {own}" in page
    assert f"its top {own} are kept by resident pieces for good" in page
    for segment in plan.segments:
        says = f"tail and interpreters kept above all pieces {segment.kept_bytes:,} B"
        assert (says in page) == (segment.switching == "resident")


def test_plans_that_keep_nothing_have_no_such_column() -> None:
    old = load_run(Path(__file__).resolve().parents[1] / "golden" / "bundle_v1").plan
    assert "kept" not in segment_columns(old)
    assert all(len(row) == len(segment_columns(old)) for row in segment_rows(old))


def test_the_answer_says_what_stays_taken_and_what_start_up_costs(plan: Plan) -> None:
    own = [segment for segment in plan.segments if segment.switching == "resident"]
    is_all = {"exact": False, "status": "FEASIBLE", "estimated_ops": ("op 1 X",)}
    late = tuple(c.model_copy(update={"status": "FEASIBLE"}) for c in plan.choices)
    for told in (plan, plan.model_copy(update={**is_all, "choices": late})):
        lines = plain_text(answer_text(told, (), "results/x/1")).rstrip("\n").split("\n")
        assert len(lines) <= 15
        [said] = [line for line in lines if line.startswith("Resident: ")]
        assert said.startswith(f"Resident: {len(own)} pieces")
        assert f"in the main SRAM ({kept(plan):,} B); +" in said
        share = 100 * plan.first_insn / plan.baseline.estimated_invoke_insn
        assert said.endswith(f"once, at start-up (estimate, {share:+.1f} % of Invoke).")

"""Charts as files: .svg everywhere, .png where a machine has a font; points as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from report_documents import kept_bundle, run_documents, synthetic_sweep

from splitopt.bundle.load import RunDocuments, SweepDocuments
from splitopt.report.charts.chart_files import write_charts
from splitopt.report.charts.pareto import pareto_csv


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDocuments:
    return run_documents(kept_bundle("mbv2_digits", tmp_path_factory))


@pytest.fixture(scope="module")
def sweep(run: RunDocuments) -> SweepDocuments:
    return synthetic_sweep(run, 60)


def test_figures_are_files_of_their_own(
    run: RunDocuments, sweep: SweepDocuments, tmp_path: Path
) -> None:
    for name in charts_of(run, sweep, tmp_path, ".svg"):
        assert (tmp_path / name).read_bytes().startswith(b"<?xml")


@pytest.mark.needs("font")
def test_figures_are_written_twice(
    run: RunDocuments, sweep: SweepDocuments, tmp_path: Path
) -> None:
    for name in charts_of(run, sweep, tmp_path, ".png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def charts_of(run: RunDocuments, sweep: SweepDocuments, folder: Path, suffix: str) -> Iterator[str]:
    """The names of all charts of that kind, which were just written."""
    name = "$\\frac{1}{$ \U0001f600\n"  # neither a formula nor a line of its own
    job = run.plan.job.model_copy(update={"name": name})
    plan = run.plan.model_copy(update={"job": job, "segments": run.plan.segments[:1]})
    memory = run.memory.model_copy(update={"segments": run.memory.segments[:1]})
    written = write_charts(replace(run, plan=plan, memory=memory), folder)
    written += write_charts(sweep, folder)
    names = {path.name for path in written if path.suffix == suffix}
    stems = ("ram_per_step", "memory_map_00", "pareto", "pareto_02")
    assert names == {f"{stem}{suffix}" for stem in stems}
    return iter(names)


def test_csv_has_a_line_for_each_record_and_no_formulas(sweep: SweepDocuments) -> None:
    rows = [record.model_copy(update={"job": "=cmd()"}) for record in sweep.records]
    lines = pareto_csv(rows).splitlines()
    assert len(lines) == len(rows) + 1
    assert lines[0].startswith("id,kind,job,model,board,budget_bytes,")
    assert ",=cmd()" not in "".join(lines)
    assert ",'=cmd()," in lines[1]

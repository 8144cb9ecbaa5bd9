"""A report and its figures as files, beside a finished run or anywhere else."""

from __future__ import annotations

from itertools import count, islice
from pathlib import Path

from splitopt.base.errors import ToolError, UsageError
from splitopt.bundle.load import load_run, load_sweep
from splitopt.report.charts.chart_files import write_charts
from splitopt.report.charts.pareto import pareto_csv
from splitopt.report.pages.run import render_run
from splitopt.report.pages.sweep import render_sweep


def write_report(folder: Path, out: Path, timing: Path | None = None) -> list[Path]:
    """The files written, report.html first. Nothing is overwritten. `timing`: a timing.json that
    `splitopt time` wrote for a run.

    Raises UsageError for a folder that is neither, and where `out` has a report already.
    """
    page = out / "report.html"
    if page.exists():
        raise UsageError(f"{page}: already exists; pass another --out")
    try:
        if not (folder / "sweep.json").exists():
            return _write_run(folder, out, timing)
        if timing is not None:
            raise UsageError(f"{folder}: a sweep, which has no timing.json; leave --timing out")
        return _write_sweep(folder, out)
    except OSError as error:
        raise ToolError(f"{error.filename}: cannot be written ({error.strerror})") from error


def free_folder(wanted: Path) -> Path:
    """The folder, or `NAME-2`, `NAME-3` and so on, whichever is the first that does not exist."""
    names = (wanted.with_name(f"{wanted.name}-{number}") for number in count(2))
    return next(path for path in (wanted, *islice(names, 10_000)) if not path.exists())


def _write_run(folder: Path, out: Path, timing: Path | None) -> list[Path]:
    documents = load_run(folder, timing)
    return [
        _write(out / "report.html", render_run(documents)),
        *write_charts(documents, out / "figures"),
    ]


def _write_sweep(folder: Path, out: Path) -> list[Path]:
    documents = load_sweep(folder)
    return [
        _write(out / "report.html", render_sweep(documents)),
        _write(out / "pareto.csv", pareto_csv(documents.records)),
        *write_charts(documents, out / "figures"),
    ]


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path

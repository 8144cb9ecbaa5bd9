"""What a finished sweep leaves: rows, front, summary and report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from splitopt.bundle.documents import json_text, row_lines
from splitopt.bundle.folder import manifest
from splitopt.bundle.load import ROWS, load_sweep
from splitopt.bundle.schema.sweep import Record, Sweep
from splitopt.report.charts.chart_files import write_charts
from splitopt.report.charts.pareto import pareto_csv
from splitopt.report.pages.sweep import render_sweep


def write_results(folder: Path, document: Sweep, rows: Sequence[Record]) -> None:
    (folder / ROWS).write_text(row_lines(rows), "utf-8")
    (folder / "sweep.json").write_text(json_text(document), "utf-8")
    documents = load_sweep(folder)
    (folder / "pareto.csv").write_text(pareto_csv(documents.records), "utf-8")
    (folder / "report.html").write_text(render_sweep(documents), "utf-8")
    if documents.plans:
        write_charts(documents, folder / "figures")
    own = manifest(folder, 0, {"sweep": Path(document.path)})
    (folder / "manifest.json").write_text(json_text(own), "utf-8")

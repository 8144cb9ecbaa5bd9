"""What a finished sweep leaves: rows, front, summary and report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from splitopt.bundle.folder import manifest
from splitopt.bundle.load import load_sweep
from splitopt.report.charts.figures import figures
from splitopt.report.charts.pareto import pareto_csv
from splitopt.report.pages.sweep import render_sweep
from splitopt.workflows.sweep.record import Row


def write_results(folder: Path, document: dict[str, Any], rows: Sequence[Row]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "records.jsonl").write_text("".join(lines), "utf-8")
    _write_json(folder / "sweep.json", document)
    documents = load_sweep(folder)
    (folder / "pareto.csv").write_text(pareto_csv(documents.records), "utf-8")
    (folder / "report.html").write_text(render_sweep(documents), "utf-8")
    if any(row["plan"] for row in rows):
        figures(documents, folder / "figures")
    _write_json(folder / "manifest.json", manifest(folder, 0, {"sweep": Path(document["path"])}))


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")

"""What a sweep found, in text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from splitopt.base.units import format_bytes, format_kinsn, format_percent, plural
from splitopt.workflows.sweep.record import Row

Document = dict[str, Any]
Cells = tuple[str, ...]

FRONT_COLUMNS = (
    "point", "budget", "peak RAM", "of unsplit", "estimated added", "of Invoke", "pieces", "proof"
)  # fmt: skip


def sweep_verdicts(document: Document, rows: Sequence[Row]) -> Iterator[str]:
    """A sentence for each model and board: how far the peak falls, and at what price."""
    by_id = {row["id"]: row for row in rows}
    for front in document["fronts"]:
        found = [by_id[name] for name in front["points"]]
        least = min(found, key=lambda row: (row["peak_ram_bytes"], row["added_insn"]))
        where = f"{Path(front['model']).name} on {front['board']}"
        unsplit, peak = least["unsplit_ram_bytes"], least["peak_ram_bytes"]
        if peak >= unsplit:
            yield f"{where}: no plan needs less than the unsplit {format_bytes(unsplit)}."
            continue
        whole = ", the whole Pareto front" if front["is_complete"] else ""
        yield (
            f"{where}: {format_bytes(unsplit)} unsplit, down to {format_bytes(peak)} "
            f"({format_percent(peak - unsplit, unsplit)}) for an estimated "
            f"{format_kinsn(least['added_insn'])} an inference; "
            f"{plural(len(found), 'undominated point')}{whole}."
        )
    counts = document["counts"]
    rest = {k: n for k, n in counts.items() if k not in ("OPTIMAL", "FEASIBLE") and n}
    if rest:
        yield "Other points: " + ", ".join(f"{n} {status}" for status, n in rest.items()) + "."


def front_tables(document: Document, rows: Sequence[Row]) -> Iterator[tuple[str, list[Cells]]]:
    """The undominated points of each model and board, by falling peak."""
    by_id = {row["id"]: row for row in rows}
    for front in document["fronts"]:
        title = f"{Path(front['model']).name} on {front['board']}"
        yield title, [_cells(by_id[name]) for name in front["points"]]


def _cells(row: Row) -> Cells:
    budget = "auto" if row["budget_bytes"] is None else format_bytes(row["budget_bytes"])
    unsplit, invoke = row["unsplit_ram_bytes"], row["estimated_invoke_insn"]
    proved = {None: "", True: ", equal", False: ", NOT EQUAL"}[row["proved"]]
    return (
        row["id"],
        budget,
        format_bytes(row["peak_ram_bytes"]),
        format_percent(row["peak_ram_bytes"] - unsplit, unsplit),
        format_kinsn(row["added_insn"]),
        format_percent(row["added_insn"], invoke),
        str(row["pieces"]),
        f"{row['status']}{'' if row['exact'] else ', bytes estimated'}{proved}",
    )


def failure_lines(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row["error"]:
            yield f"{row['status']} {row['id']}: {row['error']}"

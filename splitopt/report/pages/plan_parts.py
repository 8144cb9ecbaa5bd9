"""Parts of a plan that reports of runs and of sweeps both show."""

from __future__ import annotations

from typing import Any

from splitopt.base.units import format_bytes
from splitopt.report.pages.grid import Grid, Row, grid
from splitopt.report.text.summary import SEGMENT_COLUMNS, segment_rows

Document = dict[str, Any]


def limiting_index(plan: Document) -> int:
    """The piece whose RAM is the peak; the first, where several are."""
    segments = plan["segments"]
    return max(range(len(segments)), key=lambda k: segments[k]["ram_bytes"])


def limit_sentence(plan: Document) -> str:
    """What sets the peak, and what no cut can change."""
    segment, floor = plan["segments"][limiting_index(plan)], plan["floor"]
    where = f"Piece {segment['index']:02d} (ops {segment['start']} to {segment['stop'] - 1})"
    if len(plan["segments"]) == 1:
        where = "The unsplit model"
    least = format_bytes(floor["least_ram_bytes"])
    op = f"op {floor['op']} {floor['type']}"
    if plan["peak_ram_bytes"] < floor["least_ram_bytes"]:
        return (
            f"{where} sets the peak, below the {least} that a piece with {op} needs on all rows: "
            "no set of cuts gets there without bands."
        )
    return (
        f"{where} sets the peak; no set of cuts on all rows gets below {least}, the least that a "
        f"piece with {op} needs."
    )


def boundary_names(plan: Document) -> dict[int, str]:
    return {entry["tensor"]: entry["name"] for entry in plan["layout"]["boundary"]}


def segment_grid(plan: Document) -> Grid:
    """A row for each piece. Where bytes are estimates, the row says so."""
    header = (*SEGMENT_COLUMNS[:-1], "estimated added", "estimated Invoke", "bytes are")
    rows: list[Row] = []
    for segment, row in zip(plan["segments"], segment_rows(plan), strict=True):
        insn = segment.get("estimated_invoke_insn")
        invoke = "-" if insn is None else f"{insn / 1000:,.1f} kinsn"
        rows.append((*row, invoke, "exact" if segment["exact"] else "estimated"))
    return grid("Pieces; sizes in bytes", header, rows)


def contract_grid(contract: list[Document]) -> Grid:
    """What the two sides of each boundary agree on, or do not."""
    header = ("boundary tensor", "from piece", "writes scale", "zero point", "to piece",
              "reads scale", "zero point", "requantised")  # fmt: skip
    rows: list[Row] = []
    for entry in contract:
        sides = (
            cell
            for side in (entry["writer"], entry["reader"])
            for cell in (f"{side['piece']:02d}", f"{side['scale']:.6g}", str(side["zero_point"]))
        )
        name = entry["onnx_tensor"] or "inserted by the converter"
        rows.append((name, *sides, "yes" if entry["requantise"] else "no"))
    return grid("The contract at each boundary", header, rows)


def proof_words(status: str, plan: Document) -> str:
    """What the status of a point claims."""
    if status == "OPTIMAL":
        basis = "" if plan["exact"] else " on these estimates of bytes"
        return f"OPTIMAL{basis}: no other plan is better under this point's limits."
    gap = 100 * plan["objective"]["gap"]
    return f"{status}: a better plan may exist, by at most {gap:.2f} % of the objective."

"""Parts of a plan that reports of runs and of sweeps both show."""

from __future__ import annotations

from collections.abc import Sequence

from splitopt.base.units import format_bytes, format_insn
from splitopt.bundle.schema.plan import Agreement, Plan
from splitopt.report.pages.grid import Grid, Row, grid
from splitopt.report.text.summary import SEGMENT_COLUMNS, segment_rows


def limit_sentence(plan: Plan) -> str:
    """What sets the peak, and what no cut can change."""
    segment, floor = plan.limiting, plan.floor
    where = f"Piece {segment.index:02d} (ops {segment.start} to {segment.stop - 1})"
    if len(plan.segments) == 1:
        where = "The unsplit model"
    least = format_bytes(floor.least_ram_bytes)
    op = f"op {floor.op} {floor.type}"
    if plan.peak_ram_bytes < floor.least_ram_bytes:
        return (
            f"{where} sets the peak, below the {least} that a piece with {op} needs on all rows: "
            "no set of cuts gets there without bands."
        )
    return (
        f"{where} sets the peak; no set of cuts on all rows gets below {least}, the least that a "
        f"piece with {op} needs."
    )


def segment_grid(plan: Plan) -> Grid:
    """A row for each piece. Where bytes are estimates, the row says so."""
    header = (*SEGMENT_COLUMNS, "Invoke insn", "bytes are")
    rows: list[Row] = []
    for segment, row in zip(plan.segments, segment_rows(plan), strict=True):
        invoke = format_insn(segment.estimated_invoke_insn)
        rows.append((*row, invoke, "exact" if segment.exact else "estimated"))
    return grid("Pieces; sizes in bytes", header, rows)


def contract_grid(contract: Sequence[Agreement]) -> Grid:
    """What the two sides of each boundary agree on, or do not."""
    header = ("boundary tensor", "from piece", "writes scale", "zero point", "to piece",
              "reads scale", "zero point", "requantised")  # fmt: skip
    rows: list[Row] = []
    for entry in contract:
        sides = (
            cell
            for side in (entry.writer, entry.reader)
            for cell in (f"{side.piece:02d}", f"{side.scale:.6g}", str(side.zero_point))
        )
        name = entry.onnx_tensor or "inserted by the converter"
        rows.append((name, *sides, "yes" if entry.requantise else "no"))
    return grid("The contract at each boundary", header, rows)


def proof_words(status: str, plan: Plan) -> str:
    """What the status of a point claims."""
    if status == "OPTIMAL":
        basis = "" if plan.exact else " on these estimates of bytes"
        return f"OPTIMAL{basis}: no other plan is better under this point's limits."
    gap = 100 * plan.objective.gap
    return f"{status}: a better plan may exist, by at most {gap:.2f} % of the objective."

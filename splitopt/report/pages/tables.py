"""Tables of a report: a caption, columns and rows of text; the first cell of a row names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from splitopt.base.text import Row
from splitopt.base.units import format_insn
from splitopt.bundle.schema.board_timing import BoardTiming
from splitopt.bundle.schema.conversion import Agreement
from splitopt.bundle.schema.manifest import Manifest
from splitopt.bundle.schema.plan import Plan
from splitopt.bundle.schema.timing import Timing
from splitopt.report.text.board_timing import board_columns, board_lines, board_rows
from splitopt.report.text.summary import segment_columns, segment_rows
from splitopt.report.text.timing import timing_columns, timing_lines, timing_rows


@dataclass(frozen=True)
class Grid:
    """`numbers`: columns from this one on hold numbers and stand to the right."""

    caption: str
    header: Row
    rows: Sequence[Row]
    numbers: int = 1


def segment_grid(plan: Plan) -> Grid:
    """A row for each piece. Where some bytes are estimates, each row says whether its own are."""
    header = (*segment_columns(plan), "Invoke insn", *(() if plan.exact else ("bytes are",)))
    rows: list[Row] = []
    for segment, row in zip(plan.segments, segment_rows(plan), strict=True):
        basis = ("exact" if segment.exact else "estimated",)
        rows.append(
            (*row, format_insn(segment.estimated_invoke_insn), *(() if plan.exact else basis))
        )
    return Grid("Pieces; sizes in bytes", header, rows)


def ram_formula(plan: Plan) -> str:
    """How the columns of `segment_grid` add up to a piece's RAM, and to the peak where resident
    pieces keep bytes."""
    formula = _piece_formula(plan)
    if not any(segment.kept_bytes for segment in plan.segments):
        return formula
    more = "kept: tail and interpreters of a resident piece, which stay outside its arena"
    if not plan.kept_bytes:
        return f"{formula}; {more}"
    peak, kept = plan.peak_ram_bytes, plan.kept_bytes
    return (
        f"{formula}; {more}. Peak RAM = the largest RAM of a piece + all that is kept in the main "
        f"SRAM = {peak - kept:,} + {kept:,} = {peak:,}"
    )


def _piece_formula(plan: Plan) -> str:
    """Of a piece's RAM, in the ways that the plan has."""
    larger, both = "arena + through + the larger of in and out", "arena + through + in + out"
    if any(segment.rolled for segment in plan.segments):
        both += ", less the bytes that in and out share"
    apart = {
        "run in bands": any(s.bands is not None for s in plan.segments),
        "streamed": any(s.stream is not None for s in plan.segments),
    }
    ways = " or ".join(way for way, is_there in apart.items() if is_there)
    if not ways:
        return f"RAM = {larger}"
    if all(s.bands is not None or s.stream is not None for s in plan.segments):
        return f"RAM = {both}"
    return f"RAM = {larger} where a piece runs once; {both} where it is {ways}"


def file_grid(plan: Plan) -> Grid:
    """Every file of the pieces, with what its piece takes of RAM; empty where none was written."""
    rows: list[Row] = []
    for segment in plan.segments:
        files = segment.stream.groups if segment.stream is not None else (segment,)
        for made in files:
            if made.piece is not None and made.piece_bytes is not None:
                own = segment.index, segment.arena_bytes
                rows.append((made.piece, f"{made.piece_bytes:,}", f"{own[0]:02d}", f"{own[1]:,}"))
    header = ("file", "bytes of flash", "piece", "its arena in RAM")
    return Grid("Files of the pieces; sizes in bytes", header, rows)


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
    return Grid("The contract at each boundary", header, rows)


def hashes(manifest: Manifest) -> Grid:
    return Grid("Files of the bundle", ("file", "SHA-256"), [*manifest.files.items()], numbers=2)


def timing_grid(timing: Timing) -> Grid:
    """timing.json, with what its figures are not."""
    return Grid(" ".join(timing_lines(timing)), timing_columns(timing), timing_rows(timing))


def board_grid(timing: BoardTiming) -> Grid:
    """timing.json of a board's log."""
    return Grid(" ".join(board_lines(timing)), board_columns(timing), board_rows(timing))

"""timing.json of a board's log as text: what was measured there, beside what was estimated."""

from __future__ import annotations

from collections.abc import Iterator

from splitopt.base.text import Paragraph, Row, lines_of, table_of
from splitopt.base.units import plural
from splitopt.bundle.schema.board_timing import BoardPiece, BoardTiming, Took
from splitopt.report.text.timing import check_paragraph

OP_COLUMNS: Row = ("piece", "op", "type", "measured")


def board_text(timing: BoardTiming) -> Iterator[Paragraph]:
    """Bytes against the plan's, and each step of each piece; then what the figures are."""
    yield table_of(board_columns(timing), board_rows(timing))
    if ops := _op_rows(timing):
        yield table_of(OP_COLUMNS, ops)
    yield check_paragraph(timing.checks)
    yield lines_of(board_lines(timing))


def board_columns(timing: BoardTiming) -> Row:
    """Bytes, then measured steps in the unit of the board, and estimates in instructions."""
    if not _is_timed(timing):
        return ("piece", "arena used", "predicted")
    restore = ("restore",) if _is_restored(timing) else ()
    steps = ("build", "AllocateTensors", "(estimated insn)", *restore, "copies", "Invoke")
    return (f"measured {timing.unit}", "arena used", "predicted", *steps, "(estimated insn)")


def board_rows(timing: BoardTiming) -> list[Row]:
    return [_row(timing, piece) for piece in timing.pieces]


def board_lines(timing: BoardTiming) -> Iterator[str]:
    """What an inference takes, and what the figures are."""
    further, first, unit = timing.further.took, timing.first.took, timing.unit
    if further is not None:
        estimated = timing.estimated_inference_insn
        beside = ""
        if estimated:
            ratio = further / estimated
            beside = f", estimated {estimated:,} insn ({ratio:.3g} {unit} for each)"
        yield (
            f"Measured by {timing.counter} in {timing.board_log}: {further:,} {unit} an inference "
            f"in {plural(len(timing.pieces), 'piece')}{beside}; the largest of "
            f"{plural(timing.inputs, 'input')}."
        )
        if first != further:
            yield f"With what is built once, the first takes {first:,} {unit}."
    yield timing.caveat


def _is_timed(timing: BoardTiming) -> bool:
    return timing.further.took is not None


def _is_restored(timing: BoardTiming) -> bool:
    return any(piece.start_up for piece in timing.pieces)


def _row(timing: BoardTiming, piece: BoardPiece) -> Row:
    used = piece.measured_arena_used_bytes, piece.predicted_arena_used_bytes
    if piece.took is None:
        return (f"{piece.index:02d}", *(f"{number:,}" for number in used))
    took, start = piece.took, (piece.start_up and piece.start_up.took) or Took()
    numbers = (
        *used,
        took.zero + took.build + start.build + start.save,
        took.allocate + start.allocate,
        piece.estimated_allocate_insn,
        *((took.restore,) if _is_restored(timing) else ()),
        took.copy_in + took.copy_out,
        took.invoke,
        piece.estimated_invoke_insn,
    )
    return (f"{piece.index:02d}", *(f"{number:,}" for number in numbers))


def _op_rows(timing: BoardTiming) -> list[Row]:
    return [
        (f"{piece.index:02d}", str(op.op), op.tag, f"{op.took:,}")
        for piece in timing.pieces
        for op in piece.ops
    ]

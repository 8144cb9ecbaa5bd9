"""timing.json as text: what was simulated, beside what was estimated, and what it is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from splitopt.base.text import Line, Paragraph, Row, lines_of, table_of
from splitopt.base.units import plural
from splitopt.bundle.schema.timing import PieceTiming, Timing
from splitopt.bundle.schema.verify import Check

OP_COLUMNS: Row = ("piece", "op", "type", "simulated")


def timing_text(timing: Timing) -> Iterator[Paragraph]:
    """Bytes against the plan's, and each step of each piece; then what the figures are not."""
    yield table_of(timing_columns(timing), timing_rows(timing))
    if ops := op_rows(timing):
        yield table_of(OP_COLUMNS, ops)
    yield check_paragraph(timing.checks)
    yield lines_of(timing_lines(timing))


def check_paragraph(checks: Sequence[Check]) -> Paragraph:
    """A line for each check."""
    return tuple(
        Line(
            f"{found.status.upper()} {found.name}: {found.compared}"
            + (f" - {found.detail}" if found.detail else ""),
            found.status,
        )
        for found in checks
    )


def timing_columns(timing: Timing) -> Row:
    """Bytes, then simulated steps in the simulator's unit, and estimates in instructions."""
    restore = ("restore",) if _is_restored(timing) else ()
    steps = ("build", "AllocateTensors", "(estimated)", *restore, "copies", "Invoke", "(estimated)")
    return (f"simulated {timing.unit}", "arena used", "predicted", *steps)


def timing_rows(timing: Timing) -> list[Row]:
    """The unsplit model, then each piece."""
    restores = _is_restored(timing)
    return [_row(name, figures, timing.unit, restores) for name, figures in _named(timing)]


def _is_restored(timing: Timing) -> bool:
    return any(piece.simulated("restore", timing.unit) for piece in timing.pieces)


def _named(timing: Timing) -> Iterator[tuple[str, PieceTiming]]:
    yield "unsplit", timing.unsplit
    yield from ((f"{number:02d}", piece) for number, piece in enumerate(timing.pieces))


def timing_lines(timing: Timing) -> Iterator[str]:
    """What splitting adds to an inference, and the sentence that these are no cycles."""
    unit = timing.unit
    before = timing.simulated("unsplit_inference", unit)
    after = timing.simulated("split_inference", unit)
    yield (
        f"Simulated on {timing.simulator}: {before:,} {unit} an inference unsplit, {after:,} in "
        f"{plural(len(timing.pieces), 'piece')}: {after - before:+,} {unit} (estimated "
        f"{timing.estimated_added_insn:+,} insn); the largest of {timing.inputs} inputs."
    )
    if timing.first is not None and any(piece.start_up for piece in timing.pieces):
        own, whole = (timing.first.simulated(name, unit) for name in ("split", "unsplit"))
        yield (
            "Of pieces that stay or are restored, build and AllocateTensors are those of start-up. "
            f"With these the first inference takes {own:,} {unit}, unsplit {whole:,}; the above is "
            "every further one."
        )
    if timing.per_op is not None:
        yield f"Per op: {timing.per_op}."
    yield timing.caveat


def op_rows(timing: Timing) -> list[Row]:
    """Every op of the unsplit model and of each piece; empty where ops were not timed."""
    return [
        (name, str(op.op), op.tag, f"{op.simulated(timing.unit):,}")
        for name, figures in _named(timing)
        for op in figures.ops
    ]


def _row(name: str, figures: PieceTiming, unit: str, restores: bool) -> Row:
    def took(*steps: str) -> int:
        return sum(figures.simulated(step, unit) for step in steps)

    def at_start(*steps: str) -> int:
        start = figures.start_up
        return sum(start.simulated(step, unit) for step in steps) if start else 0

    numbers = (
        figures.measured_arena_used_bytes,
        figures.predicted_arena_used_bytes,
        took("zero", "construct") + at_start("construct", "save"),
        took("allocate") + at_start("allocate"),
        figures.estimated_allocate_insn,
        *((took("restore"),) if restores else ()),
        took("copy_in", "copy_out"),
        took("invoke"),
        figures.estimated_invoke_insn,
    )
    return (name, *(f"{number:,}" for number in numbers))

"""timing.json as text: what was simulated, beside what was estimated, and what it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from splitopt.base.units import plural

Document = dict[str, Any]
Row = tuple[str, ...]
OP_COLUMNS: Row = ("piece", "op", "type", "simulated")
_STEPS = ("zero", "construct", "allocate", "copy_in", "invoke", "copy_out")


def timing_columns(timing: Document) -> Row:
    """Bytes, then simulated steps in the simulator's unit, and estimates in instructions."""
    steps = ("build", "AllocateTensors", "(estimated)", "copies", "Invoke", "(estimated)")
    return (f"simulated {timing['unit']}", "arena used", "predicted", *steps)


def timing_rows(timing: Document) -> list[Row]:
    """The unsplit model, then each piece."""
    named = [("unsplit", timing["unsplit"])]
    named += [(f"{piece['index']:02d}", piece) for piece in timing["pieces"]]
    return [_row(name, figures, timing["unit"]) for name, figures in named]


def timing_lines(timing: Document) -> Sequence[str]:
    """What splitting adds to an inference, and the sentence that these are no cycles."""
    unit = timing["unit"]
    before = timing[f"simulated_unsplit_inference_{unit}"]
    after = timing[f"simulated_split_inference_{unit}"]
    return (
        f"Simulated on {timing['simulator']}: {before:,} {unit} an inference unsplit, {after:,} in "
        f"{plural(len(timing['pieces']), 'piece')}: {after - before:+,} {unit} (estimated "
        f"{timing['estimated_added_insn']:+,} insn); the largest of {timing['inputs']} inputs.",
        *([f"Per op: {timing['per_op']}."] if "per_op" in timing else []),
        timing["caveat"],
    )


def op_rows(timing: Document) -> list[Row]:
    """Every op of the unsplit model and of each piece; empty where ops were not timed."""
    named = [("unsplit", timing["unsplit"])]
    named += [(f"{piece['index']:02d}", piece) for piece in timing["pieces"]]
    return [
        (name, str(op["op"]), op["tag"], f"{op['simulated_' + timing['unit']]:,}")
        for name, figures in named
        for op in figures.get("ops", ())
    ]


def _row(name: str, figures: Document, unit: str) -> Row:
    took = {step: figures[f"simulated_{step}_{unit}"] for step in _STEPS}
    numbers = (
        figures["measured_arena_used_bytes"],
        figures["predicted_arena_used_bytes"],
        took["zero"] + took["construct"],
        took["allocate"],
        figures["estimated_allocate_insn"],
        took["copy_in"] + took["copy_out"],
        took["invoke"],
        figures["estimated_invoke_insn"],
    )
    return (name, *(f"{number:,}" for number in numbers))

"""The answer of a run in a few lines: does it fit, at what price, what is proved, what is next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from splitopt.base.text import Line, Paragraph, Row, first_few, table_of
from splitopt.base.units import (
    added_text,
    format_bytes,
    format_percent,
    pieces_text,
    plural,
    signed_insn,
)
from splitopt.bundle.held_outside import held_outside, outside_lines
from splitopt.bundle.left_out import cause_text, most_better_text
from splitopt.bundle.schema.plan import Choice, Plan
from splitopt.bundle.schema.verify import Check as CheckEntry
from splitopt.report.text.notes import held_text
from splitopt.verify.check import VARIED, Check

Checks = Sequence[Check | CheckEntry]
COLUMNS = ("plan", "peak RAM", "of budget", "added time (estimate)", "pieces", "flash")
MEANINGS = {
    "fit": "fit: cheapest",
    "balanced": "balanced",
    "smallest": "smallest",
    "weighted": "weighted",
}


def answer_text(
    plan: Plan, checks: Checks, folder: str, own_inputs: int = 0
) -> Iterator[Paragraph]:
    """At most 15 lines. `folder`: of the bundle, as the next command names it; `own_inputs`: how
    many of the inputs are the user's."""
    yield (Line(fits_line(plan), "verdict"),)
    yield table_of(COLUMNS, list(choice_rows(plan)))
    yield (
        *end_lines(plan, checks, own_inputs),
        Line(f"Bundle: {folder} (report.html; summary.txt: the details)"),
        Line(f"Next: {next_command(plan, checks, folder)}"),
    )


def fits_line(plan: Plan) -> str:
    board, name, budget = plan.board.name, plan.job.name, format_bytes(plan.budget_bytes)
    peak, unsplit = format_bytes(plan.peak_ram_bytes), format_bytes(plan.baseline.ram_bytes)
    if plan.is_unsplit:
        return f"FITS {board}: {name} takes {peak} unsplit, of a budget of {budget}."
    pieces = plural(len(plan.segments), "piece")
    if plan.baseline.ram_bytes <= plan.budget_bytes:
        return (
            f"FITS {board} unsplit: {name} takes {unsplit} of a budget of {budget}. No split is "
            f"needed; this plan takes {peak} in {pieces}."
        )
    return (
        f"FITS {board}: {name} takes {peak} in {pieces}, of a budget of {budget}; unsplit it needs "
        f"{unsplit} and does not fit."
    )


def choice_rows(plan: Plan) -> Iterator[Row]:
    """The unsplit model, then each plan that could have been written."""
    unsplit, invoke = plan.baseline.ram_bytes, plan.invoke_insn
    size = format_bytes(plan.model.bytes)
    yield ("unsplit", format_bytes(unsplit), _share(plan, unsplit), "0", "1", size)
    for choice in plan.choices or (_own_choice(plan),):
        flash = "-" if choice.flash_bytes is None else format_bytes(choice.flash_bytes)
        yield (
            f"{MEANINGS.get(choice.aim, choice.aim)}{' *' if choice.is_written else ''}",
            format_bytes(choice.peak_ram_bytes),
            _share(plan, choice.peak_ram_bytes),
            time_cell(choice.added_insn, invoke),
            pieces_text(choice.pieces, choice.streamed),
            flash,
        )


def time_cell(insn: int, invoke_insn: int | None) -> str:
    """`+21.3 % of Invoke, +1.4 M`; instructions alone where Invoke has no estimate."""
    if not insn:
        return "0"
    own = signed_insn(insn)
    return f"{format_percent(insn, invoke_insn)} of Invoke, {own}" if invoke_insn else own


def _share(plan: Plan, peak: int) -> str:
    return f"{100 * peak / plan.budget_bytes:.0f} %"


def end_lines(plan: Plan, checks: Checks, own_inputs: int) -> Iterator[Line]:
    """What was written, what was proved, what to watch."""
    aim = plan.objective.minimise
    others = [MEANINGS[c.aim].split(":")[0] for c in plan.choices if c.aim != aim]
    more = f"; --plan {' or '.join(others)} writes another" if others else ""
    yield Line(f"Written (*): {aim}, the job's objective.minimise{more}.")
    yield from map(Line, _resident_lines(plan))
    word = "Proved" if plan.status == "OPTIMAL" else "NOT PROVED"
    yield Line(f"{word}: {_proved(plan)}.")
    yield _checked(plan, checks, own_inputs)
    if warnings := " ".join(_warnings(plan)):
        yield Line(warnings, "warning")


def _resident_lines(plan: Plan) -> Iterator[str]:
    """Where pieces are resident or restored, what they hold between inferences, and what it costs
    once; where boundary tensors lie outside of the main SRAM, how much there."""
    own = [segment for segment in plan.segments if segment.switching == "resident"]
    saved = [segment for segment in plan.segments if segment.switching == "restore"]
    start = added_text(plan.first_insn, plan.invoke_insn, "once, at start-up")
    if own:
        held = held_text([(segment.kept_in, segment.kept_bytes) for segment in own])
        keep = "they keep their" if len(own) > 1 else "it keeps its"
        end = "." if saved else f"; {start}."
        yield (
            f"Resident: {plural(len(own), 'piece')}; between inferences {keep} bytes in {held}{end}"
        )
    if saved:
        held = held_text([(segment.stored_in, segment.stored_bytes) for segment in saved])
        tails = "their tails are" if len(saved) > 1 else "its tail is"
        yield f"Restored: {plural(len(saved), 'piece')}; {tails} saved in {held}; {start}."
    made = {tensor for segment in plan.segments for tensor in segment.outputs}
    boundary = plan.layout.boundary
    inputs = {entry.tensor for entry in boundary} - made
    yield from outside_lines(held_outside([(entry, entry.size) for entry in boundary], inputs))


def _warnings(plan: Plan) -> Iterator[str]:
    if plan.conversion is not None and plan.conversion.warnings:
        yield f"WARNING, conversion to int8: {plan.conversion.warnings[0]}."
    if not plan.exact:
        yield f"Bytes are ESTIMATES for {first_few(plan.estimated_ops, 2)}."
    is_interrupted = plan.unfinished is not None and plan.unfinished.cause == "interrupt"
    if not is_interrupted and not all(choice.status == "OPTIMAL" for choice in plan.choices):
        yield "A longer --time-limit may prove the rest, or find better."


def _proved(plan: Plan) -> str:
    if plan.route == "pieces":
        return f"{plan.status} for the choice of cuts on the whole int8 model"
    basis = "" if plan.exact else ", on estimates of bytes"
    choices = plan.choices or (_own_choice(plan),)
    if all(choice.status == "OPTIMAL" for choice in choices):
        words = "each plan is" if len(choices) > 1 else "the plan is"
        return f"{words} the best there is for its aim (OPTIMAL{basis})"
    if plan.status == "OPTIMAL":
        left = [choice.aim for choice in choices if choice.status != "OPTIMAL"]
        return f"{plan.objective.minimise} is OPTIMAL{basis}; not proved: {', '.join(left)}"
    cause, most = cause_text(plan.unfinished), most_better_text(plan.objective)
    return f"{plan.status}{basis}. {cause}; a better plan may exist, {most}"


def _own_choice(plan: Plan) -> Choice:
    return Choice(
        aim=plan.objective.minimise,
        is_written=True,
        flash_bytes=plan.piece_bytes,
        status=plan.status,
        peak_ram_bytes=plan.peak_ram_bytes,
        added_insn=plan.added_insn,
        pieces=len(plan.segments),
    )


def _checked(plan: Plan, checks: Checks, own_inputs: int) -> Line:
    if not checks:
        return Line("NOT PROVED: outputs were not compared (--no-verify).", "warning")
    failed = [check.name for check in checks if check.status == "failed"]
    warned = [check.name for check in checks if check.status == "warning"]
    proves_little = VARIED in warned
    warned = [name for name in warned if name != VARIED]
    if failed:
        return Line(f"Outputs: check {' and '.join(failed)} FAILED; do not use these.", "failed")
    ran = max(check.inputs for check in checks)
    is_judged = plan.route == "pieces"
    how = "judged on held-out samples" if is_judged else "equal to the unsplit model's, bit for bit"
    passed = [check.name for check in checks if check.status == "passed"]
    own = f" ({own_inputs} of them yours)" if own_inputs and not is_judged else ""
    says = (
        f"Outputs: {how}, on {plural(ran, 'input')}{own} in TFLM on this machine "
        f"({', '.join(passed)} passed){_quality(plan)}"
    )
    if proves_little:
        says += (
            f", but the model's own output is the same for all {plural(ran, 'input')}: that proves "
            "little; give samples: verify.data"
        )
    if warned:
        says += f"; WARNING: {', '.join(warned)}, see -v"
    return Line(f"{says}.", "warning" if warned or proves_little else "passed")


def _quality(plan: Plan) -> str:
    """How near the int8 model is to the float one, where it was made from that."""
    if plan.conversion is None:
        return ""
    return f"; int8 against float: SQNR {plan.conversion.quality.sqnr_db:.1f} dB"


def next_command(plan: Plan, checks: Checks, folder: str) -> str:
    if any(check.status == "failed" for check in checks):
        return f"splitopt explain {folder}"
    if not checks:
        return "the same command without --no-verify"
    return f"splitopt export {folder} --out firmware/{plan.job.name}"


def unfit_text(facts: Mapping[str, Any]) -> Iterator[Paragraph]:
    """Where no plan fits: the smallest that is reachable, and what would help. `facts`: those of
    the InfeasibleError."""
    budget, least = facts["budget_bytes"], facts["smallest_feasible_budget_bytes"]
    board, model = facts["board"], facts["model"]
    needs = f"{model} needs {format_bytes(least)} of RAM at least, and has {format_bytes(budget)}"
    yield (Line(f"DOES NOT FIT {board}: {needs}.", "verdict"),)
    unsplit, invoke = facts["unsplit_ram_bytes"], facts["invoke_insn"]
    rows = [
        ("unsplit", format_bytes(unsplit), f"{100 * unsplit / budget:.0f} %", "0", "1"),
        (
            "smallest",
            format_bytes(least),
            f"{100 * least / budget:.0f} %",
            time_cell(facts["added_insn"], invoke),
            str(facts["pieces"]),
        ),
    ]
    yield table_of(COLUMNS[:-1], rows)
    yield tuple(Line(f"What would help: {text}") for text in facts["help"])

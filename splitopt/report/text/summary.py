"""The text of one run: for the terminal, summary.txt, and in parts for the page.

Every line stands here once. Tables are rows of cells; text that is styled has a tone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from splitopt.base.text import Line, Paragraph, Row, lines_of, table_of
from splitopt.base.units import (
    added_text,
    format_bytes,
    format_insn,
    format_percent,
    pieces_text,
    plural,
    signed_insn,
)
from splitopt.bundle.left_out import cause_text, left_out_text, most_better_text
from splitopt.bundle.schema.conversion import Route
from splitopt.bundle.schema.explain import RunExplanation
from splitopt.bundle.schema.plan import Plan, Segment
from splitopt.bundle.schema.timing import Timing
from splitopt.bundle.schema.verify import Check as CheckEntry
from splitopt.report.text.notes import notes
from splitopt.report.text.timing import timing_columns, timing_lines, timing_rows
from splitopt.verify.check import Check

Checks = Sequence[Check | CheckEntry]
_MOST_REASONS, _LEAST_SHARE = 2, 0.1

CHANGE_COLUMNS = ("", "unsplit", "split", "change")
ROUTE_COLUMNS = ("the same cuts by route", "whole", "pieces")
HAND_COLUMNS = ("cuts chosen by", "peak RAM", "added instructions (estimate)")
_SEGMENT_COLUMNS = (
    *("piece", "ops", "runs", "head", "tail", "arena"),
    *("through", "in", "out", "RAM", "kept", "added insn"),
)


def run_text(
    plan: Plan,
    checks: Checks,
    limit: str,
    diagnosis: RunExplanation | None = None,
    timing: Timing | None = None,
) -> Iterator[Paragraph]:
    """Before and after, segment by segment, what was proved, and what limits the result."""
    yield (Line(f"{plan.job.name}: {verdict(plan)}", "verdict"), *lines_of(unproved(checks)))
    yield table_of(CHANGE_COLUMNS, before_after(plan))
    yield table_of(segment_columns(plan), segment_rows(plan))
    yield table_of(HAND_COLUMNS, hand_rows(plan))
    if plan.routes is not None:
        yield table_of(ROUTE_COLUMNS, route_rows(plan))
    yield (Line(proof_line(plan)),)
    yield tuple(Line(f"{word} {says}", status) for status, word, says in check_lines(checks))
    if timing is not None:
        yield table_of(timing_columns(timing), timing_rows(timing))
        yield lines_of(timing_lines(timing))
    yield (Line(limit),)
    if found := lines_of(diagnosis_lines(diagnosis)):
        yield found
    yield tuple(Line(note, "note") for note in notes(plan))


def verdict(plan: Plan) -> str:
    """One sentence: how much less RAM, at what price, in how many pieces."""
    before, after = plan.baseline.ram_bytes, plan.peak_ram_bytes
    pieces = len(plan.segments)
    budget = format_bytes(plan.budget_bytes)
    if pieces == 1 and after == before:
        return f"Left unsplit at {format_bytes(after)}, within the budget of {budget}."
    return (
        f"{format_bytes(before)} unsplit, {format_bytes(after)} in {plural(pieces, 'piece')} "
        f"({format_percent(after - before, before)}), within the budget of {budget}; "
        f"{added_text(plan.added_insn, plan.invoke_insn)}."
    )


def unproved(checks: Checks) -> Iterator[str]:
    """The line that stands beside the verdict where nothing was run."""
    if not checks:
        yield (
            "NOT PROVED: neither the model nor its pieces were run in TFLM (--no-verify); run the "
            "job without it before you use them."
        )


def _with_input(plan: Plan) -> Iterator[Row]:
    """The other peak, where the model's input comes by rows."""
    ram, peak = plan.baseline.ram_bytes, plan.peak_with_input_bytes
    if peak is not None and any(segment.input_by_rows for segment in plan.segments):
        share = format_percent(peak - ram, ram)
        yield "with the model's input held whole", format_bytes(ram), format_bytes(peak), share


def _kept_row(plan: Plan) -> Iterator[Row]:
    """What of the peak resident pieces keep."""
    if kept := plan.kept_bytes:
        share = f"{100 * kept / plan.peak_ram_bytes:.1f} % of the peak"
        yield "of it kept by resident pieces, for good", "0 B", format_bytes(kept), share


def _in_place_row(plan: Plan) -> Iterator[Row]:
    sizes = [entry.size for entry in plan.layout.boundary if entry.in_place]
    if sizes:
        said = f"{len(sizes)}, {format_bytes(sum(sizes))} not copied"
        yield "boundary tensors left in place", "0", said, ""


def before_after(plan: Plan) -> list[Row]:
    """The unsplit model beside the plan; file sizes only where pieces were written."""
    ram, peak, arena = plan.baseline.ram_bytes, plan.peak_ram_bytes, plan.largest_arena_bytes
    invoke = plan.invoke_insn
    has_apart = any(segment.switching == "resident" for segment in plan.segments)
    apart = "; tails of resident pieces lie apart" if has_apart else ""
    rows: list[Row] = [
        ("peak RAM", format_bytes(ram), format_bytes(peak), format_percent(peak - ram, ram)),
        *_kept_row(plan),
        *_with_input(plan),
        (
            f"largest arena (with {plan.board.headroom_bytes:,} B headroom{apart})",
            format_bytes(ram),
            format_bytes(arena),
            "" if has_apart else format_percent(arena - ram, ram),
        ),
        ("pieces", "1", pieces_text(len(plan.segments), streamed_pieces(plan)), ""),
        *_in_place_row(plan),
        (
            "added instructions per inference (estimate)",
            "0",
            signed_insn(plan.added_insn),
            f"{format_percent(plan.added_insn, invoke)} of Invoke" if invoke else "",
        ),
    ]
    if plan.first_insn:
        share = f"{format_percent(plan.first_insn, invoke)} of Invoke" if invoke else ""
        title = "added instructions at start-up, once (estimate)"
        rows.append((title, "0", signed_insn(plan.first_insn), share))
    if plan.piece_bytes is not None and plan.piece_overhead_bytes is not None:
        sizes = format_bytes(plan.model.bytes), format_bytes(plan.piece_bytes)
        rows.append(("file size", *sizes, f"{plan.piece_overhead_bytes:+,} B"))
    return rows


def streamed_pieces(plan: Plan) -> int:
    return sum(segment.stream is not None for segment in plan.segments)


def segment_columns(plan: Plan) -> Row:
    """What is kept only where a piece keeps bytes."""
    return tuple(name for name in _SEGMENT_COLUMNS if name != "kept" or _has_kept(plan))


def segment_rows(plan: Plan) -> list[Row]:
    has_kept = _has_kept(plan)
    return [
        (
            f"{s.index:02d}",
            f"{s.start}-{s.stop - 1}",
            ", ".join([runs_text(s) or "once", *_begins(plan, s)]),
            *(f"{size:,}" for size in _sizes(s)),
            *((f"{s.kept_bytes:,}{f' in {s.kept_in}' if s.kept_in else ''}",) if has_kept else ()),
            format_insn(s.estimated_added_insn),
        )
        for s in plan.segments
    ]


def _has_kept(plan: Plan) -> bool:
    return any(segment.kept_bytes for segment in plan.segments)


def _begins(plan: Plan, segment: Segment) -> Iterator[str]:
    """How, where it is not built again on copied inputs."""
    if segment.switching != "rebuild":
        yield "restored" if segment.switching == "restore" else segment.switching
    in_place = (entry for entry in plan.layout.boundary if entry.in_place)
    if any(entry.last_segment == segment.index for entry in in_place):
        yield "input in place"


def runs_text(segment: Segment) -> str:
    """How often it runs; empty for once, on all rows."""
    stream = segment.stream
    if stream is not None:
        groups = plural(len(stream.groups), "group")
        return f"streamed, {groups}, {sum(group.turns for group in stream.groups)} Invokes"
    return plural(len(segment.bands), "band") if segment.bands else ""


def _sizes(s: Segment) -> tuple[int, ...]:
    """A resident piece has no tail in its arena."""
    arena = s.head_bytes, 0 if s.switching == "resident" else s.tail_bytes, s.arena_bytes
    return (*arena, s.through_bytes, s.in_bytes, s.out_bytes, s.ram_bytes)


def hand_rows(plan: Plan) -> list[Row]:
    plans = [("splitopt", plan.peak_ram_bytes, plan.added_insn)]
    plans += [(cuts.name, cuts.peak_ram_bytes, cuts.added_insn) for cuts in plan.by_hand]
    return [(name, format_bytes(peak), signed_insn(added)) for name, peak, added in plans]


def route_rows(plan: Plan) -> list[Row]:
    """The int8 model cut as a file beside ONNX pieces converted one by one."""
    assert plan.routes is not None, "asked for plans that have them"
    sides = plan.routes.whole, plan.routes.pieces

    def row(title: str, value: Callable[[Route], Any], form: Callable[[Any], str]) -> Row:
        return (title, *("-" if value(side) is None else form(value(side)) for side in sides))

    return [
        row("peak RAM", lambda r: r.peak_ram_bytes, format_bytes),
        row("largest arena", lambda r: r.largest_arena_bytes, format_bytes),
        row("added instructions (estimate)", lambda r: r.estimated_added_insn, format_insn),
        row("boundaries requantised", lambda r: r.requantised_boundaries, str),
        row("outputs off the whole int8 model", lambda r: r.worst_lsb, "{:g} LSB".format),
        row("SQNR against the float model", lambda r: r.sqnr_db, "{:.1f} dB".format),
        row("top-1", lambda r: r.top1, "{:.3f}".format),
        row("top-1 agrees with the whole int8 model", lambda r: r.top1_agreement, "{:.1%}".format),
        row("conversion time", lambda r: r.conversion_s, "{:.1f} s".format),
    ]


def proof_line(plan: Plan) -> str:
    if plan.route == "pieces":
        return (
            f"Proof: {plan.status} for the choice of cuts on the whole int8 model, among those "
            "that the ONNX model has. Pieces that were converted one by one are never equal bit "
            "for bit: they are judged on held-out samples. route: whole proves equality."
        )
    if plan.job.settings.route == "pieces" and len(plan.segments) == 1:
        return (
            f"Proof: {plan.status}. No cut that the ONNX model has is better under this job's "
            "objective and limits, so the whole int8 model stays: nothing was converted piece by "
            "piece."
        )
    if plan.status == "OPTIMAL":
        basis = "" if plan.exact else " on these estimates of bytes"
        claim = f"No other {_choice(plan)} is better under this job's objective and limits."
        return f"Proof: OPTIMAL{basis}. {claim}"
    left, most = left_out_text(plan.unfinished), most_better_text(plan.objective)
    return (
        f"Proof: {plan.status}. {cause_text(plan.unfinished)}; a better plan may exist, {most}."
        f"{f' Not looked at: {left}.' if left else ''}"
    )


def _choice(plan: Plan) -> str:
    """What was chosen from, in words."""
    free = plan.job.settings.pieces
    is_newer = "streams" in free.model_fields_set  # plans before them do not say
    asked = {
        "bands": free.bands,
        "streams": free.streams and is_newer,
        "offline plans": free.offline_plans,
    }
    *others, last = ["cuts", *(word for word, is_free in asked.items() if is_free)]
    return f"choice of {', '.join(others)} and {last}" if others else "set of cuts"


def check_lines(checks: Checks) -> Iterator[tuple[str, str, str]]:
    """Of each check: its status, that as a word, and what was compared with which result."""
    if not checks:
        yield "skipped", "Verification: SKIPPED.", "The pieces were not run."
    for check in checks:
        ran = f", {plural(check.inputs, 'input')}, worst difference {check.worst_difference:g}"
        if check.status == "skipped":
            ran = ""
        tail = f" - {check.detail}" if check.detail else ""
        status = str(check.status)
        yield status, status.upper(), f"{check.name}: {check.compared}{ran}{tail}"


def diagnosis_lines(diagnosis: RunExplanation | None) -> Iterator[str]:
    """What is wrong with the outputs, then what the peak comes from, the largest part first."""
    if diagnosis is None:
        return
    for finding in diagnosis.outputs.findings if diagnosis.outputs else ():
        yield f"{finding.severity.value.upper()} {finding.title}: {finding.where}"
        yield from (f"  {line}" for line in finding.evidence)
        yield f"  next: {finding.next_step}"
    memory = diagnosis.memory
    least_bytes = _LEAST_SHARE * memory.after_bytes
    for cause in [c for c in memory.causes if c.size_bytes >= least_bytes][:_MOST_REASONS]:
        yield f"Why the peak is not lower: {cause.sentence}"
        yield f"  next: {cause.next_step}"

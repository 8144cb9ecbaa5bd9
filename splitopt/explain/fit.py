"""At what price a model fits a board, told in one screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from splitopt.base.progress import Progress, within
from splitopt.base.text import Row, first_few, table
from splitopt.base.units import added_text, format_bytes, format_percent, plural, signed_insn
from splitopt.bundle.left_out import cause_text
from splitopt.bundle.schema.explain import LowestPeak as PeakEntry
from splitopt.bundle.schema.explain import ModelExplanation
from splitopt.bundle.schema.switching import SwitchingWorth
from splitopt.config.job import Job, aiming
from splitopt.explain.switching import worth_lines, worth_of
from splitopt.planning.aims import plan_aimed
from splitopt.planning.job_table import techniques_of
from splitopt.planning.lowest_peak import LowestPeak
from splitopt.planning.planner import Answer, Planner
from splitopt.planning.request import Deadline, request_of
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan

_COLUMNS = ("lowest peak by technique", "RAM", "of budget", "added time (estimate)", "pieces")


_REBUILT = 0.5
"""How much of the time the cheapest plan may take; the rest is for that without built pieces."""


def cheapest_fit(
    job: Job, known: SegmentTable, deadline: Deadline, progress: Progress
) -> tuple[PeakEntry | None, SwitchingWorth | None]:
    """The plan of least added time within the job's budget, with all that a job may use by itself,
    and what resident and restored pieces spare of it; None where there is none, or none was found
    in time. `known`: what was priced already."""
    request = request_of(known.graph, aiming(job, "fit"))

    def cheapest(techniques: Techniques, words: str, time: Deadline) -> Answer:
        planner = Planner(known.under(techniques), within(progress, f"planning: {words}"))
        return plan_aimed(planner, request, time)

    every = techniques_of(job)
    found = cheapest(every, "the cheapest plan that fits", deadline.share(_REBUILT))
    if not isinstance(found, SplitPlan):
        return None, None
    is_proved = found.unfinished is None
    plan = LowestPeak("fit", "the cheapest that fits", found, found.unfinished, is_proved)
    entry = PeakEntry.model_validate(plan, from_attributes=True)
    if len(found.segments) == 1 and not found.first_insn:
        return entry, None
    words = "the same with pieces that are rebuilt"
    switching = every.switching.without_images()
    rebuilt = cheapest(replace(every, switching=switching), words, deadline)
    return entry, worth_of(found, rebuilt)


def answer_text(found: ModelExplanation) -> str:
    """Whether it fits and at what price, what each technique would bring, what is next."""
    parts = [
        "\n".join(_verdict(found)),
        table(_COLUMNS, tuple(_rows(found))),
        "\n".join(_ends(found)),
    ]
    return "\n\n".join(parts) + "\n"


def _verdict(found: ModelExplanation) -> Iterator[str]:
    """The fit, its price, and what of it built pieces spare; before them, that TFLM cannot run the
    model."""
    if found.not_run:
        yield f"NOT RUN: {found.not_run}"
    unsplit, budget, fit = found.ram.ram_bytes, found.budget_bytes, found.fit
    of = f"of {format_bytes(budget)}"
    if unsplit <= budget:
        yield f"FITS {found.board} unsplit: {found.model} takes {format_bytes(unsplit)} {of}."
        yield "Price: none. A smaller peak is at the prices below."
    elif fit is not None:
        way = f"in {plural(fit.pieces, 'piece')}" if fit.pieces > 1 else "in one piece"
        yield (
            f"FITS {found.board} when it is split: {found.model} takes "
            f"{format_bytes(fit.peak_ram_bytes)} {way} {of}; unsplit it needs "
            f"{format_bytes(unsplit)}."
        )
        sure = "" if fit.is_cheapest else "; a cheaper one may exist"
        yield f"Price: {added_text(fit.added_insn, found.invoke_insn)}{sure}."
        if found.switching is not None:
            yield next(worth_lines(found.switching, found.invoke_insn))
    elif found.lowest_bytes <= budget:
        yield f"FITS {found.board} when it is split; the cheapest way was not found in time."
    else:
        yield (
            f"DOES NOT FIT {found.board}: {found.model} needs {format_bytes(found.lowest_bytes)} "
            f"at least, and has {format_bytes(budget)}; unsplit it needs {format_bytes(unsplit)}."
        )


def _rows(found: ModelExplanation) -> Iterator[Row]:
    """The unsplit model is what all others are compared with."""
    yield _row("unsplit", found.ram.ram_bytes, 0, 1, found)
    if found.fit is not None and found.ram.ram_bytes > found.budget_bytes:
        fit = found.fit
        yield _row("cheapest that fits", fit.peak_ram_bytes, fit.added_insn, fit.pieces, found)
    for peak in found.lowest_peaks:
        sure = "" if peak.is_proved else " (unproved)"
        yield _row(f"{peak.name}{sure}", peak.peak_ram_bytes, peak.added_insn, peak.pieces, found)


def _row(name: str, peak: int, insn: int, pieces: int, found: ModelExplanation) -> Row:
    budget, invoke = found.budget_bytes, found.invoke_insn
    own = signed_insn(insn) if insn else "0"
    time = f"{format_percent(insn, invoke)} of Invoke, {own}" if insn and invoke else own
    share = f"{100 * peak / budget:.0f} %" if budget else "-"
    return name, format_bytes(peak), share, time, str(pieces)


def _ends(found: ModelExplanation) -> Iterator[str]:
    late = [peak for peak in found.lowest_peaks if not peak.is_proved]
    if found.is_interrupted:
        yield "INTERRUPTED: lowest peaks are the best that were found until then."
    elif late:
        yield f"Unproved: {cause_text(late[0].unfinished).lower()}; lower ones may exist."
    elif found.lowest_peaks:
        yield "Each peak is the lowest of its kind (proved), each time the least that was found."
    else:
        yield found.no_cuts or "Plans were not looked at in time."
    if not found.exact:
        yield f"Bytes are ESTIMATES on the safe side: {first_few(found.ram.estimates, 2)}."
    yield "Details: -v, or --out FOLDER (where the RAM goes, what would lower it, other boards)"
    if found.lowest_bytes <= found.budget_bytes:
        yield f"Next: {_next(found)}"


def _next(found: ModelExplanation) -> str:
    aim = "" if found.ram.ram_bytes <= found.budget_bytes else " --plan fit"
    return f"splitopt run {found.asked or found.path}{aim}"

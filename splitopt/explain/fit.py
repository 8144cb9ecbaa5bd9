"""At what price a model fits a board, told in one screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from splitopt.base.progress import Progress, within
from splitopt.base.text import Row, first_few, table
from splitopt.base.units import added_text, format_bytes, format_percent, plural, signed_insn
from splitopt.bundle.held_outside import held_outside, outside_lines
from splitopt.bundle.left_out import cause_text
from splitopt.bundle.schema.explain import LowestPeak as PeakEntry
from splitopt.bundle.schema.explain import ModelExplanation
from splitopt.bundle.schema.outside import HeldOutside
from splitopt.bundle.schema.switching import SwitchingWorth
from splitopt.config.job import Job, aiming
from splitopt.explain.memory.facts import where_text
from splitopt.explain.switching import worth_lines, worth_of
from splitopt.planning.aims import plan_aimed
from splitopt.planning.job_table import techniques_of
from splitopt.planning.lowest_peak import BY_ROWS, LowestPeak
from splitopt.planning.planner import Answer, Planner
from splitopt.planning.request import Deadline, request_of
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import Infeasible, SplitPlan

COLUMNS = ("lowest peak by technique", "RAM", "of budget", "added time (estimate)", "pieces")


_REBUILT = 0.8
"""How much of the time the cheapest plan may take; the rest is for that without built pieces."""


@dataclass(frozen=True)
class CheapestFit:
    """The plan of least added time within the budget, what it has beside the main SRAM, and what
    resident and restored pieces spare of it. `is_open`: none was found, and none ruled out."""

    entry: PeakEntry | None
    outside: tuple[HeldOutside, ...] = ()
    worth: SwitchingWorth | None = None
    is_open: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """As explain.json has them."""
        return {
            "fit": self.entry,
            "fit_outside": self.outside,
            "is_fit_open": self.is_open,
            "switching": self.worth,
        }


def cheapest_fit(
    job: Job, known: SegmentTable, deadline: Deadline, progress: Progress
) -> CheapestFit:
    """The plan of least added time within the job's budget, with all that a job may use by itself.
    `known`: what was priced already."""
    request = request_of(known.graph, aiming(job, "fit"))

    def cheapest(techniques: Techniques, words: str, time: Deadline) -> Answer:
        planner = Planner(known.under(techniques), within(progress, f"planning: {words}"))
        return plan_aimed(planner, request, time)

    every = techniques_of(job)
    found = cheapest(every, "the cheapest plan that fits", deadline.share(_REBUILT))
    if not isinstance(found, SplitPlan):
        return CheapestFit(None, is_open=not isinstance(found, Infeasible))
    is_proved = found.unfinished is None
    plan = LowestPeak("fit", "the cheapest that fits", found, found.unfinished, is_proved)
    entry = PeakEntry.model_validate(plan, from_attributes=True)
    placed = [(own, own.size_bytes) for own in found.placements]
    outside = held_outside(placed, known.graph.inputs)
    if len(found.segments) == 1 and not found.first_insn:
        return CheapestFit(entry, outside)
    words = "the same with pieces that are rebuilt"
    switching = every.switching.without_images()
    rebuilt = cheapest(replace(every, switching=switching), words, deadline)
    return CheapestFit(entry, outside, worth_of(found, rebuilt))


def answer_text(found: ModelExplanation) -> str:
    """Whether it fits and at what price, what each technique would bring, what is next."""
    details = "-v, or --out FOLDER (where the RAM goes, what would lower it, other boards)"
    ends = [*certainty_lines(found), f"Details: {details}"]
    if (command := next_command(found)) is not None:
        ends.append(f"Next: {command}")
    parts = [
        "\n".join(verdict_lines(found)),
        table(COLUMNS, tuple(peak_rows(found))),
        "\n".join(ends),
    ]
    return "\n\n".join(parts) + "\n"


def verdict_lines(found: ModelExplanation) -> Iterator[str]:
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
        sure = "" if fit.is_cheapest else f"; not proved: {_may_be_cheaper(fit)}"
        yield f"Price: {added_text(fit.added_insn, found.invoke_insn)}{sure}."
        yield from outside_lines(found.fit_outside)
        if found.switching is not None:
            yield next(worth_lines(found.switching, found.invoke_insn))
    elif found.lowest_bytes <= budget:
        yield f"FITS {found.board} when it is split; the cheapest way was not found in time."
    elif found.is_fit_open:
        yield (
            f"MAY FIT {found.board}: no plan within {format_bytes(budget)} was found in time, and "
            f"none was ruled out; {found.model} reaches {format_bytes(found.lowest_bytes)}"
            f"{where_text(found)}; unsplit it needs {format_bytes(unsplit)}."
        )
    else:
        yield (
            f"DOES NOT FIT {found.board}: {found.model} needs {format_bytes(found.lowest_bytes)} "
            f"at least{where_text(found)}, and has {format_bytes(budget)}; unsplit it "
            f"needs {format_bytes(unsplit)}."
        )


def _may_be_cheaper(fit: PeakEntry) -> str:
    """Why the cheapest plan is not proved to be that, and what helps."""
    cause = fit.unfinished.cause if fit.unfinished is not None else "time_limit"
    rest = "a cheaper one may exist"
    if cause == "time_limit":
        rest = "a longer --time-limit may find a cheaper one"
    return f"{cause_text(fit.unfinished).lower()}; {rest}"


def peak_rows(found: ModelExplanation) -> Iterator[Row]:
    """The unsplit model is what all others are compared with."""
    yield _row("unsplit", found.ram.ram_bytes, 0, 1, found)
    if found.fit is not None and found.ram.ram_bytes > found.budget_bytes:
        fit = found.fit
        sure = "" if fit.is_cheapest else " (unproved)"
        yield _row(
            f"cheapest that fits{sure}", fit.peak_ram_bytes, fit.added_insn, fit.pieces, found
        )
    for peak in found.lowest_peaks:
        sure = "" if peak.is_proved else " (unproved)"
        yield _row(f"{peak.name}{sure}", peak.peak_ram_bytes, peak.added_insn, peak.pieces, found)


def _row(name: str, peak: int, insn: int, pieces: int, found: ModelExplanation) -> Row:
    budget, invoke = found.budget_bytes, found.invoke_insn
    own = signed_insn(insn) if insn else "0"
    time = f"{format_percent(insn, invoke)} of Invoke, {own}" if insn and invoke else own
    share = f"{100 * peak / budget:.0f} %" if budget else "-"
    return name, format_bytes(peak), share, time, str(pieces)


def certainty_lines(found: ModelExplanation) -> Iterator[str]:
    """What of the table is proved, and whether its bytes are exact."""
    late = [peak for peak in found.lowest_peaks if not peak.is_proved]
    if found.is_interrupted:
        yield "INTERRUPTED: lowest peaks are the best that were found until then."
    elif late:
        yield f"Unproved: {cause_text(late[0].unfinished).lower()}; lower ones may exist."
    elif found.lowest_peaks:
        yield (
            f"Each peak is the lowest of its kind{where_text(found)} (proved), each time the least "
            "that was found. Where nothing is said of resident pieces, all are rebuilt."
        )
        if found.lowest_peaks[-1].code != BY_ROWS:
            yield "The other kinds were not looked at in time."
    else:
        yield found.no_cuts or "Plans were not looked at in time."
    if not found.exact:
        yield f"Bytes are ESTIMATES on the safe side: {first_few(found.ram.estimates, 2)}."


def next_command(found: ModelExplanation) -> str | None:
    """The one that writes the pieces; None where no plan fits."""
    if found.lowest_bytes > found.budget_bytes and found.fit is None:
        return None
    aim = "" if found.ram.ram_bytes <= found.budget_bytes else " --plan fit"
    return f"splitopt run {found.asked or found.path}{aim}"

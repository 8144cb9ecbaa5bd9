"""Jobs that end without a plan: the error that says why, and which budget would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter

from splitopt.base.errors import InfeasibleError
from splitopt.base.units import format_bytes, plural
from splitopt.config.board import known_boards
from splitopt.config.job import Job
from splitopt.planning.lower_bound import single_op_bound
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.short_memories import Missing
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.planning.unfinished import Cause, cause_of, found_text
from splitopt.planning.unsplit import Baseline
from splitopt.planning.ways_out import WayOut


def infeasible(
    job: Job,
    table: SegmentTable,
    answer: Infeasible,
    unsplit: Baseline,
    ways: Sequence[WayOut] = (),
    lacks: Missing | None = None,
) -> InfeasibleError:
    """The error for a job without a plan: which budget would do, and which op needs most; `ways`
    and `lacks`: what else was found to help."""
    bound = single_op_bound(table)
    op = table.graph.op_name(bound.op)
    others = _others(ways, lacks, unsplit)
    would_do = f"; what would help, too: {'; '.join(others)}" if others else ""
    if answer.least is None and not answer.is_searched:
        error = InfeasibleError(
            f"{job.file}: no plan{_limits(job)} fits {_budget(job)} (proved); "
            f"the smallest feasible budget {_NOT_FOUND[cause_of(table)]}{would_do}"
        )
        error.facts = {"status": "INFEASIBLE", "budget_bytes": job.budget_bytes}
        return error
    if answer.least is None:
        return InfeasibleError(
            f"{job.file}: no plan keeps the limits on cuts, pieces and added time at any budget; "
            f"loosen pieces.max, cut or objective.max_added_insn{would_do}"
        )
    least, pieces = answer.least.peak_ram_bytes, plural(len(answer.least.segments), "piece")
    left = answer.least.unfinished
    sure = "" if left is None else f" {found_text(left.cause)}"
    most = _needs_most(answer.least, op, bound.least_ram_bytes)
    error = InfeasibleError(
        f"{job.file}: no plan{_limits(job)} fits {_budget(job)}; "
        f"the smallest feasible budget{sure} is {format_bytes(least)} ({pieces}); {most}"
        f"{would_do}{_rests_on(answer.least)}{_left_out(answer.least)}"
    )
    error.facts = {
        "status": "INFEASIBLE",
        "budget_bytes": job.budget_bytes,
        "board": job.board.name,
        "model": job.name,
        "unsplit_ram_bytes": unsplit.ram_bytes,
        "invoke_insn": unsplit.invoke.whole,
        "added_insn": answer.least.added_insn,
        "help": [_enough(job, answer.least), *others, f"less of what sets that: {most}"],
        "memories": [asdict(memory) for memory in lacks.memories] if lacks else [],
        "smallest_feasible_budget_bytes": least,
        "smallest_is_proved": answer.least.status.name == "OPTIMAL",
        "exact": answer.least.exact,
        "pieces": len(answer.least.segments),
        "floor": {
            "op": bound.op,
            "type": table.graph.ops[bound.op].type,
            "live_bytes": bound.live_bytes,
            "least_ram_bytes": bound.least_ram_bytes,
        },
    }
    return error


def _budget(job: Job) -> str:
    """`20,000 B`; of the main SRAM, where a board has other memories."""
    of = f" of the main SRAM of {job.board.name}" if job.board.memories else ""
    return f"{format_bytes(job.budget_bytes)}{of}"


def _others(ways: Sequence[WayOut], lacks: Missing | None, unsplit: Baseline) -> list[str]:
    """A line for each change that was found to help."""
    found = [way.line(unsplit.invoke.whole) for way in ways]
    return found if lacks is None else [*found, *lacks.lines()]


def _enough(job: Job, least: SplitPlan) -> str:
    """The budget that would do, and who grants it: the job's own board, else others."""
    peak, own = least.peak_ram_bytes, job.board
    budget = f"a budget of {format_bytes(peak)}"
    if own.budget_bytes >= peak:
        return f"{budget}: {own.name} grants {format_bytes(own.budget_bytes)}"
    bare = peak - own.headroom_bytes
    boards = sorted(known_boards(), key=attrgetter("budget_bytes"))
    large = [
        f"{board.name}, {format_bytes(board.budget_bytes)}"
        for board in boards
        if board.abi == own.abi and board.budget_bytes >= bare + board.headroom_bytes
    ]
    return f"{budget} ({large[0]})" if large else budget


def _needs_most(plan: SplitPlan, op: str, bound_bytes: int) -> str:
    """The op of the single-op bound where the plan rests on it; else the piece that sets the peak,
    with the model's input where that waits outside its arena."""
    if plan.peak_ram_bytes >= bound_bytes:
        return (
            f"{op} needs most: a piece with it on all rows takes at least "
            f"{format_bytes(bound_bytes)}"
        )
    peak = plan.limiting_segment
    way = "streamed" if peak.figures.stream else "in bands" if peak.is_banded else "on all rows"
    words = (
        f"its piece {peak.index} (ops {peak.start} to {peak.stop - 1}, {way}) needs most: arena "
        f"{format_bytes(peak.figures.arena_bytes)}, boundary tensors "
        f"{format_bytes(peak.boundary_bytes)}"
    )
    if peak.start == 0 and peak.is_apart and not peak.by_rows and peak.in_bytes:
        words += f", of them the model's input, {format_bytes(peak.in_bytes)}"
    return words


_NOT_FOUND: Mapping[Cause, str] = {
    "time_limit": "was not found in time: raise solve.time_limit_s",
    "interrupt": "was not found before the interrupt",
    "memory": "was not found: tables of bands are full",
}


def _limits(job: Job) -> str:
    """The job's own limits that narrow the choice of cuts, as words; empty where there are none."""
    spec = job.spec
    found = {
        "pieces.max": spec.pieces.max is not None,
        "cut.allow": spec.cut.allow is not None,
        "cut.forbid": bool(spec.cut.forbid),
        "objective.max_added_insn": spec.objective.max_added_insn is not None,
        f"pieces.switching{_stores(job)}": "rebuild" not in spec.pieces.switching,
    }
    named = [name for name, is_set in found.items() if is_set]
    return f" under the job's {', '.join(named)}" if named else ""


def _stores(job: Job) -> str:
    """How much the memories of the board hold of tails, as words in brackets; empty without any."""
    held = [
        f"{format_bytes(memory.bytes - memory.reserved_bytes)} of "
        f"{' or '.join(what.replace('_', ' ') for what in memory.holds)} in {memory.name}"
        for memory in job.board.memories
    ]
    return f" ({', '.join(held)})" if held else ""


def _rests_on(plan: SplitPlan) -> str:
    """A warning where bytes are estimates; nothing where they are exact."""
    if plan.exact:
        return ""
    reasons = dict.fromkeys(r for s in plan.segments for r in s.figures.arena.estimates)
    return f" (estimates on the safe side: {next(iter(reasons))})"


def _left_out(plan: SplitPlan) -> str:
    """What the choice did not hold, by the plan's notes; empty where all was there."""
    return "".join(f". {note.rstrip('.')}" for note in plan.notes)


def refuse_outgrown(job: Job, planned: SplitPlan, made: SplitPlan) -> None:
    """Raises InfeasibleError where converted pieces exceed a limit that their plan kept."""
    if made.peak_ram_bytes > job.budget_bytes:
        more = made.peak_ram_bytes - planned.peak_ram_bytes
        raise InfeasibleError(
            f"{job.file}: the pieces that the converter made need {format_bytes(more)} more than "
            f"the whole int8 model's, {format_bytes(made.peak_ram_bytes)} of a budget of "
            f"{format_bytes(job.budget_bytes)}; use route: whole, or lower budget_bytes by that "
            "much"
        )
    limit = job.spec.objective.max_added_insn
    if limit is not None and made.added_insn > limit:
        raise InfeasibleError(
            f"{job.file}: the pieces that the converter made add {made.added_insn:,} estimated "
            f"instructions an inference, {made.added_insn - planned.added_insn:,} more than the "
            f"whole int8 model's (requantisation, mostly), over objective.max_added_insn of "
            f"{limit:,}; use route: whole, or raise that limit"
        )

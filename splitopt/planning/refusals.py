"""Jobs that end without a plan: the error that says why, and which budget would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from splitopt.base.errors import InfeasibleError
from splitopt.base.text import first_few
from splitopt.base.units import format_bytes, plural
from splitopt.config.board import known_boards
from splitopt.config.job import Job
from splitopt.planning.lower_bound import single_op_bound
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.short_memories import Missing
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.planning.unfinished import Cause, cause_of, found_text
from splitopt.planning.unsplit import Baseline


def infeasible(
    job: Job,
    table: SegmentTable,
    answer: Infeasible,
    unsplit: Baseline,
    lacks: Missing | None = None,
) -> InfeasibleError:
    """The error for a job without a plan: which budget would do, and which op needs most; `lacks`:
    what else would do."""
    bound = single_op_bound(table)
    op = table.graph.op_name(bound.op)
    if answer.least is None and not answer.is_searched:
        error = InfeasibleError(
            f"{job.file}: no plan{_limits(job)} fits {_budget(job)} (proved); "
            f"the smallest feasible budget {_NOT_FOUND[cause_of(table)]}{_would_do(lacks)}"
        )
        error.facts = {"status": "INFEASIBLE", "budget_bytes": job.budget_bytes}
        return error
    if answer.least is None:
        return InfeasibleError(
            f"{job.file}: no plan keeps the limits on cuts, pieces and added time at any budget; "
            f"loosen pieces.max, cut or objective.max_added_insn{_would_do(lacks)}"
        )
    least, pieces = answer.least.peak_ram_bytes, plural(len(answer.least.segments), "piece")
    left = answer.least.unfinished
    sure = "" if left is None else f" {found_text(left.cause)}"
    error = InfeasibleError(
        f"{job.file}: no plan{_limits(job)} fits {_budget(job)}; "
        f"the smallest feasible budget{sure} is {format_bytes(least)} ({pieces}); "
        f"{_needs_most(answer.least, op, bound.least_ram_bytes)}"
        f"{_would_do(lacks)}{_rests_on(answer.least)}{_left_out(answer.least)}"
    )
    error.facts = {
        "status": "INFEASIBLE",
        "budget_bytes": job.budget_bytes,
        "board": job.board.name,
        "model": job.name,
        "unsplit_ram_bytes": unsplit.ram_bytes,
        "invoke_insn": unsplit.invoke.whole,
        "added_insn": answer.least.added_insn,
        "help": [
            *_help(job, answer.least, op, bound.least_ram_bytes),
            *(() if lacks is None else lacks.lines()),
        ],
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


def _would_do(lacks: Missing | None) -> str:
    """What a plan would need beside the main SRAM; empty where that would not help."""
    return "" if lacks is None else f"; what would do, too: {'; '.join(lacks.lines())}"


def _help(job: Job, least: SplitPlan, op: str, bound_bytes: int) -> list[str]:
    """What would make it fit: RAM, or a smaller need."""
    peak = least.peak_ram_bytes
    large = [
        board.name
        for board in known_boards()
        if board.abi == job.board.abi and board.budget_bytes >= peak
    ]
    boards = f" (boards: {first_few(large, 3)})" if large else ""
    found = [f"a budget of {format_bytes(peak)}{boards}"]
    if limits := _limits(job):
        found.append(f"looser limits{limits.removeprefix(' under')}")
    return [*found, f"less of what sets that: {_needs_most(least, op, bound_bytes)}"]


def _needs_most(plan: SplitPlan, op: str, bound_bytes: int) -> str:
    """The op of the single-op bound where the plan rests on it; else the piece that sets the peak,
    with the model's input where that waits for a piece that could have it by rows."""
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
        words += (
            f", of them the model's input, {format_bytes(peak.in_bytes)}, which pieces.input: rows "
            "takes out of RAM, if your application can hand it over row by row"
        )
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

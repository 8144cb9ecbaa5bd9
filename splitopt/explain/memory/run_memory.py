"""Why a run's memory did not go down (or how far it did), with what is left to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from splitopt.base.progress import Progress
from splitopt.base.units import format_bytes, plural
from splitopt.bundle.open import OpenBundle, has_offline_plans
from splitopt.bundle.schema.explain import Memory, Piece, Reachable, RunMemory
from splitopt.explain.memory.cuts import (
    SOLVE_S,
    float_ends,
    free_request,
    limit_remedies,
    peak_as_cut,
    planner_of,
    reachable,
    single_cuts,
)
from splitopt.explain.memory.facts import memory_facts, where_text
from splitopt.explain.memory.pieces import written_pieces
from splitopt.explain.memory.remedies import peak_of, proof_of
from splitopt.explain.memory.single_op_bound import explained_bound
from splitopt.planning.job_table import switching_of
from splitopt.planning.lowest_peak import LowestPeak, lowest_peak, lowest_peaks
from splitopt.planning.planner import Planner
from splitopt.planning.request import Deadline
from splitopt.planning.segment import CUTS_ONLY, Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.switching import REBUILT
from splitopt.planning.unsplit import unsplit

_HARDLY = 0.05


def explain_run_memory(
    bundle: OpenBundle,
    progress: Progress = lambda _: None,
    *,
    with_lowest_peaks: bool = False,
) -> RunMemory:
    """Where the RAM of a run's pieces goes, and what would lower its peak.

    `with_lowest_peaks`: also the lowest peak by technique, with offline plans, bands and streams,
    which takes longer; without them it takes no longer than the run's own planning might. Raises
    UsageError for a model of more ops than are planned, and for a broken cost table.
    """
    progress("replaying TFLM's memory planner")
    own_s = bundle.plan.job.settings.solve.time_limit_s
    deadline = Deadline(2 * SOLVE_S if with_lowest_peaks else min(SOLVE_S, own_s))
    planner, request = planner_of(bundle, CUTS_ONLY), free_request(bundle)
    table = planner.table
    switching = switching_of(bundle.plan.board, bundle.plan.job.settings.pieces.switching)
    before, bound = unsplit(table), explained_bound(table, switching)
    pieces = written_pieces(bundle, table, bound.op)
    after = _after(bundle, planner, pieces, deadline.share(1 / 4))
    progress("looking for the lowest peak of any cuts")
    own = deadline.share(1 / 3)
    found = lowest_peak(planner, request, is_priced=with_lowest_peaks, deadline=own)
    cuts = found if isinstance(found, LowestPeak) else None
    reach = None if cuts is None else reachable(bundle, planner, cuts, deadline)
    peaks: tuple[LowestPeak, ...] = ()
    if with_lowest_peaks and cuts is not None:
        progress("looking for the lowest peak with offline plans, bands and streams")

        def planner_under(techniques: Techniques) -> Planner:
            return Planner(table.under(_as_cuts(table, techniques)))

        stays, invoke = switching.all_inside(), before.invoke.whole
        peaks = lowest_peaks(cuts, planner_under, request, invoke, deadline, stays)
    facts = memory_facts(
        table,
        before,
        bound,
        pieces,
        cuts if with_lowest_peaks else None,
        peaks,
        now=pieces,
        budget_bytes=bundle.plan.budget_bytes,
        peak_bytes=after,
        limits=(
            *limit_remedies(bundle, reach, after, as_planned=all(p.as_planned for p in pieces)),
            *float_ends(bundle, after, deadline),
        ),
        switching=switching,
    )
    return RunMemory(
        **dict(facts),
        verdict=_verdict(before.ram_bytes, after, reach, facts),
        before_bytes=before.ram_bytes,
        after_bytes=after,
        saved_bytes=before.ram_bytes - after,
        unsplit_tail_bytes=before.arena.tail_bytes,
        single_cuts=single_cuts(table, before.ram_bytes),
        reachable=reach,
    )


def _as_cuts(table: SegmentTable, techniques: Techniques) -> Techniques:
    """Where pieces are rebuilt, as those of the table."""
    if techniques.switching != REBUILT:
        return techniques
    return replace(techniques, switching=table.techniques.switching)


def _after(
    bundle: OpenBundle, planner: Planner, pieces: Sequence[Piece], deadline: Deadline
) -> int:
    """The peak of the files as they are; with a checked layout where they are the plan's own."""
    largest = peak_of(pieces)
    if not all(piece.as_planned for piece in pieces):
        return largest
    stays = any(entry.switching == "resident" for entry in bundle.plan.segments)
    is_more = any(piece.bands or piece.groups for piece in pieces) or has_offline_plans(bundle)
    if stays or is_more:
        return bundle.plan.peak_ram_bytes
    return peak_as_cut(bundle, planner, deadline) or largest


def _verdict(before: int, after: int, reach: Reachable | None, facts: Memory) -> str:
    """Before, after, how far cuts could go, and what the peak comes from most."""
    saved, count = before - after, plural(len(facts.pieces), "piece")
    figures = f"{format_bytes(before)} unsplit, {format_bytes(after)} in {count}"
    share = f"{100 * saved / before:.1f} %"
    if len(facts.pieces) == 1 and after == before:
        words = f"The model was left unsplit at {format_bytes(after)}"
    elif saved <= 0:
        words = f"Memory did not go down: {figures}"
    elif saved < _HARDLY * before:
        words = f"Memory hardly went down: {figures} ({share} saved)"
    else:
        words = f"Memory went down by {share}: {figures}"
    cause = f"What counts most: {facts.causes[0].sentence}."
    return f"{words}; {_reach(before, after, reach)}{where_text(facts)}. {cause}"


def _reach(before: int, after: int, reach: Reachable | None) -> str:
    if reach is None:
        return "the lowest peak that cuts can reach was not found in time"
    least = reach.free
    proof = proof_of(least)
    if least.peak_ram_bytes >= before:
        return f"no set of cuts alone gets below the unsplit model ({proof})"
    if least.peak_ram_bytes >= after:
        return f"no set of cuts alone gets lower ({proof})"
    return f"cuts can reach {format_bytes(least.peak_ram_bytes)} ({proof})"

"""Why memory did not go down (or how far it did), with what is left to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from splitopt.base.units import format_bytes, plural
from splitopt.bundle.open import OpenBundle, cost_table_of, has_offline_plans
from splitopt.explain.memory.cuts import (
    Reachable,
    SingleCuts,
    least_peak_request,
    peak_as_cut,
    reachable,
    single_cuts,
)
from splitopt.explain.memory.pieces import LiveTensor, PieceMemory, alive_at, piece_memories
from splitopt.explain.memory.remedies import Reason, memory_reasons
from splitopt.planning.job_table import Pricing, priced_segments
from splitopt.planning.lower_bound import Floor, floor_of
from splitopt.planning.lowest_peak import Rung, ladder, rung_lines
from splitopt.planning.planner import Planner
from splitopt.planning.segment import CUTS_ONLY, Techniques
from splitopt.planning.unsplit import unsplit

_HARDLY = 0.05


@dataclass(frozen=True)
class MemoryDiagnosis:
    """Peak RAM before and after, what it is made of, and what cuts can reach. In bytes.

    `floor_live`: what is alive at the op that no cut gets below. `reasons`: why the peak is not
    lower, the largest first. `reachable` is None where no plan was found in time.
    """

    verdict: str
    before_bytes: int
    after_bytes: int
    budget_bytes: int
    floor: Floor
    floor_op: str
    floor_live: tuple[LiveTensor, ...]
    unsplit_tail_bytes: int
    pieces: tuple[PieceMemory, ...]
    single: SingleCuts
    reachable: Reachable | None
    reasons: tuple[Reason, ...]
    exact: bool
    ladder: tuple[Rung, ...] = ()
    invoke_insn: int = 0

    @property
    def ladder_lines(self) -> tuple[str, ...]:
        """How far plans of this model get, liberty by liberty; empty where that was not asked."""
        if not self.ladder:
            return ()
        return tuple(rung_lines(self.ladder, self.before_bytes, self.invoke_insn))

    @property
    def saved_bytes(self) -> int:
        return self.before_bytes - self.after_bytes

    @property
    def dominant(self) -> Reason | None:
        return self.reasons[0] if self.reasons else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "before_bytes": self.before_bytes,
            "after_bytes": self.after_bytes,
            "saved_bytes": self.saved_bytes,
            "budget_bytes": self.budget_bytes,
            "floor": {
                **asdict(self.floor),
                "name": self.floor_op,
                "alive": [asdict(item) for item in self.floor_live],
            },
            "unsplit_tail_bytes": self.unsplit_tail_bytes,
            "pieces": [
                {
                    **asdict(p),
                    "head_bytes": p.head_bytes,
                    "arena_bytes": p.arena_bytes,
                    "boundary_bytes": p.boundary_bytes,
                    "ram_bytes": p.ram_bytes,
                }
                for p in self.pieces
            ],
            "single_cuts": asdict(self.single),
            "reachable": None if self.reachable is None else asdict(self.reachable),
            "reasons": [reason.to_dict() for reason in self.reasons],
            "exact": self.exact,
            "ladder": [asdict(rung) for rung in self.ladder],
            "ladder_lines": list(self.ladder_lines),
        }


def diagnose_memory(
    bundle: OpenBundle,
    progress: Callable[[str], None] = lambda _: None,
    *,
    with_ladder: bool = False,
) -> MemoryDiagnosis:
    """`with_ladder`: also how far plans get with bands and offline plans, which takes longer.

    Raises UsageError for a model of more ops than are planned.
    """
    plan = bundle.plan
    progress("replaying TFLM's memory planner")
    planner = _planner(bundle, CUTS_ONLY)
    table = planner.table
    before, floor = unsplit(table), floor_of(table)
    pieces = piece_memories(bundle, table, floor.op)
    after = max(piece.ram_bytes for piece in pieces)
    if all(piece.as_planned for piece in pieces):
        stock = not any(piece.bands for piece in pieces) and not has_offline_plans(bundle)
        after = (peak_as_cut(bundle, planner) if stock else plan.peak_ram_bytes) or after
    single = single_cuts(table, before.ram_bytes)
    reach = reachable(bundle, planner, progress)
    rungs: tuple[Rung, ...] = ()
    if with_ladder and reach is not None:
        progress("looking for the least peak with bands and offline plans")
        free = partial(_planner, bundle)
        rungs = ladder(free, least_peak_request(bundle), before.invoke.insn)
    reasons = memory_reasons(bundle, table, pieces, floor, before.ram_bytes, after, reach)
    return MemoryDiagnosis(
        verdict=_verdict(bundle, before.ram_bytes, after, reach, reasons),
        before_bytes=before.ram_bytes,
        after_bytes=after,
        budget_bytes=plan.budget_bytes,
        floor=floor,
        floor_op=bundle.graph.op_name(floor.op),
        floor_live=alive_at(bundle.graph, table, floor.op),
        unsplit_tail_bytes=before.arena.tail_bytes,
        pieces=pieces,
        single=single,
        reachable=reach,
        reasons=reasons,
        exact=before.arena.exact and all(piece.exact for piece in pieces),
        ladder=rungs,
        invoke_insn=before.invoke.insn,
    )


def _planner(bundle: OpenBundle, techniques: Techniques) -> Planner:
    plan = bundle.plan
    table, where = cost_table_of(bundle)
    pricing = Pricing(
        abi=plan.board.abi,
        headroom_bytes=plan.board.headroom_bytes,
        zero_arena=plan.job.settings.pieces.zero_arena,
        cost_table=table,
        cost_table_from=where,
        techniques=techniques,
    )
    return Planner(priced_segments(bundle.graph, pricing))


def _verdict(
    bundle: OpenBundle,
    before: int,
    after: int,
    reach: Reachable | None,
    reasons: tuple[Reason, ...],
) -> str:
    """One or two sentences: before, after, how far it could go, and what stands in the way."""
    saved, pieces = before - after, plural(len(bundle.pieces), "piece")
    figures = f"{format_bytes(before)} unsplit, {format_bytes(after)} in {pieces}"
    share = f"{100 * saved / before:.1f} %"
    if len(bundle.pieces) == 1:
        words = f"The model was left unsplit at {format_bytes(after)}"
    elif saved <= 0:
        words = f"Memory did not go down: {figures}"
    elif saved < _HARDLY * before:
        words = f"Memory hardly went down: {figures} ({share} saved)"
    else:
        words = f"Memory went down by {share}: {figures}"
    return f"{words}; {_reach(before, after, reach)}. {_cause(reasons)}"


def _reach(before: int, after: int, reach: Reachable | None) -> str:
    if reach is None:
        return "the least that cuts can reach was not found in time"
    least = reach.free
    proof = "proved" if least.proved else "the best found in time, unproved"
    if least.peak_ram_bytes >= before:
        return f"no set of cuts gets below the unsplit model ({proof})"
    if least.peak_ram_bytes >= after:
        return f"no set of cuts gets lower ({proof})"
    return f"cuts can reach {format_bytes(least.peak_ram_bytes)} ({proof})"


def _cause(reasons: tuple[Reason, ...]) -> str:
    if not reasons:
        return "Nothing stands out in it."
    return f"What counts most: {reasons[0].sentence}."

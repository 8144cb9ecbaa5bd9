"""How far down plans get, liberty by liberty: cuts alone, exact offline plans, row bands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from splitopt.base.units import format_bytes
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import CUTS_ONLY, Techniques
from splitopt.planning.split_plan import SplitPlan
from splitopt.solvers.partition.instance import Goal

MORE_TIME = 10
"""Per cent of the unsplit Invoke that bands may add to what cuts add, on the rung in between."""

_OFFLINE = Techniques(bands=False, two_heights=False, offline_plans=True)
_ALL = Techniques()


@dataclass(frozen=True)
class Rung:
    """The least peak RAM with these techniques, and what the cheapest plan that reaches it adds.

    `code` is stable, for programs. `rebuild_insn`: AllocateTensors and construction; the rest of
    `added_insn` is copies and what bands compute more than once. Estimates, an inference.
    `is_proved`: of the bytes; no plan of this kind gets lower.
    """

    code: str
    name: str
    peak_ram_bytes: int
    pieces: int
    bands: int
    added_insn: int
    rebuild_insn: int
    is_proved: bool

    def beats(self, other: Rung) -> bool:
        return self.peak_ram_bytes < other.peak_ram_bytes


def ladder(
    planner_of: Callable[[Techniques], Planner], request: PlanRequest, invoke_insn: int
) -> tuple[Rung, ...]:
    """From cuts alone downwards; empty where no plan was found in time.

    `request`: its limits on cuts and pieces hold, its objective and budget play no part.
    `invoke_insn`: of the unsplit model.
    """
    found = list(_rungs(planner_of, request, invoke_insn))
    return tuple(found) if len(found) == len(_NAMES) else ()


_NAMES = {
    "cuts": "cuts alone",
    "offline_plans": "with exact offline plans",
    "bands_within": f"with bands, at most {MORE_TIME} % of Invoke more",
    "bands": "with bands",
}


def _rungs(
    planner_of: Callable[[Techniques], Planner], request: PlanRequest, invoke_insn: int
) -> Iterator[Rung]:
    cuts = _least("cuts", planner_of(CUTS_ONLY), request, None)
    if cuts is None:
        return
    yield cuts
    most = cuts.added_insn + invoke_insn * MORE_TIME // 100
    free = planner_of(_ALL)
    for found in (
        _least("offline_plans", planner_of(_OFFLINE), request, None),
        _least("bands_within", free, request, most),
        _least("bands", free, request, None),
    ):
        if found is not None:
            yield found


def _least(code: str, planner: Planner, request: PlanRequest, most: int | None) -> Rung | None:
    """The least peak, then the cheapest plan that reaches it."""
    pieces = request.goal.max_segments
    goal = Goal(ram_weight=1, cost_weight=0, max_cost=most, max_segments=pieces)
    least = planner.plan(replace(request, goal=goal))
    if not isinstance(least, SplitPlan):
        return None
    goal = replace(goal, ram_weight=0, cost_weight=1, capacity=least.peak_ram_bytes)
    cheap = planner.plan(replace(request, goal=goal))
    plan = cheap if isinstance(cheap, SplitPlan) else least
    return Rung(
        code=code,
        name=_NAMES[code],
        peak_ram_bytes=plan.peak_ram_bytes,
        pieces=len(plan.segments),
        bands=sum(len(segment.figures.executions) for segment in plan.segments),
        added_insn=plan.added_insn,
        rebuild_insn=plan.rebuild_insn,
        is_proved=least.status.name == "OPTIMAL",
    )


def rung_lines(rungs: tuple[Rung, ...], unsplit_bytes: int, invoke_insn: int) -> Iterator[str]:
    """A line for each rung that gets lower than all before, and for what does not."""
    if not rungs:
        yield "No plan was found in time."
        return
    lowest = unsplit_bytes
    for rung in rungs:
        if rung.peak_ram_bytes < lowest:
            lowest = rung.peak_ram_bytes
            yield f"{rung.name}: {_reached(rung, invoke_insn)}"
        else:
            yield f"{rung.name}: nothing below {format_bytes(lowest)} ({_proof(rung)})"


def _reached(rung: Rung, invoke_insn: int) -> str:
    """Bytes, and the price in parts of the unsplit Invoke."""
    share = 100 / max(1, invoke_insn)
    rest = share * (rung.added_insn - rung.rebuild_insn)
    return (
        f"{format_bytes(rung.peak_ram_bytes)} ({_proof(rung)}); Invoke and copies {rest:+.1f} %, "
        f"AllocateTensors {share * rung.rebuild_insn:+.1f} % of the unsplit Invoke (estimates)"
    )


def _proof(rung: Rung) -> str:
    return "proved" if rung.is_proved else "the best found in time, unproved"

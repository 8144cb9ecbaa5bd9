"""The lowest peak RAM by technique: cuts only, with exact offline plans, with row bands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.planning.unfinished import Unfinished, cause_of, found_text
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.instance import Goal

MORE_TIME = 10
"""Per cent of the unsplit Invoke that bands may add to what cuts add, for `bands_within`."""

_LEAST = 0.6
"""How much of the time goes into the lowest peak; the rest is for the cheapest plan that has it."""

_OFFLINE = Techniques(bands=False, two_heights=False, offline_plans=True)
_NAMES = {
    "cuts": "cuts only",
    "offline_plans": "with exact offline plans",
    "bands_within": f"with bands, at most {MORE_TIME} % of Invoke more",
    "bands": "with bands",
}


@dataclass(frozen=True)
class LowestPeak:
    """The lowest peak RAM that a plan with these techniques reaches, and the plan that does it.

    `code` is stable, for programs. `unfinished`: what was not looked at for the peak; None where
    no plan of this kind gets lower, by proof (`is_proved`). `is_cheapest`: no plan that reaches it
    adds fewer instructions, by proof.
    """

    code: str
    name: str
    plan: SplitPlan
    unfinished: Unfinished | None
    is_cheapest: bool = False

    @property
    def is_proved(self) -> bool:
        return self.unfinished is None

    @property
    def peak_ram_bytes(self) -> int:
        return self.plan.peak_ram_bytes

    @property
    def cuts(self) -> tuple[int, ...]:
        return self.plan.cuts

    @property
    def pieces(self) -> int:
        return len(self.plan.segments)

    @property
    def bands(self) -> int:
        return sum(len(segment.figures.executions) for segment in self.plan.segments)

    @property
    def added_insn(self) -> int:
        return self.plan.added_insn

    @property
    def rebuild_insn(self) -> int:
        return self.plan.rebuild_insn


def lowest_peak(
    planner: Planner,
    request: PlanRequest,
    code: str = "cuts",
    *,
    max_cost: int | None = None,
    is_priced: bool = True,
    simpler: LowestPeak | None = None,
    deadline: Deadline | None = None,
) -> LowestPeak | str:
    """The lowest peak, or one sentence on why there is none; then the cheapest plan that has it.

    `request`: its limits on cuts and pieces hold, its objective and budget play no part.
    `max_cost`: instructions that a plan may add. `is_priced` false: any plan that has it will do.
    `simpler`: what fewer techniques reach; where no more is to be had, its plan is the answer.
    """
    deadline = deadline or Deadline(request.params.time_limit_s)
    pieces = request.goal.max_segments
    goal = Goal(ram_weight=1, cost_weight=0, max_cost=max_cost, max_segments=pieces)
    question = replace(request, goal=goal, with_ties=not is_priced)
    least = planner.plan(question, deadline.share(_LEAST if is_priced else 1))
    if isinstance(least, Infeasible):
        return "No piece of this model has both an input and an output that can be handed over."
    if not isinstance(least, SplitPlan):
        return f"No cuts were {found_text(cause_of(planner.table))}, none were ruled out."
    found = LowestPeak(code, _NAMES[code], least, least.unfinished)
    if not is_priced:
        return found
    if simpler is not None and simpler.peak_ram_bytes <= found.peak_ram_bytes:
        return replace(found, plan=simpler.plan)
    goal = replace(goal, ram_weight=0, cost_weight=1, capacity=least.peak_ram_bytes)
    cheap = planner.plan(replace(request, goal=goal), deadline)
    if not isinstance(cheap, SplitPlan):
        return found
    return replace(found, plan=cheap, is_cheapest=cheap.status.name == "OPTIMAL")


def lowest_peaks(
    cuts: LowestPeak,
    planner_of: Callable[[Techniques], Planner],
    request: PlanRequest,
    invoke_insn: int | None,
    deadline: Deadline,
) -> tuple[LowestPeak, ...]:
    """The lowest peak with each technique, starting with `cuts`. Empty where one of them had no
    answer in time.

    `invoke_insn`: estimated instructions of the unsplit model; where there is no estimate, nothing
    is limited to a share of them.
    """
    found = list(_beyond(cuts, planner_of, request, invoke_insn, deadline))
    peaks = [peak for peak in found if isinstance(peak, LowestPeak)]
    return (cuts, *peaks) if len(peaks) == len(found) else ()


def _beyond(
    cuts: LowestPeak,
    planner_of: Callable[[Techniques], Planner],
    request: PlanRequest,
    invoke_insn: int | None,
    deadline: Deadline,
) -> Iterator[LowestPeak | str]:
    offline = planner_of(_OFFLINE)
    half = deadline.share(1 / 2)
    best = lowest_peak(offline, request, "offline_plans", simpler=cuts, deadline=half)
    yield best
    with_bands = planner_of(Techniques())
    with_bands.prepare(request, deadline.share(1 / 2))
    if invoke_insn is not None:
        most, half = cuts.added_insn + invoke_insn * MORE_TIME // 100, deadline.share(1 / 2)
        known = best if isinstance(best, LowestPeak) and best.added_insn <= most else cuts
        within = lowest_peak(
            with_bands, request, "bands_within", max_cost=most, simpler=known, deadline=half
        )
        yield within
        best = within if isinstance(within, LowestPeak) else best
    known = best if isinstance(best, LowestPeak) else cuts
    yield lowest_peak(with_bands, request, "bands", simpler=known, deadline=deadline)

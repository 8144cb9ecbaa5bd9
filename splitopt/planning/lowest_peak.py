"""The lowest peak RAM by technique: cuts only, with exact offline plans, with row bands, with
streams, with pieces that are not built anew at each inference, and with the model's input handed
over by rows. Each set of techniques holds those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.planning.switching import REBUILT, Switching
from splitopt.planning.unfinished import Unfinished, cause_of, found_text, unfinished
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.instance import Goal

MORE_TIME = 10
"""Per cent of the unsplit Invoke that bands or streams may add to what cuts add, for `_within`."""

_LEAST = 0.6
"""How much of the time goes into the lowest peak; the rest is for the cheapest plan that has it."""

_WITHIN = "_within"
"""Ends the code of a question with a limit on the price."""

STAYS = "stays"
"""The code of all that plans use by themselves; pieces of those before it are rebuilt."""

BY_ROWS = "input_by_rows"
"""The code of what no plan does by itself: the application has to hand rows over."""

_OFFLINE = Techniques(
    bands=False,
    two_heights=False,
    offline_plans=True,
    streams=False,
    rolled_ends=False,
    input_by_rows=False,
)
_BANDS = replace(_OFFLINE, bands=True, two_heights=True, rolled_ends=True)
_STREAMS = replace(_BANDS, streams=True)
_TECHNIQUES = (
    ("offline_plans", _OFFLINE, 1 / 4),
    ("bands", _BANDS, 1 / 2),
    ("streams", _STREAMS, 2 / 3),
    (STAYS, _STREAMS, 2 / 3),
    (BY_ROWS, replace(_STREAMS, input_by_rows=True), 1),
)
"""Code, techniques, how much of the time that is left then."""

_NAMES = {
    "cuts": "cuts only",
    "offline_plans": "with exact offline plans",
    "bands_within": f"with bands, at most {MORE_TIME} % of Invoke more than cuts",
    "bands": "with bands",
    "streams_within": f"with streams, at most {MORE_TIME} % of Invoke more than cuts",
    "streams": "with streams",
    STAYS: "and with pieces resident, restored or in place",
    BY_ROWS: "and with the model's input by rows",
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
    def streams(self) -> int:
        """How many of its pieces make one row at a time."""
        return sum(segment.figures.stream is not None for segment in self.plan.segments)

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
    if not isinstance(least, SplitPlan) and simpler is not None:
        return LowestPeak(code, _NAMES[code], simpler.plan, unfinished(planner.table, None))
    if not isinstance(least, SplitPlan):
        return f"No cuts were {found_text(cause_of(planner.table))}, none were ruled out."
    found = LowestPeak(code, _NAMES[code], least, least.unfinished)
    if not is_priced:
        return found
    if simpler is not None and simpler.peak_ram_bytes <= found.peak_ram_bytes:
        is_cheapest = simpler.is_cheapest and _kind(simpler.code) == _kind(code)
        found = replace(found, plan=simpler.plan, is_cheapest=is_cheapest)
        is_as_cheap = bool(simpler.streams) and code != STAYS
        if is_cheapest or is_as_cheap or not planner.table.techniques.streams:
            return found  # otherwise, streams may reach the same for less
    most = max(0, found.added_insn)
    goal = replace(goal, ram_weight=0, cost_weight=1, capacity=found.peak_ram_bytes, max_cost=most)
    cheap = planner.plan(replace(request, goal=goal, is_patient=False), deadline)
    if not isinstance(cheap, SplitPlan) or cheap.added_insn > found.added_insn:
        return found
    return replace(found, plan=cheap, is_cheapest=cheap.status.name == "OPTIMAL")


def _kind(code: str) -> str:
    """The code of what the techniques reach at any price."""
    return code.removesuffix(_WITHIN)


def lowest_peaks(
    cuts: LowestPeak,
    planner_of: Callable[[Techniques], Planner],
    request: PlanRequest,
    invoke_insn: int | None,
    deadline: Deadline,
    stays: Switching = REBUILT,
) -> tuple[LowestPeak, ...]:
    """The lowest peak with each technique, starting with `cuts`, as far as time goes: `unanswered`
    names the rest.

    `invoke_insn`: estimated instructions of the unsplit model; where there is no estimate, nothing
    is limited to a share of them. `stays`: how pieces may begin at `STAYS` and after, where they
    need not be built anew; `planner_of` says how before.
    """
    known = [cuts]
    most = None if invoke_insn is None else cuts.added_insn + invoke_insn * MORE_TIME // 100
    for code, techniques, share in _steps(stays):
        if deadline.is_over:
            break
        planner, own = planner_of(techniques), deadline.share(share)
        if techniques.bands:
            planner.prepare(request, own.share(1 / 2))
        *limited, _ = _questions(code, invoke_insn)
        free = _asked(planner, request, code, known, None, own.share(1 / 2) if limited else own)
        for name in limited:
            within = replace(free, code=name, name=_NAMES[name])
            if most is not None and (free.added_insn > most or not free.is_proved):
                within = _asked(planner, request, name, (*known, free), most, own)
            free = _with_hindsight(free, within)
            known.append(within)
        known.append(free)
    return tuple(proved_by_wider(known))


def _asked(
    planner: Planner,
    request: PlanRequest,
    code: str,
    known: Sequence[LowestPeak],
    most: int | None,
    deadline: Deadline,
) -> LowestPeak:
    """`known`: answers with techniques that these hold; `most`: instructions that plans may add."""
    simpler = _lowest_of(known, most)
    found = lowest_peak(planner, request, code, max_cost=most, simpler=simpler, deadline=deadline)
    assert isinstance(found, LowestPeak), "cuts are an answer"
    return found


def _with_hindsight(free: LowestPeak, within: LowestPeak) -> LowestPeak:
    """What is known of a question at any price, once that with a limit on the price is answered,
    whose plan may be the better one."""
    if _order(within) >= _order(free):
        return free
    return replace(free, plan=within.plan, is_cheapest=within.is_cheapest)


def proved_by_wider(known: Sequence[LowestPeak]) -> Iterator[LowestPeak]:
    """Each question allows what those before it do, if it limits no price: where its proved peak is
    that of one of them, that is proved, too."""
    for at, own in enumerate(known):
        wider = (other for other in known[at + 1 :] if other.code == _kind(other.code))
        is_met = any(it.is_proved and it.peak_ram_bytes == own.peak_ram_bytes for it in wider)
        yield replace(own, unfinished=None) if is_met else own


def _steps(stays: Switching) -> Iterator[tuple[str, Techniques, float]]:
    """As `_TECHNIQUES`; `STAYS` is left out where no piece may."""
    for code, techniques, share in _TECHNIQUES:
        if code in (STAYS, BY_ROWS):
            techniques = replace(techniques, switching=stays)
        if code != STAYS or stays != REBUILT:
            yield code, techniques, share


def unanswered(
    peaks: Sequence[LowestPeak], invoke_insn: int | None, stays: Switching = REBUILT
) -> tuple[str, ...]:
    """The names of the questions to which `lowest_peaks` came too late."""
    codes = ["cuts"]
    for code, _, _ in _steps(stays):
        codes += _questions(code, invoke_insn)
    return tuple(_NAMES[code] for code in codes[len(peaks) :])


def _questions(code: str, invoke_insn: int | None) -> tuple[str, ...]:
    """By what is asked of these techniques: within a price, where there is one; at any price."""
    limited = f"{code}{_WITHIN}"
    return (limited, code) if limited in _NAMES and invoke_insn is not None else (code,)


def _lowest_of(peaks: Sequence[LowestPeak], max_cost: int | None) -> LowestPeak:
    """The lowest one that adds no more, the cheapest of these, the latest of equals; cuts always
    are one."""
    within = (p for p in reversed(peaks) if max_cost is None or p.added_insn <= max_cost)
    return min(within, key=_order)


def _order(peak: LowestPeak) -> tuple[int, int]:
    return peak.peak_ram_bytes, peak.added_insn

"""Exact packing: offsets of the lowest high-water mark, by CP-SAT.

Variables: offset_b of every free buffer, mark.
  minimise mark
  mark >= offset_b + size_b                          _add_mark
  rectangles live_b x [offset_b, offset_b + size_b)
    do not overlap                                   _add_no_overlap
  at every step, the sizes alive sum to <= mark      _add_load  (implied; `redundant`)
In units of the greatest common divisor of all sizes and pins: sinking every free buffer until
it rests on another loses nothing, and then every offset is a multiple of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from ortools.sat.python import cp_model

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.engine import proved_bound, run
from splitopt.solvers.invalid import InvalidPlan
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.packing.check import check_plan
from splitopt.solvers.packing.greedy_by_size import plan_greedy
from splitopt.solvers.packing.instance import Buffer, PackingInstance
from splitopt.solvers.packing.local_search import search
from splitopt.solvers.packing.parts import part_of, parts
from splitopt.solvers.packing.plan import PackingPlan
from splitopt.solvers.params import SolveParams

_DECISION_SHARE = 0.7
_SEARCH_S = 0.5


def solve(instance: PackingInstance, params: SolveParams | None = None) -> Outcome[PackingPlan]:
    """Offsets of the lowest high-water mark, with a proved bound of it. Buffers of no size go to
    their pin or to 0.

    Groups of buffers between which nothing is alive are packed one by one, and the highest of them
    is the result. A group that cannot be proved does no harm where another is proved to reach as
    high.
    """
    params = params or SolveParams()
    deadline = Deadline(params.time_limit_s)
    groups = sorted(parts(instance), key=len)  # small ones leave their time to the others
    if len(groups) < 2:
        return _solve_part(instance, params, deadline)
    smaller = [part_of(instance, group) for group in groups]
    found = []
    for left, part in zip(range(len(smaller), 0, -1), smaller, strict=True):
        found.append(_solve_part(part, params, Deadline(deadline.left_s / left)))
    return _joined(instance, groups, found, deadline)


def _joined(
    instance: PackingInstance,
    groups: Sequence[tuple[int, ...]],
    found: Sequence[Outcome[PackingPlan]],
    deadline: Deadline,
) -> Outcome[PackingPlan]:
    """The outcome of the whole from those of its parts."""
    if any(outcome.status is Status.INFEASIBLE for outcome in found):
        return Outcome(Status.INFEASIBLE, wall_s=deadline.spent_s)
    bound = max((outcome.bound or 0 for outcome in found), default=0)
    plans = [outcome.plan for outcome in found]
    offsets = [0] * len(instance.buffers)
    for group, plan in zip(groups, plans, strict=True):
        if plan is None:
            return Outcome(Status.UNKNOWN, bound=bound, wall_s=deadline.spent_s)
        for index, offset in zip(group, plan.offsets, strict=True):
            offsets[index] = offset
    whole = PackingPlan(tuple(offsets))
    high = whole.high_water_mark(instance)
    status = Status.OPTIMAL if high == bound else Status.FEASIBLE
    return Outcome(status, whole, high, bound, deadline.spent_s)


def _solve_part(
    instance: PackingInstance, params: SolveParams, deadline: Deadline
) -> Outcome[PackingPlan]:
    """Buffers that are connected by overlapping live ranges."""
    lower_bound = _lower_bound(instance)
    if instance.capacity is not None and lower_bound > instance.capacity:
        return Outcome(Status.INFEASIBLE, wall_s=deadline.spent_s)
    greedy = _quick(instance, lower_bound, params, deadline)
    if greedy is not None and params.cheap_proofs:
        high = greedy.high_water_mark(instance)
        if high == lower_bound:
            return Outcome(Status.OPTIMAL, greedy, high, high, deadline.spent_s)
    return _search(instance, greedy, lower_bound, params, deadline)


def _lower_bound(instance: PackingInstance) -> int:
    pins = [b.offset + b.size for b in instance.buffers if b.offset is not None]
    return max([instance.peak_load, *pins])


def _quick(
    instance: PackingInstance, lower_bound: int, params: SolveParams, deadline: Deadline
) -> PackingPlan | None:
    """The better of TFLM's greedy plan and those of a local search, if it keeps all rules, the
    capacity among them. The search gets little time: it finds early what it finds."""
    plans = [plan_greedy(instance)]
    if plans[0].high_water_mark(instance) > lower_bound and params.hints:
        limited = Deadline(min(_SEARCH_S, deadline.left_s / 10))
        plans.append(search(instance, lower_bound, limited, params.seed))
    for plan in sorted(plans, key=lambda plan: plan.high_water_mark(instance)):
        try:
            check_plan(instance, plan)
        except InvalidPlan:
            continue
        return plan
    return None


@dataclass(frozen=True)
class _Model:
    cp: cp_model.CpModel
    unit: int
    offsets: dict[int, cp_model.IntVar]
    mark: cp_model.IntVar


def _search(
    instance: PackingInstance,
    greedy: PackingPlan | None,
    lower_bound: int,
    params: SolveParams,
    deadline: Deadline,
) -> Outcome[PackingPlan]:
    tight = _at_lower_bound(instance, lower_bound, params, deadline)
    if tight is not None:
        return Outcome(Status.OPTIMAL, tight, lower_bound, lower_bound, deadline.spent_s)
    model = _build(instance, greedy, lower_bound, params)
    status, solver = run(model.cp, params, deadline)
    if status.has_plan:
        plan = _plan(instance, model, solver)
        bound = max(lower_bound, proved_bound(solver) * model.unit)
        return Outcome(status, plan, plan.high_water_mark(instance), bound, deadline.spent_s)
    if status is Status.INFEASIBLE:
        return Outcome(status, wall_s=deadline.spent_s)
    if greedy is not None:
        high = greedy.high_water_mark(instance)
        return Outcome(Status.FEASIBLE, greedy, high, lower_bound, deadline.spent_s)
    return Outcome(Status.UNKNOWN, bound=lower_bound, wall_s=deadline.spent_s)


def _at_lower_bound(
    instance: PackingInstance, lower_bound: int, params: SolveParams, deadline: Deadline
) -> PackingPlan | None:
    """Solves the decision problem at the lower bound first, for most of the time that is left.

    Whether everything fits below a fixed mark is decided much faster than the lowest mark is found.
    """
    if lower_bound % _unit(instance):
        return None
    model = _build(PackingInstance(instance.buffers, lower_bound), None, lower_bound, params)
    status, solver = run(model.cp, params, Deadline(_DECISION_SHARE * deadline.left_s))
    return _plan(instance, model, solver) if status.has_plan else None


def _plan(instance: PackingInstance, model: _Model, solver: cp_model.CpSolver) -> PackingPlan:
    return PackingPlan(
        tuple(
            solver.value(model.offsets[i]) * model.unit if i in model.offsets else b.offset or 0
            for i, b in enumerate(instance.buffers)
        )
    )


def _build(
    instance: PackingInstance, greedy: PackingPlan | None, lower_bound: int, params: SolveParams
) -> _Model:
    """A free buffer never has to lie above the greedy plan, the capacity or all others stacked."""
    real = {i: b for i, b in enumerate(instance.buffers) if b.size}
    unit = _unit(instance)
    limits = [lower_bound + sum(b.size for b in real.values())]
    limits += [] if greedy is None else [greedy.high_water_mark(instance)]
    limits += [] if instance.capacity is None else [instance.capacity]
    top = min(limits) // unit
    cp = cp_model.CpModel()
    mark = cp.new_int_var(-(-lower_bound // unit), top, "mark")
    offsets = {
        i: cp.new_int_var(0, top - b.size // unit, f"offset{i}")
        if b.offset is None
        else cp.new_constant(b.offset // unit)
        for i, b in real.items()
    }
    model = _Model(cp, unit, offsets, mark)
    _add_mark(model, real)
    _add_no_overlap(model, real)
    if params.redundant:
        _add_load(model, real)
    if params.hints and greedy is not None:
        for i, offset in offsets.items():
            if real[i].offset is None:
                cp.add_hint(offset, greedy.offsets[i] // unit)
    cp.minimize(mark)
    return model


def _unit(instance: PackingInstance) -> int:
    """What divides all sizes and pins."""
    real = [b for b in instance.buffers if b.size]
    return gcd(*(b.size for b in real), *(b.offset or 0 for b in real)) or 1


def _add_mark(model: _Model, real: dict[int, Buffer]) -> None:
    for i, offset in model.offsets.items():
        model.cp.add(model.mark >= offset + real[i].size // model.unit)


def _add_no_overlap(model: _Model, real: dict[int, Buffer]) -> None:
    bytes_held = [
        model.cp.new_fixed_size_interval_var(offset, real[i].size // model.unit, f"bytes{i}")
        for i, offset in model.offsets.items()
    ]
    model.cp.add_no_overlap_2d(_live_intervals(model, real), bytes_held)


def _add_load(model: _Model, real: dict[int, Buffer]) -> None:
    sizes = [b.size // model.unit for b in real.values()]
    model.cp.add_cumulative(_live_intervals(model, real), sizes, model.mark)


def _live_intervals(model: _Model, real: dict[int, Buffer]) -> list[cp_model.IntervalVar]:
    ranges = [b.live.steps for b in real.values()]
    return [
        model.cp.new_fixed_size_interval_var(start, stop - start, f"live{i}")
        for i, (start, stop) in zip(real, ranges, strict=True)
    ]

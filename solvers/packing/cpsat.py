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

from dataclasses import dataclass
from math import gcd

from ortools.sat.python import cp_model

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.engine import proved_bound, run
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.packing.instance import Buffer, PackingInstance
from splitopt.solvers.packing.plan import PackingPlan
from splitopt.solvers.params import SolveParams

_DECISION_SHARE = 0.7


@dataclass(frozen=True)
class _Model:
    cp: cp_model.CpModel
    unit: int
    offsets: dict[int, cp_model.IntVar]
    mark: cp_model.IntVar


def improve(
    instance: PackingInstance,
    known: PackingPlan | None,
    lower_bound: int,
    params: SolveParams,
    deadline: Deadline,
) -> Outcome[PackingPlan]:
    """The outcome of CP-SAT, which starts from a known plan and a proved bound of the mark.

    Buffers of no size go to their pin or to 0. Out of time, the known plan is the answer.
    """
    tight = _at_lower_bound(instance, lower_bound, params, deadline)
    if tight is not None:
        return Outcome(Status.OPTIMAL, tight, lower_bound, lower_bound, deadline.spent_s)
    model = _build(instance, known, lower_bound, params)
    status, solver = run(model.cp, params, deadline)
    if status.has_plan:
        plan = _plan(instance, model, solver)
        bound = max(lower_bound, proved_bound(solver) * model.unit)
        return Outcome(status, plan, plan.high_water_mark(instance), bound, deadline.spent_s)
    if status is Status.INFEASIBLE:
        return Outcome(status, wall_s=deadline.spent_s)
    if known is not None:
        high = known.high_water_mark(instance)
        return Outcome(Status.FEASIBLE, known, high, lower_bound, deadline.spent_s)
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
    instance: PackingInstance, known: PackingPlan | None, lower_bound: int, params: SolveParams
) -> _Model:
    """A free buffer never has to lie above the known plan, the capacity or all others stacked."""
    real = {i: b for i, b in enumerate(instance.buffers) if b.size}
    unit = _unit(instance)
    limits = [lower_bound + sum(b.size for b in real.values())]
    limits += [] if known is None else [known.high_water_mark(instance)]
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
    if params.hints and known is not None:
        for i, offset in offsets.items():
            if real[i].offset is None:
                cp.add_hint(offset, known.offsets[i] // unit)
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

"""The smallest region of blocks that keep distances from one another, by CP-SAT.

Variables: offset_i, region, below_ij (i lies below j) for every pair that lives at the same time.
  minimise region
  region >= offset_i + size_i                                     _add_region
  below_ij => offset_i + above_ij <= offset_j
  not below_ij => offset_j + above_ji <= offset_i                 _add_distances
In units of the greatest common divisor of all sizes and distances.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd

from ortools.sat.python import cp_model

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.engine import proved_bound, run
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.rolled_blocks import Blocks


@dataclass(frozen=True)
class _Model:
    blocks: Blocks
    cp: cp_model.CpModel
    unit: int
    offsets: dict[int, cp_model.IntVar]
    region: cp_model.IntVar


def improve(
    blocks: Blocks, known: Sequence[int], bound: int, params: SolveParams, deadline: Deadline
) -> tuple[Sequence[int], int]:
    """(offsets, proved bound of the region), from known offsets and a proved bound."""
    model = _build(blocks, blocks.top(known), bound)
    if params.hints:
        for i, offset in model.offsets.items():
            model.cp.add_hint(offset, known[i] // model.unit)
    model.cp.minimize(model.region)
    status, solver = run(model.cp, params, deadline)
    if not status.has_plan:
        return known, bound
    return _read(model, solver), max(bound, proved_bound(solver) * model.unit)


def within(
    blocks: Blocks, known: Sequence[int], region: int, params: SolveParams, deadline: Deadline
) -> tuple[Sequence[int], int]:
    """(offsets in a region of that many bytes, or those known; a proved bound)."""
    model = _build(blocks, region, blocks.load)
    status, solver = run(model.cp, params, deadline)
    if status is Status.INFEASIBLE:
        return known, region + 1
    return (_read(model, solver) if status.has_plan else known), blocks.load


def _read(model: _Model, solver: cp_model.CpSolver) -> list[int]:
    return [
        solver.value(model.offsets[i]) * model.unit if i in model.offsets else 0
        for i in range(len(model.blocks.blocks))
    ]


def _build(blocks: Blocks, most: int, bound: int) -> _Model:
    sizes = {i: block.size for i, block in enumerate(blocks.blocks) if block.size}
    unit = gcd(*sizes.values(), *blocks.leads.values()) or 1
    top = most // unit
    cp = cp_model.CpModel()
    offsets = {
        i: cp.new_int_var(0, 0 if blocks.blocks[i].low else top - size // unit, f"at{i}")
        for i, size in sizes.items()
    }
    region = cp.new_int_var(-(-bound // unit), top, "region")
    model = _Model(blocks, cp, unit, offsets, region)
    _add_region(model)
    _add_distances(model)
    return model


def _add_region(model: _Model) -> None:
    for i, offset in model.offsets.items():
        model.cp.add(model.region >= offset + model.blocks.blocks[i].size // model.unit)


def _add_distances(model: _Model) -> None:
    cp, offsets, above = model.cp, model.offsets, model.blocks.above
    for i, j in _pairs(model.blocks):
        below = cp.new_bool_var(f"below{i}_{j}")
        up, down = above(i, j) // model.unit, above(j, i) // model.unit
        cp.add(offsets[i] + up <= offsets[j]).only_enforce_if(below)
        cp.add(offsets[j] + down <= offsets[i]).only_enforce_if(~below)


def _pairs(blocks: Blocks) -> Iterator[tuple[int, int]]:
    for i, others in enumerate(blocks.beside):
        yield from ((i, j) for j in others if i < j)

"""Lays chosen segments out in one region: arenas at its low end, boundary values from the high end.

Quick attempts stack the values downwards from the high end in several orders; the first that
reaches the load is minimal. In a chain of segments that each hold a value before them and one
behind, that is not enough: there, values lie at the high and the low end by turns, arenas between
them. Otherwise the exact packing decides, and moves arenas, too. Segments that roll their ends have
a search of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate

from splitopt.solvers.invalid import InvalidPlan
from splitopt.solvers.packing.check import check_plan as check_packing
from splitopt.solvers.packing.greedy_by_size import place_in_order
from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance
from splitopt.solvers.packing.plan import PackingPlan
from splitopt.solvers.packing.solve import solve
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.kept import Kept, LaidOut, kept_values, placements_of
from splitopt.solvers.partition.plan import Layout
from splitopt.solvers.partition.rolled_layout import first_fit, lay_out_rolled

_ORDERS: tuple[Callable[[Kept], tuple[int, ...]], ...] = (
    lambda kept: (kept.live.start - kept.live.stop, -kept.size),
    lambda kept: (-kept.size,),
    lambda kept: (kept.live.start, -kept.live.stop),
    lambda kept: (-kept.live.stop, kept.live.start),
)


def lay_out(
    options: Sequence[Option],
    boundaries: Sequence[Boundary],
    params: SolveParams | None = None,
    enough: int | None = None,
) -> LaidOut:
    """The smallest region for the chosen options, or the best one that the time limit allowed.

    `enough`: a region of at most that many bytes need not be the smallest one; nor need the bound
    be the best where it is above.
    """
    params = params or SolveParams()
    kept = kept_values(options, boundaries)
    if any(option.rolls for option in options):
        return lay_out_rolled(options, kept, params, enough)
    packing = _packing(options, kept)
    load = packing.peak_load
    best = _attempted(options, kept, load)
    if enough is not None and (best.region_bytes <= enough or load > enough):
        return LaidOut(best, load)
    if best.region_bytes == load and params.cheap_proofs:
        return LaidOut(best, load)
    limited = replace(packing, capacity=best.region_bytes)
    outcome = solve(limited, params)
    if outcome.plan is not None and outcome.cost is not None and outcome.bound is not None:
        count = len(options)
        arenas, offsets = outcome.plan.offsets[:count], outcome.plan.offsets[count:]
        exact = Layout(outcome.cost, placements_of(kept, offsets), arenas)
        return LaidOut(min(best, exact, key=lambda layout: layout.region_bytes), outcome.bound)
    return LaidOut(best, load if outcome.bound is None else outcome.bound)


def lay_out_quickly(options: Sequence[Option], boundaries: Sequence[Boundary]) -> Layout:
    """A layout of the chosen options without any search, which often reaches the load."""
    kept = kept_values(options, boundaries)
    if any(option.rolls for option in options):
        return first_fit(options, kept)
    return _attempted(options, kept, _packing(options, kept).peak_load)


def _attempted(options: Sequence[Option], kept: Sequence[Kept], load: int) -> Layout:
    """The best of the quick attempts."""
    attempts = [_stacked(options, sorted(kept, key=order)) for order in _ORDERS]
    best = min(attempts, key=lambda layout: layout.region_bytes)
    if best.region_bytes > load:
        best = _by_turns(options, kept, load) or best
    return best


def _packing(options: Sequence[Option], kept: Sequence[Kept]) -> PackingInstance:
    arenas = [
        Buffer(option.arena_bytes, LiveRange(2 * k, 2 * k + 2), 0 if option.low else None)
        for k, option in enumerate(options)
    ]
    return PackingInstance((*arenas, *(Buffer(value.size, value.live) for value in kept)))


def _stacked(options: Sequence[Option], kept: Sequence[Kept]) -> Layout:
    """Each value in turn as near to the high end as those before it allow."""
    sizes = [value.size for value in kept]
    ranges = [value.live.steps for value in kept]
    depths = place_in_order(sizes, ranges, range(len(kept)), {})
    tops = [option.arena_bytes for option in options]
    for value, depth in zip(kept, depths, strict=True):
        for k in range(value.first_segment, value.last_segment + 1):
            tops[k] = max(tops[k], options[k].arena_bytes + depth + value.size)
    region = max(tops)
    offsets = [region - depth - size for depth, size in zip(depths, sizes, strict=True)]
    return Layout(region, placements_of(kept, offsets))


def _by_turns(options: Sequence[Option], kept: Sequence[Kept], region: int) -> Layout | None:
    """Values at the low or the high end of a region, arenas between them; None where that does not
    fit. A segment that runs apart has its inputs at one end and its outputs at the other."""
    apart = list(accumulate((option.apart for option in options), initial=0))
    ends = [apart[value.first_segment + value.is_made] % 2 for value in kept]
    offsets = [0] * len(kept)
    for end in (0, 1):
        numbers = [k for k in range(len(kept)) if ends[k] == end]
        sizes, ranges = [kept[k].size for k in numbers], [kept[k].live.steps for k in numbers]
        in_turn = sorted(range(len(numbers)), key=lambda i: ranges[i])
        depths = place_in_order(sizes, ranges, in_turn, {})
        for k, depth in zip(numbers, depths, strict=True):
            offsets[k] = depth if end else region - depth - kept[k].size
    if min(offsets, default=0) < 0:
        return None
    packing = _packing(options, kept)
    sizes, ranges = [b.size for b in packing.buffers], [b.live.steps for b in packing.buffers]
    first = len(options)  # values come behind the arenas
    pinned = {first + k: offset for k, offset in enumerate(offsets)}
    pinned |= {k: 0 for k, option in enumerate(options) if option.low}
    order = [*pinned, *(k for k in range(first) if k not in pinned)]
    placed = place_in_order(sizes, ranges, order, pinned)
    try:
        check_packing(replace(packing, capacity=region), PackingPlan(tuple(placed)))
    except InvalidPlan:
        return None
    return Layout(region, placements_of(kept, offsets), tuple(placed[:first]))

"""The solver's plan in the words of the model: a SplitPlan, checked before it is handed on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import NamedTuple

from splitopt.arena.check import check_head
from splitopt.graph.segments import boundary_candidates
from splitopt.planning.check_in_place import placed_in_place
from splitopt.planning.left_out import left_out
from splitopt.planning.segment import SegmentFigures, SegmentOption
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import BoundaryPlacement, PlannedSegment, SplitPlan
from splitopt.planning.stores import Stores
from splitopt.planning.switching import Begin, Way, place_of, without_place
from splitopt.planning.unfinished import unfinished
from splitopt.solvers.invalid import InvalidPlan
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.check import check_plan
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance, Roll
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.option_pool import OptionName
from splitopt.solvers.partition.plan import Layout, PartitionPlan, kept_bytes, plan_cost
from splitopt.tiling.check import check_bands
from splitopt.tiling.check_rolled import check_rolled, touches_of_bands
from splitopt.tiling.rolled import saved_bytes
from splitopt.tiling.streams.check import check_stream

_LAYOUT_S = 2.0

Layouts = dict[int | None, tuple[Layout, int]]
"""Of the region, and of what memories hold, by number; and where each begins."""


class _Chosen(NamedTuple):
    """An option, its pieces as they begin."""

    option: SegmentOption
    begins: tuple[Begin, ...]


def solver_option(table: SegmentTable, option: SegmentOption, way: Way) -> Option:
    """An option of the table as the solver takes it, boundary tensors by index. `way`: how its
    pieces begin."""
    boundaries = table.boundary.indices if option.rolled else {}
    start, stop = table.nodes.of(option.segment.start, option.segment.stop, option.left)
    return Option(
        start=start,
        stop=stop,
        arena_bytes=way.arena_bytes,
        cost=option.kept_insn + way.insn + table.outside_insn(option),
        copied_bytes=option.copied_bytes,
        key=option.key,
        apart=option.is_apart,
        by_rows=option.by_rows,
        way=table.techniques.switching.number(way),
        stored=way.stored,
        kept=way.kept_bytes,
        low=any(option.left),
        rolls=tuple(
            Roll(boundaries[pair.read], boundaries[pair.made], pair.lead_bytes)
            for pair in option.rolled
        ),
    )


def named_option(table: SegmentTable, name: OptionName) -> Option:
    """Where its name says that its pieces are, each in its cheapest way."""
    start, stop, key = name
    option, place = table.option(start, stop, without_place(key)), place_of(key)
    assert option is not None, "it has exact figures"
    way = table.techniques.switching.cheapest(table.choices(option, place), place)
    assert way is not None, "it has exact figures"
    return solver_option(table, option, way)


def plan_of_pieces(
    table: SegmentTable,
    pieces: Sequence[SegmentFigures],
    requantise_insn: Sequence[int] = (),
    params: SolveParams | None = None,
) -> PartitionPlan:
    """The solver's plan of exactly these pieces on all rows, with a checked layout.

    `requantise_insn`: what each adds on top of its figures. `params`: of laying them out.
    """
    more = requantise_insn or [0] * len(pieces)
    ways = table.techniques.switching.fitting_ways(pieces)
    found = (
        solver_option(table, SegmentOption(0, (piece,), None), way)
        for piece, way in zip(pieces, ways, strict=True)
    )
    options = tuple(
        replace(option, cost=option.cost + requantise)
        for option, requantise in zip(found, more, strict=True)
    )
    boundaries, rooms = table.nodes.boundaries, table.techniques.switching.rooms
    instance = PartitionInstance(table.nodes.items, options, boundaries, stores=rooms)
    plan = PartitionPlan(options, lay_out(options, boundaries, params).layout)
    check_plan(instance, plan)
    return plan


def split_plan_of(
    table: SegmentTable,
    plan: PartitionPlan,
    goal: Goal,
    status: Status,
    *,
    cost: int,
    bound: int,
    solve_s: float,
) -> SplitPlan:
    """The solver's plan as a SplitPlan, its bands and offline plans checked. A segment in bands of
    two heights becomes two pieces.

    Where an offline plan was not proved to be the best, the status is not OPTIMAL.
    """
    options = [_chosen(table, option) for option in plan.options]
    stores = Stores(table.techniques.switching.memories, plan.layout.region_bytes)
    segments = tuple(_segments(table, options, plan, stores))
    pieces, layouts = [len(own.begins) for own in options], _layouts(table, plan, stores)
    unproved = goal.ram_weight * table.unproved_bytes
    if status is Status.OPTIMAL and unproved:
        status = Status.FEASIBLE
    return SplitPlan(
        status=status,
        segments=segments,
        placements=(*_placements(table, layouts, pieces), *_in_place(table, segments)),
        peak_ram_bytes=plan_cost(plan).peak,
        peak_with_input_bytes=_peak_with_input(table, plan),
        added_insn=plan_cost(plan).added,
        cost=cost,
        bound=bound - unproved if goal.cost_weight else max(0, bound - unproved),
        goal=goal,
        solve_s=solve_s,
        memories=stores.used,
        notes=left_out(table),
        unfinished=None if status is Status.OPTIMAL else unfinished(table, goal.capacity),
    )


def _peak_with_input(table: SegmentTable, plan: PartitionPlan) -> int:
    """What the same options take with the model's inputs held whole."""
    kept = kept_bytes(plan.options)
    if not any(option.by_rows for option in plan.options):
        return kept + plan.layout.region_bytes
    whole = [replace(option, by_rows=False) for option in plan.options]
    params = SolveParams(time_limit_s=_LAYOUT_S)
    return kept + lay_out(whole, table.nodes.boundaries, params).layout.region_bytes


def with_pieces(
    table: SegmentTable, plan: SplitPlan, segments: Sequence[PlannedSegment]
) -> SplitPlan:
    """The plan with other pieces for the same cuts; layout, peak and sums are computed for these.

    Status, cost and bound stay those of the choice of cuts.
    """
    figures = [segment.figures for segment in segments]
    made = plan_of_pieces(table, figures, [segment.requantise_insn for segment in segments])
    return replace(
        plan,
        segments=tuple(
            replace(segment, arena_offset=made.layout.arena_offset(k))
            for k, segment in enumerate(segments)
        ),
        placements=_placements(table, {None: (made.layout, 0)}, [1] * len(segments)),
        peak_ram_bytes=made.layout.region_bytes,
        added_insn=plan_cost(made).added,
    )


def _chosen(table: SegmentTable, option: Option) -> _Chosen:
    """Checked, once for each option and each way in which its arenas differ."""
    found = table.option(option.start, option.stop, option.key)
    assert found is not None, "the solver knows it"
    begins = table.techniques.switching.begins_of(option.way, len(found.pieces))
    if begins[0].is_resident:
        pieces = tuple(table.resident(piece) for piece in found.pieces)
        name = id(pieces[0])
        made = replace(found, pieces=pieces)
    else:
        name, made = id(found), found
    if name not in table.checked:
        check_option(table, made)
        table.checked[name] = made
    return _Chosen(made, begins)


def check_option(table: SegmentTable, option: SegmentOption) -> None:
    """Every row that is kept is right, ends that share bytes stay intact, and no two buffers of an
    offline plan share bytes."""
    graph, start, stop = table.graph, option.segment.start, option.segment.stop
    if option.stream is not None:
        granted = option.arena_bytes - option.stream.interpreters_bytes
        check_stream(graph, option.stream, option.rolled, granted)
        return
    if option.bands is not None:
        pieces = [(piece.rows or {}, piece.executions) for piece in option.pieces]
        check_bands(graph, start, stop, pieces)
        executions = [execution for _, own in pieces for execution in own]
        check_rolled(graph, start, stop, list(touches_of_bands(executions)), option.rolled)
    for piece in option.pieces:
        if piece.has_offline_plan:
            check_head(piece.arena)


def _segments(
    table: SegmentTable, options: Sequence[_Chosen], plan: PartitionPlan, stores: Stores
) -> Iterator[PlannedSegment]:
    loads = table.boundary
    pieces = [
        (k, chosen.option, piece, begin)
        for k, chosen in enumerate(options)
        for piece, begin in zip(chosen.option.pieces, chosen.begins, strict=True)
    ]
    for index, (k, option, figures, begin) in enumerate(pieces):
        at = (figures.segment.start, figures.segment.stop)
        read, made = loads.ends(*at, in_bands=option.is_apart, by_rows=option.by_rows)
        read_in_place, made_in_place = table.nodes.held_in_place(*at, option.left)
        yield PlannedSegment(
            index=index,
            figures=figures,
            through_bytes=int(loads.through[at]),
            in_bytes=read - read_in_place,
            out_bytes=made - made_in_place,
            arena_offset=plan.layout.arena_offset(k),
            stored=stores.put(begin.memory, figures) if begin.is_restored else None,
            kept=stores.keep(begin.memory, figures) if begin.is_resident else None,
            by_rows=option.by_rows and bool(loads.held.outer_in[at]),
            rolled=option.rolled,
            rolled_bytes=sum(saved_bytes(table.graph, pair) for pair in option.rolled),
            outside_insn=_outside_insn(table, option, figures),
        )


def _outside_insn(table: SegmentTable, option: SegmentOption, piece: SegmentFigures) -> int:
    return table.values.piece_insn(option, piece) if table.outside.memories else 0


def _layouts(table: SegmentTable, plan: PartitionPlan, stores: Stores) -> Layouts:
    """The region, and where boundary tensors lie behind the images of other memories."""
    found: Layouts = {None: (plan.layout, 0)}
    if table.outside.memories:
        laid_out = table.values.laid_out(plan.options, SolveParams(time_limit_s=_LAYOUT_S))
        starts = stores.lay(laid_out)
        found |= {number: (own.layout, starts[number]) for number, own in laid_out.items()}
    return found


def _placements(
    table: SegmentTable, layouts: Layouts, pieces: Sequence[int]
) -> tuple[BoundaryPlacement, ...]:
    """`pieces`: how many each of the solver's segments has."""
    candidates = boundary_candidates(table.graph)
    memories, firsts = table.techniques.switching.memories, list(accumulate(pieces, initial=0))
    found = (
        BoundaryPlacement(
            tensor=candidates[p.boundary].tensor,
            offset=start + p.offset,
            size_bytes=p.size,
            first_segment=firsts[p.first_segment],
            last_segment=firsts[p.last_segment + 1] - 1,
            memory=None if number is None else memories[number].name,
        )
        for number, (layout, start) in layouts.items()
        for p in layout.placements
        if table.outside.place(is_input=candidates[p.boundary].maker is None) == number
    )
    return tuple(sorted(found, key=lambda placement: placement.tensor))


def _in_place(
    table: SegmentTable, segments: Sequence[PlannedSegment]
) -> Iterator[BoundaryPlacement]:
    """What pieces find where those before them made it; checked, whatever the solver says."""
    for maker, reader in pairwise(segments):
        if reader.figures.left.read != maker.figures.left.made:
            raise InvalidPlan(f"pieces {maker.index} and {reader.index} do not share a place")
        if reader.figures.left.read:
            yield placed_in_place(table.nodes.left[reader.start], maker, reader)

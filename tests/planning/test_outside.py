"""Where boundary tensors and the model's input lie is chosen with all else: by brute force over
every place, plan and way."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
from planning_helpers import every_option
from samples import seeds
from test_switching import (
    BOTH,
    RAM,
    TIME,
    Taken,
    least,
    net,
    planner_of,
    request_of,
    taken_by,
    tilings,
)

from splitopt.base.units import align_up
from splitopt.graph.model import ModelGraph
from splitopt.planning.placed_front import placed_front
from splitopt.planning.planner import Planner
from splitopt.planning.segment import SegmentOption
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.planning.switching import Switching, TailMemory
from splitopt.solvers.dominance import undominated
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal

Place = int | None


def memories(chance: random.Random) -> tuple[TailMemory, ...]:
    return tuple(
        TailMemory(
            name=f"m{k}",
            bytes=chance.choice([200, 400, 700, 1_200, 2_500, 10**6]),
            read_cost=chance.choice([1.0, 1.5, 30.0]),
            write_cost=chance.choice([1.0, 4.0]),
            saved=chance.random() < 0.5,
            tails=chance.random() < 0.3,
            boundary=chance.random() < 0.8,
            model_input=chance.random() < 0.6,
        )
        for k in range(chance.randint(1, 2))
    )


def kept(graph: ModelGraph, plan: Sequence[SegmentOption]) -> dict[int, tuple[int, int]]:
    """First and last segment of each tensor that is kept outside of arenas."""
    segment_of = [
        k for k, own in enumerate(plan) for _ in range(own.segment.start, own.segment.stop)
    ]
    found = {}
    for tensor in {t for own in plan for t in (*own.segment.inputs, *own.segment.outputs)}:
        users = {segment_of[op] for op in graph.readers.get(tensor, ())}
        if tensor in graph.producer:
            users.add(segment_of[graph.producer[tensor]])
        is_outer = tensor in graph.inputs or tensor in graph.outputs
        if len(users) > 1 or (is_outer and plan[min(users)].is_apart):
            found[tensor] = min(users), max(users)
    return found


def loads(
    graph: ModelGraph, plan: Sequence[SegmentOption], tensors: dict[int, tuple[int, int]]
) -> list[int]:
    """Of each segment: what lives through, and the larger of what it reads last and what it makes,
    or both where it runs apart."""
    found = []
    for k, own in enumerate(plan):
        through = read = made = 0
        for tensor, (first, last) in tensors.items():
            size = align_up(graph.tensors[tensor].bytes, 16)
            if not first <= k <= last:
                continue
            is_made = tensor in graph.producer and first == k
            if is_made:
                made += size
            elif last == k:
                read += size
            else:
                through += size
        found.append(through + (read + made if own.is_apart else max(read, made)))
    return found


def dearer(
    graph: ModelGraph,
    option: SegmentOption,
    places: dict[int, Place],
    memories: Sequence[TailMemory],
) -> int:
    """Instructions that copies take more. `places`: of tensors that are kept."""

    def more(tensor: int, rows: int, *, reads: bool) -> float:
        place = places.get(tensor)
        if place is None:
            return 0
        memory, size = memories[place], graph.tensors[tensor].bytes
        cost = (memory.read_cost if reads else memory.write_cost) - 1
        if not reads and tensor in graph.outputs and option.is_apart:
            cost += memory.read_cost - 1  # handed over
        height = graph.tensors[tensor].shape[1]
        return 9 / 16 * cost * size * rows / height

    found = 0
    for piece in option.pieces:
        parts = 0.0
        if piece.executions:
            for once in piece.executions:
                parts += sum(more(span.tensor, span.rows, reads=True) for span in once.inputs)
                parts += sum(more(span.tensor, span.rows, reads=False) for span in once.outputs)
        else:
            for tensor in piece.segment.inputs:
                parts += more(tensor, graph.tensors[tensor].shape[1], reads=True)
            for tensor in piece.segment.outputs:
                parts += more(tensor, graph.tensors[tensor].shape[1], reads=False)
        found += -int(-parts // 1)
    return found


def outcomes(planner: Planner) -> set[tuple[int, int]]:
    """(peak, cost) of every plan by its loads, over all places and ways that memories have room
    for."""
    table, graph = planner.table, planner.table.graph
    switching = table.techniques.switching
    known = switching.memories
    names = every_option(planner, request_of(graph, RAM))
    options = {(start, stop, key % 2**24) for start, stop, key in names}
    found = [own for name in sorted(options) if (own := table.option(*name)) is not None]
    boundary = [None, *(k for k, memory in enumerate(known) if memory.boundary)]
    given = [None, *(k for k, memory in enumerate(known) if memory.model_input)]
    possible = set()
    for plan in tilings(found, 0, len(graph.ops)):
        tensors = kept(graph, plan)
        for own, other in product(given, boundary):
            places = {t: own if t in graph.inputs else other for t in tensors}
            held = {
                place: loads(graph, plan, {t: tensors[t] for t in tensors if places[t] == place})
                for place in (None, *range(len(known)))
            }
            extra = sum(dearer(graph, option, places, known) for option in plan)
            for ways in product(*(list(taken_by(option, switching)) for option in plan)):
                if has_room(ways, held, known):
                    peak = max(n + way.arena for n, way in zip(held[None], ways, strict=True))
                    cost = sum(way.insn for way in ways) + extra
                    possible.add((peak + sum(way.kept for way in ways), cost))
    return possible


def has_room(
    ways: Sequence[Taken], held: dict[Place, list[int]], memories: Sequence[TailMemory]
) -> bool:
    return all(
        sum(way.stored[k] for way in ways) + max(held[k]) <= memory.bytes
        for k, memory in enumerate(memories)
    )


def assert_placed(planner: Planner, plan: SplitPlan) -> None:
    """Tensors that are alive together share no bytes, nor does an image with one of them."""
    for memory in plan.memories:
        assert memory.used_bytes <= memory.bytes
        own = [p for p in plan.placements if p.memory == memory.name]
        begun = (s.stored or s.kept for s in plan.segments)
        images = [image for image in begun if image and image.memory == memory.name]
        top = max((image.offset + image.bytes for image in images), default=0)
        assert all(top <= p.offset and p.offset + p.size_bytes <= memory.used_bytes for p in own)
    parts = plan.copy_insn + plan.recomputed_insn + plan.rebuild_insn + plan.restore_insn
    assert plan.added_insn == parts + plan.read_insn
    assert plan.added_insn == sum(segment.added_insn for segment in plan.segments)


@pytest.mark.parametrize("kind", ["cuts", "bands", "streams"])
@pytest.mark.parametrize("seed", seeds(2, 60))
def test_no_plan_place_or_way_is_better(kind: str, seed: int) -> None:
    graph, chance = net(seed), random.Random(100 + seed)
    switching = Switching(memories(chance), True, chance.random() < 0.3)
    planner = planner_of(graph, kind, switching)
    free = planner.plan(request_of(graph, RAM))
    assert isinstance(free, SplitPlan)
    limits, possible = (free.peak_ram_bytes, free.added_insn), outcomes(planner)
    for goal in (RAM, TIME, BOTH, Goal(0, 1, capacity=limits[0]), Goal(1, 0, None, limits[1] // 2)):
        request = request_of(graph, goal)
        plan, wanted = planner.plan(request), least(possible, goal)
        if wanted is None:
            assert isinstance(plan, Infeasible)
            continue
        assert isinstance(plan, SplitPlan)
        assert plan.bound <= wanted <= plan.cost
        if plan.status.name == "OPTIMAL":
            inside = sum(s.kept.bytes for s in plan.segments if s.kept and not s.kept.memory)
            if plan.peak_ram_bytes == inside + max(s.ram_bytes for s in plan.segments):
                assert plan.cost == wanted, (goal, switching)
        assert_placed(planner, plan)


@pytest.mark.parametrize("seed", seeds(1, 30))
def test_a_front_holds_the_best_of_all_places(seed: int) -> None:
    graph = net(seed)
    memory = TailMemory("m", 10**6, read_cost=3.0, saved=False, boundary=True, model_input=True)
    planner = planner_of(graph, "streams", Switching((memory,)))
    front = placed_front(planner, request_of(graph, RAM))
    assert front.is_complete
    best = undominated(outcomes(planner), lambda own: own)
    assert [(p.peak_ram_bytes, p.added_insn) for p in reversed(front.plans)] == best
    assert {p.memory for plan in front.plans for p in plan.placements} == {None, "m"}


@pytest.mark.parametrize("seed", seeds(1, 12))
def test_bounds_of_a_front_hold_and_what_is_not_proved_says_why(seed: int) -> None:
    """In small memories, in which fronts are not proved, and without time."""
    graph, chance = net(seed), random.Random(seed)
    known = memories(chance)
    for limit_s in (60.0, 0.0):
        planner = planner_of(graph, "streams", Switching(known))
        request = replace(request_of(graph, RAM), params=SolveParams(time_limit_s=limit_s))
        front = placed_front(planner, request)
        possible = outcomes(planner)
        causes = ("places", "time_limit") if limit_s else ("time_limit",)
        assert front.unfinished is None or front.unfinished.cause in causes
        for plan in front.plans:
            best = min(peak for peak, added in possible if added <= plan.added_insn)
            assert 0 <= plan.bound <= best
            assert (plan.unfinished is None) == (plan.status.name == "OPTIMAL")
            if plan.status.name == "OPTIMAL":
                assert best == plan.peak_ram_bytes

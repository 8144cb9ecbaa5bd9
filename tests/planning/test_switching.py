"""The way in which each piece begins is chosen with all else: by brute force over every plan, way
and memory."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from images import ImageNet
from planning_helpers import allowed_everywhere, every_option
from samples import seeds

from splitopt.arena.rules import target_rules
from splitopt.base.units import align_up
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.option_bounds import inside_bounds
from splitopt.planning.pareto_front import plan_front
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import SegmentFigures, SegmentOption, Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.planning.switching import Switching, TailMemory
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal

RAM, TIME, BOTH = Goal(1, 0), Goal(0, 1), Goal(40, 1)
TECHNIQUES = {
    "cuts": Techniques(False, False, False, False, False),
    "bands": Techniques(True, True, False, False, False),
    "streams": Techniques(False, False, False, True, False),
    "in place": Techniques(False, False, True, False, False, in_place=True),
}


def net(seed: int) -> ModelGraph:
    chance = random.Random(seed)
    image = ImageNet(chance)
    source = made = image.image(8, 6, 4)
    for _ in range(4):
        made = image.conv(made, chance.choice([4, 8, 12]), chance.choice([1, 3]), 1, "same")
    return image.graph([source], [made])


def memories(chance: random.Random) -> tuple[TailMemory, ...]:
    return tuple(
        TailMemory(
            name=f"m{k}",
            bytes=chance.choice([0, 1_000, 1_500, 2_500, 4_000, 10**6]),
            written=chance.choice(["always", "start_up"]),
            read_cost=chance.choice([1.0, 1.5, 30.0]),
            saved=chance.random() < 0.7,
            tails=chance.random() < 0.6,
        )
        for k in range(chance.randint(1, 2))
    )


def planner_of(graph: ModelGraph, kind: str, switching: Switching) -> Planner:
    techniques = TECHNIQUES[kind]
    fields = {name: getattr(techniques, name) for name in techniques.__slots__}
    table = SegmentTable(
        graph, target_rules("m55"), techniques=Techniques(**{**fields, "switching": switching})
    )
    return Planner(table)


def request_of(graph: ModelGraph, goal: Goal) -> PlanRequest:
    return PlanRequest(goal, allowed_everywhere(len(graph.ops)), SolveParams())


def ways_of(piece: SegmentFigures, switching: Switching) -> Iterator[tuple[int, int | None]]:
    """(instructions beyond copies and the like, memory) from the words of the definition."""
    is_built_once = piece.rebuild_insn == 0
    if is_built_once or (switching.may_rebuild and not piece.left.read):
        yield piece.rebuild_insn, None
    for number, memory in enumerate(switching.memories if not is_built_once else ()):
        if not memory.saved:
            continue
        objects = 1 if piece.stream is None else len(piece.stream.stream.groups)
        assert piece.image_bytes == align_up(piece.arena.tail_bytes, 16) + 208 * objects
        blocks = 3 * piece.image_bytes // 16
        calls = 86 if piece.stream is None else 127
        yield calls + -(-blocks * round(1000 * memory.read_cost) // 1000), number


class Taken(NamedTuple):
    """By an option in one of its ways: of RAM the largest arena and what is kept for good,
    instructions, and bytes in each memory."""

    arena: int
    kept: int
    insn: int
    stored: tuple[int, ...]


def taken_by(option: SegmentOption, switching: Switching) -> Iterator[Taken]:
    pieces, memories = option.pieces, switching.memories
    anyhow = sum(piece.added_insn - piece.rebuild_insn for piece in pieces)
    for ways in product(*(list(ways_of(piece, switching)) for piece in pieces)):
        put = [0] * len(memories)
        for piece, (_, memory) in zip(pieces, ways, strict=True):
            if memory is not None:
                put[memory] += piece.image_bytes
        insn = anyhow + sum(insn for insn, _ in ways)
        yield Taken(option.arena_bytes, 0, insn, tuple(put))
    if not switching.may_reside:
        return
    apart = [resident(piece) for piece in pieces]
    arena = max(size for size, _, _ in apart)
    if all(piece.rebuild_insn for piece in pieces):
        kept = sum(kept for _, kept, _ in apart)
        yield Taken(arena, kept, anyhow, (0,) * len(memories))
    places = [number for number, memory in enumerate(memories) if memory.tails]
    for chosen in product(*(places for _ in pieces)):
        put, insn = [0] * len(memories), anyhow
        for (_, kept, read), memory in zip(apart, chosen, strict=True):
            put[memory] += kept
            insn += -(-read * (round(1000 * memories[memory].read_cost) - 1000) // 1000)
        yield Taken(arena, 0, insn, tuple(put))


def resident(piece: SegmentFigures) -> tuple[int, int, int]:
    """Bytes of its arena that is not persistent, of what it keeps, and of it what is read."""
    if piece.stream is not None:
        stage = replace(piece.stream, is_resident=True).arena
        kept = align_up(stage.tail_bytes, 16) + 208 * len(stage.tails)
        groups = zip(piece.stream.stream.groups, stage.tails, strict=True)
        return stage.size_bytes, kept, sum(group.turns * tail for group, tail in groups)
    assert piece.request is not None
    arena = replace(piece.request, abi=piece.request.abi.in_two_arenas()).replayed()
    read = arena.tail_bytes * max(1, len(piece.executions))
    return arena.size_bytes, align_up(arena.tail_bytes, 16) + 208, read


def tilings(
    options: Sequence[SegmentOption], start: int, n: int, *, is_left: bool = False
) -> Iterator[list[SegmentOption]]:
    """`is_left`: the first one finds its input in its arena."""
    if start == n:
        yield []
    for option in options:
        if option.segment.start == start and option.left.read == is_left:
            for rest in tilings(options, option.segment.stop, n, is_left=option.left.made):
                yield [option, *rest]


def outcomes(planner: Planner) -> set[tuple[int, int]]:
    """(peak by the loads, added instructions) of every plan, in all ways that the memories hold."""
    table, n = planner.table, len(planner.table.graph.ops)
    switching, request = table.techniques.switching, request_of(table.graph, RAM)
    inside, _ = inside_bounds(table, request.allowed)  # only there are some read in place
    every = (
        *every_option(planner, request),
        *zip(inside.starts, inside.stops, inside.keys, strict=True),
    )
    names = {(int(start), int(stop), int(key) % 2**24) for start, stop, key in every}
    found = (table.option(*name) for name in sorted(names))
    options = [option for option in found if option is not None]
    ways_of_option = {id(option): list(taken_by(option, switching)) for option in options}
    heads = (64 if memory.written == "start_up" else 0 for memory in switching.memories)
    rooms = [m.bytes - h for m, h in zip(switching.memories, heads, strict=True)]
    possible = set()
    for plan in tilings(options, 0, n):
        loads = [ram_of(table, option) - option.arena_bytes for option in plan]
        for ways in product(*(ways_of_option[id(option)] for option in plan)):
            put = [sum(own) for own in zip(*(way.stored for way in ways), strict=True)]
            if all(not own or own <= room for own, room in zip(put, rooms, strict=True)):
                peak = max(load + way.arena for load, way in zip(loads, ways, strict=True))
                kept, insn = sum(way.kept for way in ways), sum(way.insn for way in ways)
                possible.add((peak + kept, insn))
    return possible


def least(possible: set[tuple[int, int]], goal: Goal) -> int | None:
    """The least value of any plan."""
    return min(
        (
            goal.weigh(peak, insn)
            for peak, insn in possible
            if goal.fits(peak) and (goal.max_cost is None or insn <= goal.max_cost)
        ),
        default=None,
    )


def ram_of(table: SegmentTable, option: SegmentOption) -> int:
    start, stop = at = option.segment.start, option.segment.stop
    if option.is_apart:
        return option.arena_bytes + int(table.boundary.load_in_bands[at])
    read, made = table.boundary.ends(*at, in_bands=False)
    read -= option.left.read and boundary_bytes(table.graph, start)
    made -= option.left.made and boundary_bytes(table.graph, stop)
    return option.arena_bytes + int(table.boundary.through[at]) + max(read, made)


def boundary_bytes(graph: ModelGraph, op: int) -> int:
    """Of the only activation that an op reads."""
    tensors = [graph.tensors[tensor] for tensor in graph.ops[op].given_inputs]
    [size] = [tensor.bytes for tensor in tensors if not tensor.is_constant]
    return align_up(size, 16)


def assert_stored(plan: SplitPlan, switching: Switching) -> None:
    """Images lie apart, behind the header, within their memories; sums are those of the parts."""
    for memory, used in zip(switching.memories, plan.memories, strict=True):
        begun = (s.stored or s.kept for s in plan.segments)
        images = [image for image in begun if image and image.memory == memory.name]
        end = 64 if memory.written == "start_up" else 0
        for image in images:
            assert image.offset == end
            end += image.bytes
        assert end <= memory.bytes or not images
        assert used.used_bytes == (end if images else 0)
    inside = [s.kept for s in plan.segments if s.kept and s.kept.memory is None]
    shared = plan.peak_ram_bytes - sum(kept.bytes for kept in inside)
    assert shared >= max(segment.ram_bytes for segment in plan.segments)
    for kept in inside:
        assert kept.offset == shared
        shared += kept.bytes
    parts = plan.copy_insn + plan.recomputed_insn + plan.rebuild_insn + plan.restore_insn
    parts += plan.read_insn
    assert plan.added_insn == parts == sum(segment.added_insn for segment in plan.segments)
    assert plan.rebuild_insn >= 0


@pytest.mark.parametrize("kind", TECHNIQUES)
@pytest.mark.parametrize("seed", seeds(2, 60))
def test_no_plan_way_or_memory_is_better(kind: str, seed: int) -> None:
    graph, chance = net(seed), random.Random(seed)
    for may_rebuild, may_reside in product((True, False), repeat=2):
        switching = Switching(memories(chance), may_rebuild, may_reside)
        planner = planner_of(graph, kind, switching)
        possible = outcomes(planner)
        free = planner.plan(request_of(graph, RAM))
        assert isinstance(free, SplitPlan)
        limits = free.peak_ram_bytes, free.added_insn
        goals = RAM, TIME, BOTH, Goal(0, 1, capacity=limits[0]), Goal(1, 0, None, limits[1])
        for goal, with_ties in product(goals, (True, False)):
            request = replace(request_of(graph, goal), with_ties=with_ties)
            plan, wanted = planner.plan(request), least(possible, goal)
            if wanted is None:
                assert isinstance(plan, Infeasible)
                continue
            assert isinstance(plan, SplitPlan)
            assert plan.status.has_plan
            inside = sum(s.kept.bytes for s in plan.segments if s.kept and not s.kept.memory)
            if plan.peak_ram_bytes == inside + max(s.ram_bytes for s in plan.segments):
                assert plan.cost == wanted, (goal, switching)
            assert plan.bound <= wanted <= plan.cost
            assert_stored(plan, switching)


@pytest.mark.parametrize("room", [0, 1_200, 2_600, 10**6])
def test_the_front_keeps_to_its_memory(room: int) -> None:
    graph = net(1)
    switching = Switching((TailMemory("m", room),))
    planner = planner_of(graph, "streams", switching)
    front, possible = plan_front(planner, request_of(graph, RAM)), outcomes(planner)
    assert (front.unfinished and front.unfinished.cause) == ("places" if room < 2_600 else None)
    for plan in front.plans:
        assert_stored(plan, switching)
        assert plan.added_insn == least(possible, Goal(0, 1, capacity=plan.peak_ram_bytes))
    assert min(plan.peak_ram_bytes for plan in front.plans) == least(possible, RAM)


@pytest.mark.parametrize("kind", TECHNIQUES)
@pytest.mark.parametrize("seed", seeds(1, 30))
def test_no_plan_is_better_than_those_of_a_front_with_residents(kind: str, seed: int) -> None:
    graph, chance = net(seed), random.Random(seed)
    for may_rebuild in (True, False):
        switching = Switching((), may_rebuild, may_reside=True)
        planner = planner_of(graph, kind, switching)
        front, possible = plan_front(planner, request_of(graph, RAM)), outcomes(planner)
        assert front.is_complete
        peaks = [plan.peak_ram_bytes for plan in front.plans]
        for plan in front.plans:
            assert_stored(plan, switching)
            assert plan.status is Status.OPTIMAL
        for capacity in (chance.randint(min(peaks), max(peaks)), *chance.sample(peaks, 1)):
            request = request_of(graph, Goal(0, 1, capacity=capacity))
            best = least(possible, request.goal)
            known = min(p.added_insn for p in front.plans if p.peak_ram_bytes <= capacity)
            assert best is not None
            for with_ties in (True, False):
                told = planner.plan(replace(request, with_ties=with_ties))
                assert isinstance(told, SplitPlan)
                assert best <= known == told.added_insn


def test_marks_of_a_front_are_the_plans_of_runs() -> None:
    """squeeze_digits, in which pieces are resident: the cheapest that fits, balanced, smallest."""
    graph = read_tflite(Path("configs/models/squeeze_digits_int8.tflite"))
    request = request_of(graph, RAM)
    planner = planner_of(graph, "cuts", Switching(may_reside=True))
    front = plan_front(planner, request)
    assert front.is_complete
    assert any(plan.kept_bytes for plan in front.plans)
    points = [(plan.peak_ram_bytes, plan.added_insn) for plan in front.plans]
    some = front.plans[len(front.plans) // 2].peak_ram_bytes
    for goal in (RAM, BOTH, *(Goal(0, 1, capacity=some + more) for more in (-1, 0, 1))):
        plan = planner.plan(replace(request, goal=goal))
        assert isinstance(plan, SplitPlan)
        fits = [point for point in points if goal.fits(point[0])]
        assert goal.weigh(plan.peak_ram_bytes, plan.added_insn) == min(
            goal.weigh(*point) for point in fits
        )


def test_without_a_memory_nothing_changes() -> None:
    graph = net(0)
    for goal in (RAM, TIME, BOTH):
        plans = [
            planner_of(graph, "streams", switching).plan(request_of(graph, goal))
            for switching in (Switching(), Switching((TailMemory("m", 0),)))
        ]
        one, other = (plan for plan in plans if isinstance(plan, SplitPlan))
        assert (one.cost, one.cuts, one.added_insn) == (other.cost, other.cuts, other.added_insn)
        assert not any(segment.stored for segment in (*one.segments, *other.segments))
        assert one.first_insn == other.first_insn == 0

"""Boundary tensors left in place: what is offered, what it takes, and what the checker refuses.

That no plan with them is better than the one that is found: see test_switching.py.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from planning_helpers import allowed_everywhere
from test_switching import net, ram_of

from splitopt.arena.check import check_head
from splitopt.arena.replay import replay
from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.planning.check_in_place import placed_in_place
from splitopt.planning.cut_nodes import LEFT_ENDS, Ends
from splitopt.planning.option_bounds import inside_bounds, option_bounds
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.switching import Switching, TailMemory, place_of, without_place
from splitopt.solvers.invalid import InvalidPlan
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal

EVERY_WAY = Switching((TailMemory("m", 10**6, tails=True),), may_reside=True)


def table_of(graph: ModelGraph, switching: Switching = EVERY_WAY) -> SegmentTable:
    techniques = Techniques(False, False, True, False, False, switching=switching)
    return SegmentTable(graph, target_rules("m55"), techniques=techniques)


@pytest.mark.parametrize("zero_arena", [False, True])
def test_pieces_are_priced_without_the_copies_and_within_their_bounds(zero_arena: bool) -> None:
    """Their heads are no higher than TFLM's own with that end at 0, and hold without overlaps."""
    graph = net(3)
    table, n = table_of(graph), len(graph.ops)
    table.zero_arena = zero_arena
    assert table.nodes.left == {op.index: op.inputs[0] for op in graph.ops[1:]}
    for start, stop in zip(*np.nonzero(allowed_everywhere(n)), strict=True):
        stock = table.figures(start, stop)
        for ends in LEFT_ENDS:
            if not table.nodes.offered(ends)[start, stop]:
                continue
            option = table.option(*table.nodes.of(start, stop, ends), 1)
            assert option is not None
            [piece] = option.pieces
            own = table.nodes.tensors(start, stop, ends)
            assert {
                t: at for t, at in piece.arena.offline_plan.items() if t in own
            } == dict.fromkeys(own, 0)
            check_head(piece.arena)
            pinned = replay(
                graph, stock.segment, table.memories, table.rules.abi, dict.fromkeys(own, 0)
            )
            assert piece.memory.peak_load_bytes <= piece.memory.head_bytes <= pinned.head_bytes
            sizes = [graph.tensors[t].bytes for t in own]
            assert piece.copied_bytes == stock.copied_bytes - sum(sizes)
            assert piece.copy_insn == stock.copy_insn - sum(25 - -9 * s // 16 for s in sizes)
    allowed = allowed_everywhere(n)
    free = option_bounds(table, allowed)
    for part, keeps in ((free, np.zeros_like(free.ram)), inside_bounds(table, allowed)):
        left, columns = 0, (column.tolist() for column in (*part, keeps))
        for start, stop, key, *least, kept in zip(*columns, strict=True):
            option = table.option(start, stop, without_place(key))
            if option is None:
                continue
            way = EVERY_WAY.cheapest(table.choices(option, place_of(key)), place_of(key))
            assert way is not None
            assert least[0] <= ram_of(table, option) - option.arena_bytes + way.arena_bytes
            assert least[1] <= option.kept_insn + way.insn
            assert least[2] == option.copied_bytes
            assert kept <= way.kept_bytes
            is_plain = option.bands is None and len(graph.ops) > option.segment.stop - start
            assert kept == way.kept_bytes or not is_plain
            left += any(option.left)
        assert left


@cache
def planned() -> SplitPlan:
    graph = net(3)
    request = PlanRequest(Goal(1, 0), allowed_everywhere(len(graph.ops)), SolveParams())
    plan = Planner(table_of(graph)).plan(request)
    assert isinstance(plan, SplitPlan)
    return plan


def test_places_are_told_and_checked() -> None:
    plan = planned()
    left = [placement for placement in plan.placements if placement.in_place]
    assert left
    for placement in left:
        maker, reader = (
            plan.segments[k] for k in (placement.first_segment, placement.last_segment)
        )
        assert reader.index == maker.index + 1
        assert maker.figures.left.made
        assert reader.figures.left.read
        assert placed_in_place(placement.tensor, maker, reader) == placement
        wrong = (
            (maker, replace(reader, stored=None, kept=None), "write over it"),
            (maker, replace(reader, arena_offset=16), "then at"),
            (replace(maker, arena_offset=16), reader, "then at"),
            (reader, maker, "does not make it"),
        )
        for first, second, said in wrong:
            with pytest.raises(InvalidPlan, match=said):
                placed_in_place(placement.tensor, first, second)


def test_nothing_is_offered_where_all_pieces_are_rebuilt_or_the_job_says_so() -> None:
    graph = net(3)
    assert not table_of(graph, Switching()).nodes.left
    assert table_of(graph, Switching(may_reside=True)).nodes.left
    table = table_of(graph)
    without = table.under(replace(table.techniques, in_place=False))
    assert not without.nodes.left
    assert without.nodes.whole == (0, len(graph.ops))
    assert table.nodes.whole == (0, 2 * len(graph.ops) - 1)
    assert table.nodes.segment(*table.nodes.of(1, 3, Ends(made=True))) == (1, 3, Ends(made=True))

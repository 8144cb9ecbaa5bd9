"""Rolled ends: every read and write replayed at real addresses, at the lead and below it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations, permutations

import numpy as np
import pytest
from band_oracle import plans_of
from images import ImageNet, chance_net

from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of
from splitopt.tiling.geometry import SegmentRows, banded_segments
from splitopt.tiling.plan import BandPlan, Execution
from splitopt.tiling.rolled import RolledPair, lead_bytes, rolled_pairs
from splitopt.tiling.rows import row_rule
from splitopt.tiling.schedule import executions_of, row_bytes


def in_order(
    graph: ModelGraph, segment: Segment, rows: SegmentRows, plan: BandPlan
) -> list[Execution]:
    """Piece after piece, as the runner has it."""
    return [e for piece in executions_of(graph, segment, rows, plan) for e in piece]


def is_intact(graph: ModelGraph, events: Sequence[Execution], pair: RolledPair) -> bool:
    """Whether every row that is read, and all that is made, is what it must be in the end."""
    read, made = (np.arange(1, graph.tensors[t].bytes + 1) for t in (pair.read, pair.made))
    memory = np.zeros(pair.lead_bytes + len(read) + len(made), dtype=np.int64)
    inside = slice(pair.lead_bytes, pair.lead_bytes + len(read))
    memory[inside] = read
    for event in events:
        for spans, tensor in ((event.inputs, pair.read), (event.outputs, pair.made)):
            width = row_bytes(graph, tensor)
            for span in (span for span in spans if span.tensor == tensor):
                at = slice(span.row * width, (span.row + span.rows) * width)
                if tensor == pair.made:
                    memory[at] = -made[at]
                elif (memory[inside][at] != read[at]).any():
                    return False
    return bool((memory[: len(made)] == -made).all())


def least_lead(graph: ModelGraph, events: Sequence[Execution], read: int, made: int) -> int:
    """The least multiple of 16 from which on nothing breaks, from both tensors one over the other
    downwards."""
    lead = -(-graph.tensors[made].bytes // 16) * 16
    while lead >= 0 and is_intact(graph, events, RolledPair(read, made, lead)):
        lead -= 16
    return lead + 16


@pytest.mark.parametrize("block", range(4))
def test_leads_of_all_band_plans_are_the_least_that_replay_intact(block: int) -> None:
    """Nets by chance; a step of 16 less breaks a row wherever the lead is not 0."""
    seen = positive = two = 0
    for seed in range(block * 10, block * 10 + 10):
        graph = chance_net(seed)
        known = [row_rule(graph, op) for op in graph.ops]
        for start in range(len(graph.ops)):
            for stop, rows in banded_segments(graph, start, known):
                segment = segment_of(graph, start, stop)
                for plan in plans_of(rows) if rows.outputs else ():
                    events = in_order(graph, segment, rows, plan)
                    for read in segment.inputs:
                        for made in segment.outputs:
                            lead = lead_bytes(graph, events, read, made)
                            assert lead == least_lead(graph, events, read, made)
                            seen, positive = seen + 1, positive + (lead > 0)
                            two += len(plan.heights) == 2
    assert seen > 200
    assert min(positive, two) > 30


def side_by_side(seed: int) -> ModelGraph:
    """Three convolutions, each of an image of its own, and a sum of two of them."""
    rng = random.Random(seed)
    net = ImageNet()
    sources = [net.image(16, 4, rng.randint(1, 4)) for _ in range(3)]
    made = [net.conv(source, 2, rng.choice([1, 3, 5]), 1, "same") for source in sources]
    return net.graph(sources, [made[0], net.add(made[1], made[2]), made[2]])


def test_the_pairs_save_most_of_all_sets() -> None:
    """By brute force over sets of pairs, each tensor in one at most, none that is needed later."""
    several = 0
    graphs = [*map(chance_net, range(20)), *map(side_by_side, range(6))]
    for graph in graphs:
        known = [row_rule(graph, op) for op in graph.ops]
        for start in range(len(graph.ops)):
            for stop, rows in banded_segments(graph, start, known):
                segment = segment_of(graph, start, stop)
                for plan in [*plans_of(rows)][:1] if rows.outputs else ():
                    events = in_order(graph, segment, rows, plan)
                    found = rolled_pairs(graph, segment, events)
                    assert savings(graph, found) == most_saved(graph, segment, events)
                    ends = [t for pair in found for t in (pair.read, pair.made)]
                    assert len(set(ends)) == len(ends)
                    several += len(found) > 1
    assert several > 10


def savings(graph: ModelGraph, pairs: Sequence[RolledPair]) -> int:
    sizes = [-(-tensor.bytes // 16) * 16 for tensor in graph.tensors]
    return sum(
        sizes[p.read] + sizes[p.made] - max(sizes[p.read] + p.lead_bytes, sizes[p.made])
        for p in pairs
    )


def most_saved(graph: ModelGraph, segment: Segment, events: Sequence[Execution]) -> int:
    free = [
        tensor
        for tensor in segment.inputs
        if tensor not in graph.outputs
        and not any(tensor in op.inputs for op in graph.ops[segment.stop :])
    ]
    most = 0
    for count in range(1, min(len(free), len(segment.outputs)) + 1):
        for reads in combinations(free, count):
            for made in permutations(segment.outputs, count):
                pairs = [
                    RolledPair(a, b, least_lead(graph, events, a, b))
                    for a, b in zip(reads, made, strict=True)
                ]
                most = max(most, savings(graph, pairs))
    return most


def test_a_first_convolution_takes_no_more_than_its_input() -> None:
    """96 x 96 x 3 to 48 x 48 x 8: 27,648 B where both ends have 46,080 B."""
    net = ImageNet()
    source = net.image(96, 96, 3)
    graph = net.graph([source], [net.conv(source, 8, 3, 2, "same")])
    segment = segment_of(graph, 0, 1)
    [(_, rows)] = banded_segments(graph, 0, [row_rule(graph, graph.ops[0])])
    taken = {}
    for plan in plans_of(rows, two_heights=False):
        [pair] = rolled_pairs(graph, segment, in_order(graph, segment, rows, plan))
        taken[len(plan.bands)] = 46_080 - pair.saved_bytes(27_648, 18_432)
    assert {taken[n] for n in taken if n > 10} == {27_648}


def test_an_input_that_is_needed_later_is_not_written_over() -> None:
    net = ImageNet()
    source = net.image(16, 4, 2)
    first = net.conv(source, 2, 3, 1, "same")
    graph = net.graph([source], [net.add(net.conv(first, 2, 3, 1, "same"), first)])
    rows = dict(banded_segments(graph, 0, [row_rule(graph, op) for op in graph.ops]))
    inner = dict(banded_segments(graph, 1, [row_rule(graph, op) for op in graph.ops]))
    for start, stop, known in ((0, 1, rows[1]), (1, 2, inner[2]), (1, 3, inner[3])):
        segment = segment_of(graph, start, stop)
        plan = list(plans_of(known))[-1]
        found = rolled_pairs(graph, segment, in_order(graph, segment, known, plan))
        assert bool(found) == ((start, stop) != (1, 2))

"""Groups that make several rows per Invoke find just the rows and columns that they have to."""

from __future__ import annotations

import pytest
from images import chance_neck, chance_net
from several_rows import streams_of_several_rows
from stream_nets import chance_decoder, chance_stream_net
from stream_oracle import makes_what_it_should

from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.tiling.streams.check import check_stream
from splitopt.tiling.streams.ends import stream_pairs
from splitopt.tiling.streams.placement import GroupForms, placed

RULES = target_rules("m55")
MAKERS = [chance_stream_net, chance_net, chance_neck, chance_decoder]


def judged(graph: ModelGraph, seed: int) -> int:
    forms, count = GroupForms(graph, RULES), 0
    for stream in streams_of_several_rows(graph, seed):
        check_stream(graph, placed(stream, RULES, forms), list(stream_pairs(graph, stream)))
        assert makes_what_it_should(graph, stream)
        count += 1
    return count


@pytest.mark.parametrize("make", MAKERS)
def test_streams_of_nets_by_chance_are_right(make: type) -> None:
    assert sum(judged(make(seed), seed) for seed in range(12)) > 30


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("make", MAKERS)
def test_streams_of_many_nets_are_right(make: type) -> None:
    for seed in range(12, 300):
        judged(make(seed), seed)

"""Groups that make several rows per Invoke find just the rows and columns that they have to."""

from __future__ import annotations

from itertools import chain

import pytest
from gated_nets import chance_gated_net
from images import ImageNet, chance_neck, chance_net
from several_rows import streams_of_several_rows
from stream_faults import faults
from stream_nets import chance_decoder, chance_stream_net
from stream_oracle import makes_what_it_should

from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.tiling.streams.check import check_rows, check_stream
from splitopt.tiling.streams.ends import stream_pairs
from splitopt.tiling.streams.group_graph import group_graph
from splitopt.tiling.streams.placement import GroupForms, placed
from splitopt.tiling.streams.several_rows import with_followers

RULES = target_rules("m55")
MAKERS = [chance_stream_net, chance_net, chance_neck, chance_decoder, chance_gated_net]


def judged(graph: ModelGraph, seed: int) -> int:
    forms, count = GroupForms(graph, RULES), 0
    for stream in streams_of_several_rows(graph, seed):
        check_stream(graph, placed(stream, RULES, forms), list(stream_pairs(graph, stream)))
        assert makes_what_it_should(graph, stream)
        count += 1
    return count


@pytest.mark.parametrize("make", MAKERS)
def test_streams_of_nets_by_chance_are_right(make: type) -> None:
    assert sum(judged(make(seed), seed) for seed in range(12)) > 20


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("make", MAKERS)
def test_streams_of_many_nets_are_right(make: type) -> None:
    for seed in range(12, 300):
        judged(make(seed), seed)


@pytest.mark.parametrize("make", [chance_stream_net, chance_decoder, chance_gated_net])
def test_faults_are_refused_unless_they_make_the_same(make: type) -> None:
    accepted = refused = 0
    for seed in range(6):
        graph = make(seed)
        found = sorted(streams_of_several_rows(graph, seed), key=lambda own: own.start - own.stop)
        for _, faulty in chain.from_iterable(map(faults, found[:1])):
            try:
                check_rows(graph, faulty, [group_graph(graph, faulty, g) for g in faulty.groups])
            except (AssertionError, IndexError):  # of the first, InvalidStream is one
                refused += 1
            else:
                accepted += 1
                assert makes_what_it_should(graph, faulty)
    assert refused > 5 * accepted


@pytest.mark.parametrize(("shape", "followers"), [([1, 8], 2), ([1, 1, 1, 8], 4)])
def test_what_takes_one_value_for_all_rows(shape: list[int], followers: int) -> None:
    """A gate of channels that another input makes: planning died of its missing rows. An op
    follows where it is known to repeat the gate."""
    net = ImageNet()
    image = net.image(12, 12, 8)
    gate = net.maker.tensor(shape)
    made = net.conv(image, 8, 3, 1, "same")
    doubled = net.add(made, made)
    scaled = net.image(12, 12, 8)
    net.maker.op("MUL", [doubled, gate], [scaled])
    graph = net.graph([image, gate], [net.add(scaled, scaled)])
    assert [op.index for op in with_followers(graph, graph.ops[0])] == [*range(followers)]

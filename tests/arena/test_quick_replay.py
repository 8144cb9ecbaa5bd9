"""The quick replay finds what the plain one does, to the byte and to the planner's last step."""

from __future__ import annotations

import random

import pytest
from random_nets import random_memories, random_net
from samples import seeds
from tflm_planner import planned_slowly

from splitopt.arena.abi import M55, X86_64, Abi
from splitopt.arena.quick_replay import ArenaRequest, QuickReplay
from splitopt.graph.segments import segment_of
from splitopt.solvers.packing.instance import Buffer, PackingInstance


def assert_as_replayed(quick: QuickReplay, request: ArenaRequest) -> None:
    arena, found = request.replayed(), quick.figures(request)
    assert found.size_bytes == arena.size_bytes
    assert found.tail_bytes == arena.tail_bytes
    assert found.head_bytes == arena.head_bytes
    assert found.peak_load_bytes == arena.peak_load_bytes
    assert found.buffers == len(arena.buffers)
    assert found.scratch == sum(buffer.tensor is None for buffer in arena.buffers)
    assert found.is_pinned == bool(arena.offline_plan)
    planned = [Buffer(b.size_bytes, b.live, b.offset if b.pinned else None) for b in arena.buffers]
    offsets, work = planned_slowly(PackingInstance(tuple(planned)))
    assert found.work == work
    assert [buffer.offset for buffer in arena.buffers] == offsets


ABIS = {"m55": M55, "x86_64": X86_64, "m55 in two arenas": M55.in_two_arenas()}


@pytest.mark.parametrize("abi", ABIS.values(), ids=ABIS)
@pytest.mark.parametrize("seed", seeds(12, 40))
def test_every_segment_of_a_random_net(seed: int, abi: Abi) -> None:
    chance = random.Random(seed)
    graph = random_net(seed)
    memories, quick = random_memories(graph, seed), QuickReplay(graph, abi)
    n = len(graph.ops)
    for start in range(n):
        for stop in range(start + 1, n + 1):
            segment = segment_of(graph, start, stop)
            places = {t: 16 * chance.randrange(99) for t in segment.tensors if t % 2}
            for offline in ({}, places):
                assert_as_replayed(quick, ArenaRequest(graph, segment, memories, abi, offline))


@pytest.mark.parametrize("seed", range(3))
def test_long_segments_of_a_random_net(seed: int) -> None:
    """Many buffers that live for a short time are placed by step."""
    graph = random_net(seed, most_ops=300)
    memories, quick = random_memories(graph, seed), QuickReplay(graph, M55)
    n = len(graph.ops)
    for start, stop in ((0, n), (n // 3, n), (0, n // 2)):
        request = ArenaRequest(graph, segment_of(graph, start, stop), memories, M55)
        assert_as_replayed(quick, request)


def test_a_request_more_lifts_what_lies_above_it_by_its_size() -> None:
    """What `Abi` says of its alignments holds, or the structure is refused."""
    fields = {name: getattr(M55, name) for name in M55.__slots__}
    with pytest.raises(AssertionError):
        Abi(**{**fields, "scratch_request_bytes": 14})

"""Peak loads of all segments at once, against a replay of each."""

from __future__ import annotations

import pytest
from random_nets import random_memories, random_net
from samples import seeds

from splitopt.arena.abi import M55
from splitopt.arena.replay import replay
from splitopt.graph.segments import segment_of
from splitopt.planning.peak_loads import peak_loads


@pytest.mark.parametrize("seed", seeds(25, 100))
def test_every_segment_of_a_random_net(seed: int) -> None:
    """Exact; the whole model may have inputs that no op reads beside."""
    graph = random_net(seed)
    memories, n = random_memories(graph, seed), len(graph.ops)
    peaks = peak_loads(graph, memories)
    for start in range(n):
        for stop in range(start + 1, n + 1):
            arena = replay(graph, segment_of(graph, start, stop), memories, M55, {})
            if stop - start < n:
                assert peaks[start, stop] == arena.peak_load_bytes
            else:
                assert peaks[start, stop] <= arena.peak_load_bytes

"""Tails and temporary data of all segments at once, against the replay of each."""

from __future__ import annotations

import numpy as np
import pytest
from random_nets import random_memories, random_net
from samples import seeds

from splitopt.arena.abi import M55, X86_64, Abi
from splitopt.arena.replay import replay
from splitopt.graph.segments import segment_of
from splitopt.planning.segment_tails import segment_tails


@pytest.mark.parametrize("abi", [M55, X86_64], ids=lambda abi: abi.name)
@pytest.mark.parametrize("seed", seeds(15, 60))
def test_arenas_are_those_of_the_replay(seed: int, abi: Abi) -> None:
    """Equal where no variable and no odd alignment is in the way, else not above, nor far below."""
    graph, word = random_net(seed), abi.pointer_bytes
    memories = random_memories(graph, seed, widest=word)
    tails = segment_tails(graph, memories, abi)
    channels = {len(t.quantization.scales) for t in graph.tensors if t.quantization}
    is_exact = not graph.variables and (word == 4 or 64 not in channels)
    n = len(graph.ops)
    for start in range(n):
        for stop in range(start + 1, n + 1):
            arena = replay(graph, segment_of(graph, start, stop), memories, abi, {})
            head = np.full((n + 1, n + 1), arena.head_bytes)
            gaps = (
                arena.tail_bytes - int(tails.tail[start, stop]),
                arena.size_bytes - int(tails.arena(head)[start, stop]),
            )
            is_whole = (start, stop) == (0, n)
            assert min(gaps) >= 0
            assert is_whole or max(gaps) <= (0 if is_exact else 64)


@pytest.mark.parametrize("seed", seeds(8, 20))
def test_options_of_a_wide_alignment_stay_below(seed: int) -> None:
    graph = random_net(seed)
    memories = random_memories(graph, seed, widest=8)
    tails, n = segment_tails(graph, memories, M55), len(graph.ops)
    for start in range(n):
        for stop in range(start + 1, n + 1):
            arena = replay(graph, segment_of(graph, start, stop), memories, M55, {})
            head = np.full((n + 1, n + 1), arena.head_bytes)
            assert tails.tail[start, stop] <= arena.tail_bytes
            assert tails.arena(head)[start, stop] <= arena.size_bytes

"""Groups that make several rows per Invoke, in the wheel: bit for bit what the model makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from needs import find_model
from several_rows import streams_of_several_rows
from stream_nets import chance_decoder, chance_stream_net
from stream_runs import Runs

from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.tiling.streams.stream import Stream


def longest(graph: ModelGraph, seed: int, count: int = 3) -> list[Stream]:
    found = streams_of_several_rows(graph, seed)
    return sorted(found, key=lambda s: s.start - s.stop)[:count]


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize(
    "seeds", [range(12), pytest.param(range(12, 300), marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_nets_by_chance_equal_them(dtype: str, seeds: range, tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    for seed in seeds:
        for make in (chance_stream_net, chance_decoder):
            graph = make(seed, dtype)
            runs.add(f"{make.__name__}-{seed}", graph, longest(graph, seed))
    assert not runs.wrong()
    assert len(runs.pairs) > len(seeds)


@pytest.mark.parametrize(
    "name", ["unet_digits_int8", pytest.param("mbv2_digits_int8", marks=pytest.mark.slow)]
)
def test_the_longest_streams_of_models_equal_them(name: str, tmp_path: Path) -> None:
    path = find_model(name)
    assert path is not None
    graph, runs = read_tflite(path), Runs(tmp_path, samples=2)
    for seed in range(3):
        runs.add(f"{seed}", graph, longest(graph, seed, 1))
    assert not runs.wrong()
    assert runs.pairs

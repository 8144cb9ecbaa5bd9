"""Bytes of models with resource variables, against TFLM's recording allocator on this machine; for
the Cortex-M55, see tests/runtime/test_target_state.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from allocations import measure_many_allocations
from stateful_models import delay_net, last_input

from splitopt.arena.quick_replay import ArenaRequest, QuickReplay
from splitopt.arena.replay import replay
from splitopt.arena.resource_kernels import RESOURCE_OPS
from splitopt.arena.rules import target_rules
from splitopt.graph.segments import whole_model
from splitopt.graph.tflite_reader import parse_tflite

TYPES = ("INT8", "INT16", "FLOAT32", "INT32")
MODELS = {f"delay {n}": delay_net(n) for n in (1, 2, 3)} | {t: last_input(t) for t in TYPES}
GENEROUS_BYTES = 1 << 20


def test_whole_models_match_the_wheel(tmp_path: Path) -> None:
    """What is used, and in the arena that is predicted, too."""
    rules, asked = target_rules("x86_64"), []
    arenas = []
    for number, data in enumerate(MODELS.values()):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(data)
        graph = parse_tflite(data, name="net")
        arenas.append(replay(graph, whole_model(graph), rules.memories(graph), rules.abi))
        asked += [(path, GENEROUS_BYTES), (path, arenas[-1].size_bytes)]
    reports = measure_many_allocations(asked)
    for arena, roomy, tight in zip(arenas, reports[::2], reports[1::2], strict=True):
        assert arena.exact
        assert (arena.head_bytes, arena.tail_bytes) == (roomy.head_bytes, roomy.tail_bytes)
        assert tight.total_bytes == roomy.total_bytes == arena.used_bytes


@pytest.mark.parametrize("abi", ["x86_64", "m55"])
@pytest.mark.parametrize("name", MODELS)
def test_quick_figures_are_those_of_the_replay(name: str, abi: str) -> None:
    graph, rules = parse_tflite(MODELS[name], name="net"), target_rules(abi)
    request = ArenaRequest(graph, whole_model(graph), rules.memories(graph), rules.abi)
    figures, arena = QuickReplay(graph, rules.abi).figures(request), request.replayed()
    assert figures.size_bytes == arena.size_bytes
    assert figures.head_bytes == arena.head_bytes


@pytest.mark.parametrize("abi", ["x86_64", "m55"])
def test_every_rule_was_measured_on_every_type_that_it_names(abi: str) -> None:
    for op in RESOURCE_OPS:
        assert target_rules(abi).kernels[op].types == {"RESOURCE", *TYPES}


@pytest.mark.parametrize("abi", ["x86_64", "m55"])
def test_a_subgraph_that_computes_is_an_estimate(abi: str) -> None:
    """Its activations are taken to be alive at once."""
    graph, rules = parse_tflite(delay_net(1, computes=True), name="net"), target_rules(abi)
    arena = replay(graph, whole_model(graph), rules.memories(graph), rules.abi)
    assert arena.estimates == ("CALL_ONCE of a subgraph with activations has no measured rule",)

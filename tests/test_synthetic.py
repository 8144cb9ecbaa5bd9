"""Generated networks: of the length that was asked for, and both interpreters run them alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bench.synthetic import convolution_chain, mobilenet_v2_like, u_net

from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.runtime.host import Stage, run_litert, run_tflm_chain

Network = Callable[[int, int], bytes]
NETWORKS: tuple[Network, ...] = (convolution_chain, mobilenet_v2_like, u_net)


@pytest.mark.parametrize("ops", [50, 51, 52, 53, 400])
@pytest.mark.parametrize("seed", [0, 1])
def test_networks_have_the_ops_that_were_asked_for(ops: int, seed: int) -> None:
    assert len(read(convolution_chain(ops, seed)).ops) == ops
    assert len(read(u_net(ops, seed)).ops) == ops
    assert abs(len(read(mobilenet_v2_like(ops, seed)).ops) - ops) <= 2


def test_the_real_mobilenet_has_its_real_blocks() -> None:
    graph = read(mobilenet_v2_like(69, 0))
    types = [op.type for op in graph.ops]
    assert len(types) == 69
    assert types.count("ADD") == 10
    assert types.count("DEPTHWISE_CONV_2D") == 17
    assert types.count("PAD") == 5
    assert {op.options["strideW"] for op in graph.ops if op.type == "DEPTHWISE_CONV_2D"} == {1, 2}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("seed", [0, 1])
def test_both_interpreters_run_them_alike(network: Network, seed: int, tmp_path: Path) -> None:
    path = tmp_path / "network.tflite"
    path.write_bytes(network(30, seed))
    graph = read(path.read_bytes())
    shape = graph.tensors[graph.inputs[0]].shape
    samples = np.random.default_rng(0).integers(-128, 128, (1, *shape), dtype=np.int8)
    tflm = run_tflm_chain([Stage(path, ("x",), ("y",), 1 << 20, ())], {"x": samples})
    litert = run_litert(path, [samples], ["y"], {}).arrays
    np.testing.assert_array_equal(tflm["y"], litert["y"])


def read(model: bytes) -> ModelGraph:
    return parse_tflite(model, name="network")

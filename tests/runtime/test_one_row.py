"""Convolutions on single rows, on QEMU with TFLM: those that are left out, and others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from limits import seconds
from stream_nets import StreamNet
from targets import banded_run, placed_stream, streamed_run, tflm_program, whole_run

from splitopt.arena.one_row import fails_on_one_row
from splitopt.graph.model import ModelGraph
from splitopt.runtime.arrays import random_inputs
from splitopt.runtime.job_blob import pack
from splitopt.runtime.simulator import Qemu, simulate
from splitopt.tiling.streams import rules

_SAMPLES = 8


def nets() -> Iterator[ModelGraph]:
    """A window of one row and some columns on three rows of four channels."""
    shapes = product(range(5, 12), range(1, 6), range(1, 5), ("same", "valid"))
    for columns, kernel, stride, padding in shapes:
        net = StreamNet(random.Random(columns * 100 + kernel * 10 + stride))
        image = net.image(3, columns, 4)
        yield net.graph([image], [net.window("CONV_2D", image, (1, kernel), (1, stride), padding)])


@pytest.mark.needs("compiler", "qemu", "tflm")
def test_what_fails_on_a_single_row_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other one gives on three single rows, as a stream and in bands, what it gives on the
    image; nearly every refused one does not (by chance, a few do)."""
    graphs = list(nets())
    refused = [fails_on_one_row(graph, graph.ops[0]) for graph in graphs]
    monkeypatch.setattr(rules, "fails_on_one_row", lambda *_: False)
    runs = []
    for graph in graphs:
        feeds = random_inputs(graph, _SAMPLES, 0)
        runs.append(whole_run(graph, feeds))
        runs.append(streamed_run(graph, [placed_stream(graph, 0, 1)], feeds))
        runs.append(banded_run(graph, 1, feeds))
    events = simulate(Qemu(), tflm_program(tmp_path), pack(runs, {"CONV_2D"}), seconds(120))
    made: list[list[object]] = [[] for _ in runs]
    for event in events:
        if event["event"] == "output":
            made[event["run"]].append(event["hex"])
    whole = made[::3]
    assert all(len(outputs) == _SAMPLES for outputs in whole)
    for single in (made[1::3], made[2::3]):
        differs = [a != b for a, b in zip(whole, single, strict=True)]
        pairs = list(zip(refused, differs, strict=True))
        assert (False, True) not in pairs
        assert (False, False) in pairs
        assert pairs.count((True, True)) > 9 * pairs.count((True, False))


def test_a_stream_refuses_them_with_the_reason() -> None:
    found = {
        graph.ops[0].options["strideW"]: rule
        for graph in nets()
        if isinstance(rule := rules.stream_rule(graph, graph.ops[0]), str)
    }
    assert 1 not in found
    assert all("CMSIS-NN gets wrong on a single row" in rule for rule in found.values())

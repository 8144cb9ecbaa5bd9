"""State on a simulated Cortex-M55: the one piece of a plan is built once and keeps its variables.

Needs QEMU, the compiler, and a TFLM library that SPLITOPT_TFLM names.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from limits import seconds
from stateful_models import delay_net, last_input, lstm_net, svdf_net
from targets import run_on_qemu, tflm_program, whole_run

from splitopt.arena.rules import target_rules
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.unsplit import unsplit
from splitopt.runtime.arrays import Array, random_inputs
from splitopt.runtime.host import run_litert

pytestmark = pytest.mark.needs("compiler", "qemu", "tflm")
SAMPLES = 8


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tflm_program(tmp_path_factory.mktemp("program"))


def litert(path: Path, feeds: Sequence[Array]) -> list[bytes]:
    """The first output of every inference of one interpreter."""
    made = run_litert(path, feeds, ["out"], timeout_s=seconds(60)).arrays["out"]
    return [sample.tobytes() for sample in made]


def test_a_sequence_of_svdf_is_that_of_litert(program: Path, tmp_path: Path) -> None:
    """Built once: only the first of eight inferences takes AllocateTensors. Two runs of one
    program start with the same state."""
    path = tmp_path / "svdf.tflite"
    path.write_bytes(svdf_net())
    graph = parse_tflite(svdf_net(), name="svdf")
    feeds = random_inputs(graph, SAMPLES, 0)
    run = whole_run(graph, feeds)
    for got in run_on_qemu(program, graph, [run, run]):
        assert [output for [output] in got.outputs] == litert(path, feeds)
        built = [sample[0].steps["allocate"] > 0 for sample in got.samples]
        assert built == [True] + [False] * (SAMPLES - 1)


def test_cmsis_nns_lstm_forgets(program: Path, tmp_path: Path) -> None:
    """Its kernel is handed no hidden state; each inference is like the first of an interpreter."""
    path = tmp_path / "lstm.tflite"
    path.write_bytes(lstm_net())
    graph = parse_tflite(lstm_net(), name="lstm")
    feeds = random_inputs(graph, SAMPLES, 0)
    [got] = run_on_qemu(program, graph, [whole_run(graph, feeds)])
    made = np.stack([np.frombuffer(output, np.int8) for [output] in got.outputs]).astype(int)
    fresh = [litert(path, [feed[n : n + 1] for feed in feeds])[0] for n in range(SAMPLES)]
    alone = np.stack([np.frombuffer(output, np.int8) for output in fresh]).astype(int)
    carried = np.stack([np.frombuffer(o, np.int8) for o in litert(path, feeds)]).astype(int)
    assert np.abs(made - alone).max() <= 1
    assert np.abs(made - carried).max() > 1


@pytest.mark.parametrize("dtype", ["INT8", "INT16", "FLOAT32", "INT32"])
def test_a_variable_of_any_type_starts_as_zeros(dtype: str, program: Path) -> None:
    graph = parse_tflite(last_input(dtype), name="last")
    feeds = random_inputs(graph, SAMPLES, 0)
    [got] = run_on_qemu(program, graph, [whole_run(graph, feeds)])
    want = [np.zeros_like(feeds[0][0]), *feeds[0][:-1]]
    assert [output for [output] in got.outputs] == [values.tobytes() for values in want]
    arena = unsplit(SegmentTable(graph, target_rules("m55"))).arena
    assert {piece.arena_used_bytes for [piece] in got.samples} == {arena.used_bytes}


@pytest.mark.parametrize("variables", [1, 3])
def test_resource_variables_are_carried_and_take_the_bytes_that_are_predicted(
    variables: int, program: Path, tmp_path: Path
) -> None:
    """In the arena that is predicted, without a byte more; CALL_ONCE runs at the first of them."""
    path = tmp_path / "delay.tflite"
    path.write_bytes(delay_net(variables))
    graph = parse_tflite(delay_net(variables), name="delay")
    feeds = random_inputs(graph, SAMPLES, 0)
    [got] = run_on_qemu(program, graph, [whole_run(graph, feeds)])
    assert [output for [output] in got.outputs] == litert(path, feeds)
    want = unsplit(SegmentTable(graph, target_rules("m55"))).arena
    assert want.exact
    assert {piece.arena_used_bytes for [piece] in got.samples} == {want.used_bytes}

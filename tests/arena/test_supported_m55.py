"""The table of types that TFLM's kernels run, against a simulated Cortex-M55 with CMSIS-NN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from arena.test_supported import candidates
from limits import seconds
from targets import tflm_program

from splitopt.arena.supported import refusals
from splitopt.base.errors import ToolError
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.runtime.arrays import random_inputs
from splitopt.runtime.job_blob import PlannedRun, pack, unsplit_run
from splitopt.runtime.simulator import Qemu, simulate

pytestmark = pytest.mark.needs("compiler", "qemu", "tflm")
_ARENA_BYTES = 1 << 16
Form = tuple[str, str]


def _run_of(graph: ModelGraph) -> PlannedRun:
    feeds = [np.zeros_like(feed) for feed in random_inputs(graph, 1, 0)]
    return unsplit_run(graph, _ARENA_BYTES, feeds)


def _ran(
    program: Path, runs: Sequence[tuple[Form, PlannedRun]], ops: set[str]
) -> Mapping[Form, bool]:
    """Whether AllocateTensors and Invoke succeed; a boot that a model ends is told in halves."""
    try:
        events = simulate(Qemu(), program, pack([run for _, run in runs], ops), seconds(300))
    except ToolError:
        if len(runs) == 1:
            return {runs[0][0]: False}
        half = len(runs) // 2
        return {**_ran(program, runs[:half], ops), **_ran(program, runs[half:], ops)}
    return {runs[e["run"]][0]: not e["error"] for e in events if e["event"] == "ran"}


def test_the_table_refuses_what_the_m55_does_not_run_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    graphs = {form: parse_tflite(data, name="m") for form, data in candidates().items()}
    fed = {
        form: graph
        for form, graph in graphs.items()
        if all(graph.tensors[tensor].dtype.name != "INT4" for tensor in graph.inputs)
    }
    runs = [(form, _run_of(graph)) for form, graph in fed.items()]
    program = tflm_program(tmp_path_factory.mktemp("program"))
    ran = _ran(program, runs, {op.type for graph in fed.values() for op in graph.ops})
    differs = [
        f"{name} {form} {'runs' if is_run else 'does not run'} there"
        for (name, form), is_run in ran.items()
        if bool(refusals(fed[name, form], "m55")) == is_run
    ]
    assert not differs, "\n".join(differs)
    assert len(ran) == len(runs) > 800
    assert sum(ran.values()) > 250

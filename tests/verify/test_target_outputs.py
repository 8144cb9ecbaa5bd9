"""Outputs on a target: integers bit for bit, floats to a tolerance, pieces as the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from stateful_models import lstm_net

from splitopt.graph.tflite_reader import parse_tflite
from splitopt.runtime.model_builder import ModelBuilder
from splitopt.verify.check import Check, CheckStatus
from splitopt.verify.target_outputs import computed_in_float, outputs_check

PASSED, FAILED, WARNING = CheckStatus.PASSED, CheckStatus.FAILED, CheckStatus.WARNING
VALUES = np.array([[0.5, -2.0, 1.0, 0.25]], np.float32)


def model(*ops: str) -> bytes:
    """One op after another on [1, 4]; float but where QUANTIZE has made it int8."""
    builder = ModelBuilder()
    dtype = "INT8" if ops[0] == "DEQUANTIZE" else "FLOAT32"
    first = last = builder.tensor([1, 4], dtype, scales=[0.1] if dtype == "INT8" else [])
    for op in ops:
        dtype = {"QUANTIZE": "INT8", "DEQUANTIZE": "FLOAT32"}.get(op, dtype)
        out = builder.tensor([1, 4], dtype, scales=[0.1] if dtype == "INT8" else [])
        options = fb.MulOptionsT() if op == "MUL" else None
        builder.op(op, [last, last] if op == "MUL" else [last], [out], options)
        last = out
    return builder.bytes([first], [last])


def check(data: bytes, host: Any, unsplit: Any, pieces: Any) -> Check:
    graph = parse_tflite(data, name="model")
    ran: list[Sequence[Sequence[bytes]]] = [[[a.tobytes()]] for a in (host, unsplit, pieces)]
    return outputs_check(graph, "target", *ran, ["y"])


@pytest.mark.parametrize(
    ("ops", "is_float"),
    [
        (["MUL"], True),
        (["MUL", "RELU"], True),
        (["LOGISTIC", "QUANTIZE"], True),
        (["DEQUANTIZE"], False),
        (["RELU", "QUANTIZE"], False),
        (["QUANTIZE", "MUL"], False),
    ],
)
def test_only_arithmetic_on_floats_is_not_exact(ops: Sequence[str], is_float: bool) -> None:
    graph = parse_tflite(model(*ops), name="model")
    assert computed_in_float(graph).issuperset(graph.outputs) is is_float


@pytest.mark.parametrize(
    ("ops", "factor", "status"),
    [
        (["MUL"], 1 + 2e-7, PASSED),
        (["MUL"], 1 + 1e-3, FAILED),
        (["DEQUANTIZE"], 1 + 2e-7, FAILED),
    ],
)
def test_floats_have_a_tolerance_where_they_are_computed(
    ops: Sequence[str], factor: float, status: CheckStatus
) -> None:
    there = VALUES * np.float32(factor)
    assert (there != VALUES).any()
    found = check(model(*ops), VALUES, there, there)
    assert found.status is status
    assert ("1e-05 of their range" in found.compared) == (ops == ["MUL"])
    assert (found.detail == "") == (status is PASSED)


@pytest.mark.parametrize(("step", "status"), [(1, PASSED), (2, FAILED)])
def test_integers_behind_floats_may_be_one_step_apart(step: int, status: CheckStatus) -> None:
    here = np.array([[1, 2, 3, 4]], np.int8)
    data = model("LOGISTIC", "QUANTIZE")
    assert check(data, here, here + np.int8(step), here + np.int8(step)).status is status


def test_pieces_equal_the_unsplit_model_on_the_target_to_the_last_bit() -> None:
    there = VALUES * np.float32(1 + 2e-7)
    found = check(model("MUL"), VALUES, there, VALUES)
    assert found.status is FAILED
    assert found.detail == "pieces: y, input 0"


@pytest.mark.parametrize(
    ("host", "pieces", "status"),
    [(0, 0, PASSED), (1, 0, WARNING), (0, 1, FAILED), (1, 1, FAILED)],
)
def test_a_state_that_the_targets_lstm_drops_is_a_warning(
    host: int, pieces: int, status: CheckStatus
) -> None:
    """Whatever the host makes, pieces and unsplit model are equal on the target."""
    made = (np.full((1, 3, 6), value, np.int8) for value in (host, 0, pieces))
    found = check(lstm_net(), *made)
    assert found.status is status
    assert ("begins every inference with a state of zeros" in found.detail) is (status is WARNING)

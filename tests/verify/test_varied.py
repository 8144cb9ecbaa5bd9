"""A model that does not tell its inputs apart: said, and its pieces are proved by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from limits import seconds
from piece_files import pieces_of

from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.runtime.arrays import Array, random_inputs
from splitopt.runtime.model_builder import packed
from splitopt.verify.chains import PieceFile
from splitopt.verify.check import Check, CheckStatus
from splitopt.verify.equality import verify_pieces
from splitopt.verify.proof import Proof

MODEL = Path(__file__).resolve().parents[2] / "configs" / "models" / "resnet8_digits_int8.tflite"
PASSED, FAILED, WARNING, _ = CheckStatus
CUTS = (5, 14)  # piece 2: the FULLY_CONNECTED behind the mean of all convolutions


def convolutions_of_zero(model: Any) -> None:
    """Weights and biases, so that whatever comes in, 0 comes out and the class is known."""
    [graph] = model.subgraphs
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    for op in graph.operators:
        if codes[op.opcodeIndex] == fb.BuiltinOperator.CONV_2D:
            for tensor in op.inputs[1:]:
                data = model.buffers[graph.tensors[tensor].buffer].data
                model.buffers[graph.tensors[tensor].buffer].data = np.zeros_like(data)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tree = fb.ModelT.InitFromObj(fb.Model.GetRootAs(MODEL.read_bytes()))
    convolutions_of_zero(tree)
    path = tmp_path / "constant.tflite"
    path.write_bytes(packed(tree))
    return path


def proof(
    graph: ModelGraph, model: Path, files: Sequence[PieceFile], feeds: Sequence[Array]
) -> dict[str, Check]:
    checks = verify_pieces(graph, model, files, feeds, timeout_s=seconds(60))
    return {check.name: check for check in checks}


def test_outputs_that_are_constant_are_warned_of(model: Path, tmp_path: Path) -> None:
    graph = read_tflite(model)
    files = pieces_of(graph, tmp_path, CUTS)
    checks = proof(graph, model, files, random_inputs(graph, 4, 0))
    assert [(name, check.status) for name, check in checks.items()] == [
        ("outputs", PASSED),
        ("boundaries", PASSED),
        ("pieces_alone", PASSED),
        ("varied_outputs", WARNING),
    ]
    assert checks["pieces_alone"].compared.startswith("2 pieces ")
    boundaries = sum(len(file.segment.outputs) for file in files[:2])
    assert f"as are {boundaries} of {boundaries} boundary" in checks["varied_outputs"].detail
    found = Proof(tuple(checks.values()))
    assert (found.status, found.has_warnings) == (PASSED, False)


def test_a_changed_weight_that_no_input_shows_is_found(model: Path, tmp_path: Path) -> None:
    graph = read_tflite(model)
    files = pieces_of(graph, tmp_path, CUTS)
    [op] = [op for op in graph.ops[CUTS[1] :] if op.type == "FULLY_CONNECTED"]
    weights = bytes(graph.tensors[op.inputs[1]].data)
    data = files[2].path.read_bytes()
    files[2].path.write_bytes(data.replace(weights, bytes(-b & 255 for b in weights)))
    checks = proof(graph, model, files, random_inputs(graph, 4, 0))
    assert (checks["outputs"].status, checks["boundaries"].status) == (PASSED, PASSED)
    assert checks["pieces_alone"].status is FAILED
    assert checks["pieces_alone"].detail.startswith("02.tflite: tensor ")


def test_equal_inputs_say_nothing_of_the_model(tmp_path: Path) -> None:
    graph = read_tflite(MODEL)
    feeds = [np.repeat(feed[:1], 3, axis=0) for feed in random_inputs(graph, 1, 0)]
    checks = proof(graph, MODEL, pieces_of(graph, tmp_path, CUTS), feeds)
    assert "varied_outputs" not in checks
    assert {check.status for check in checks.values()} == {PASSED}

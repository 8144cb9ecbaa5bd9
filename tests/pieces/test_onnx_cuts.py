"""Where an ONNX model can be cut, and the parts it falls into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builder import Builder

from splitopt.base.errors import ModelError
from splitopt.config.job import Job
from splitopt.convert.names.onnx_graph import OnnxGraph, OnnxNode, OnnxValue
from splitopt.convert.names.record import Correspondence, Match
from splitopt.convert.onnx_cut import cut_out
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.pieces.onnx_cuts import cut_tensors, onnx_segments
from splitopt.pieces.piece_set import PieceSet
from splitopt.verify.accuracy import RouteJudgement
from splitopt.workflows.plan import Planned
from splitopt.workflows.run import RunResult

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"

BOARD = "board: corstone300_128k\nobjective: {minimise: smallest}\n"

Run = tuple[Job, RunResult]

Made = tuple[Planned, PieceSet, RouteJudgement]


def residual() -> Any:
    """in → PAD → CONV-like RELU → RELU, then ADD of the last two."""
    maker = Builder()
    shapes = [[1, 4, 4, 2], [1, 6, 6, 2], [1, 6, 6, 2], [1, 6, 6, 2], [1, 6, 6, 2]]
    source, padded, stem, branch, out = [maker.tensor(shape) for shape in shapes]
    ends = maker.typed([4, 2], "INT32", data=np.array([0, 0, 1, 1, 1, 1, 0, 0], "<i4").tobytes())
    maker.op("PAD", [source, ends], [padded])
    maker.op("RELU", [padded], [stem])
    maker.op("RELU", [stem], [branch])
    maker.op("ADD", [stem, branch], [out])
    return parse_tflite(maker.bytes([source], [out]), name="m", where="m")


def node(kind: str, inputs: Sequence[str], output: str) -> OnnxNode:
    return OnnxNode(output, kind, tuple(inputs), (output,), f"{kind}{inputs}")


def residual_onnx(shape: tuple[int, ...] = (1, 2, 6, 6)) -> OnnxGraph:
    """The same with the padding inside of the first Conv."""
    nodes = (
        node("Conv", ["x", "w"], "conv"),
        node("Relu", ["conv"], "stem"),
        node("Relu", ["stem"], "branch"),
        node("Add", ["stem", "branch"], "y"),
    )
    shapes = dict.fromkeys(("conv", "stem", "branch", "y"), shape)
    inputs = (OnnxValue("x", (1, 2, 4, 4)),)
    return OnnxGraph(inputs, ("y",), nodes, {**shapes, "x": (1, 2, 4, 4)})


def names(**tensors: int) -> Correspondence:
    matches = (Match(name, tensor, 30.0, "nhwc") for name, tensor in tensors.items())
    return Correspondence(tuple(matches), (), (), ())


def test_cuts_of_both_models_are_found_and_no_other() -> None:
    """Nothing in ONNX stands for the padded tensor: no cut after op 0. Cut 3 takes two tensors."""
    graph, onnx = residual(), residual_onnx()
    tensors = cut_tensors(graph, onnx, names(stem=2, branch=3), {}, ["x"])
    assert tensors == {0: "x", 2: "stem", 3: "branch", 4: "y"}
    allowed = onnx_segments(graph, onnx, tensors)
    assert [[a, b] for a, b in np.argwhere(allowed)] == [
        [0, 2], [0, 3], [0, 4], [2, 3], [2, 4], [3, 4],
    ]  # fmt: skip


def test_a_tensor_that_leaves_a_path_around_it_is_no_cut() -> None:
    """Were `branch` the only tensor known at cut 3, the ONNX model would not fall in two."""
    graph, onnx = residual(), residual_onnx()
    wrong = {0: "x", 2: "branch", 3: "branch", 4: "y"}
    assert not onnx_segments(graph, onnx, wrong)[:, 3].any()


def test_a_tensor_in_another_order_is_no_cut() -> None:
    graph, onnx = residual(), residual_onnx()
    match = Match("stem", 2, 30.0, "same")
    found = cut_tensors(graph, onnx, Correspondence((match,), (), (), ()), {}, ["x"])
    assert 2 not in found
    column = residual_onnx((1, 72, 1, 1))
    reshaped = Match("stem", 2, 30.0, "reshaped")
    found = cut_tensors(graph, column, Correspondence((reshaped,), (), (), ()), {}, ["x"])
    assert found[2] == "stem"


def test_names_of_the_user_become_those_of_the_cleaned_model() -> None:
    renamed = {"stem": "/st/Relu"}
    found = cut_tensors(residual(), residual_onnx(), names(**{"/st/Relu": 2}), renamed, ["x"])
    assert found[2] == "stem"


@pytest.fixture
def onnx() -> Any:
    pytest.importorskip("onnxruntime", reason="ONNX input needs the onnx extra")
    return pytest.importorskip("onnx", reason="ONNX input needs the onnx extra")


def branching_model(onnx: Any) -> Any:
    """Conv → (Relu, Conv) → Add → Flatten → Gemm, with shapes inferred."""
    helper, random = onnx.helper, np.random.default_rng(0)
    sizes = {"w0": (4, 3, 3, 3), "w1": (4, 4, 3, 3), "w2": (4 * 6 * 5, 7)}
    constants = [
        onnx.numpy_helper.from_array(random.normal(size=s).astype(np.float32), n)
        for n, s in sizes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Conv", ["r", "w1"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c", "r"], ["s"]),
        helper.make_node("Flatten", ["s"], ["f"]),
        helper.make_node("MatMul", ["f", "w2"], ["y"]),
    ]
    float_ = onnx.TensorProto.FLOAT
    ends = [helper.make_tensor_value_info("x", float_, [1, 3, 6, 5])]
    outs = [helper.make_tensor_value_info("y", float_, [1, 7])]
    graph = helper.make_graph(nodes, "g", ends, outs, constants)
    opset = [helper.make_opsetid("", 17)]
    return onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=opset))


def run_onnx(model: Any, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    import onnxruntime

    model.ir_version = 8
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def test_parts_of_an_onnx_model_chained_are_the_model(onnx: Any) -> None:
    """Inside a branch, too; what leaves a part has its channels last."""
    model = branching_model(onnx)
    x = np.random.default_rng(1).normal(size=(1, 3, 6, 5)).astype(np.float32)
    [want] = run_onnx(model, {"x": x}).values()
    first = run_onnx(cut_out(model, ["x"], ["r", "c"]), {"x": x})
    assert [a.shape for a in first.values()] == [(1, 6, 5, 4), (1, 6, 5, 4)]
    r, c = (np.moveaxis(a, -1, 1) for a in first.values())
    second = cut_out(model, ["r", "c"], ["y"])
    assert [n.op_type for n in second.graph.node] == ["Add", "Flatten", "MatMul"]
    assert [i.name for i in second.graph.initializer] == ["w2"]
    [got] = run_onnx(second, {"r": r, "c": c}).values()
    assert np.allclose(got, want, rtol=1e-4, atol=1e-3)


def test_a_part_that_needs_more_than_it_is_given_is_refused(onnx: Any) -> None:
    with pytest.raises(ModelError, match="'x' is an input of the model"):
        cut_out(branching_model(onnx), ["c"], ["y"])

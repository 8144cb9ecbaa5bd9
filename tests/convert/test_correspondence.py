"""Which ONNX node became which op: by values and structure, judged by weights and graph order."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

from splitopt.base.errors import ModelError, SplitoptError, ToolError
from splitopt.convert.cut_names import fused_away
from splitopt.convert.names.match import correspond
from splitopt.convert.names.record import Correspondence
from splitopt.graph.model import ModelGraph, Tensor
from splitopt.graph.tflite_reader import read_tflite

FOLDER = Path(__file__).resolve().parents[2] / "configs" / "models"
MODELS = ("resnet8", "mbv2", "squeeze", "unet")
TIMEOUT_S = 60.0
# Ops and nodes were counted, and the SQNR looked up, once on these very files.
COUNTS = {  # ops, of these inserted PADs; ONNX nodes; the floor of the SQNR in dB
    "resnet8": (16, 2, 22, 26.0),
    "mbv2": (69, 5, 100, 14.0),
    "squeeze": (26, 1, 38, 23.0),
    "unet": (13, 2, 16, 33.0),
}
WEIGHTED = {
    "CONV_2D": {"Conv"},
    "DEPTHWISE_CONV_2D": {"Conv"},
    "TRANSPOSE_CONV": {"ConvTranspose"},
    "FULLY_CONNECTED": {"Gemm"},
}
TYPES = {
    **WEIGHTED,
    "ADD": {"Add"},
    "CONCATENATION": {"Concat"},
    "MAX_POOL_2D": {"MaxPool"},
    "MEAN": {"GlobalAveragePool"},
    "RESHAPE": {"Flatten"},
    "SOFTMAX": {"Softmax"},
    "LOGISTIC": {"Sigmoid"},
    "RESIZE_NEAREST_NEIGHBOR": {"Resize"},
}
FUSED = {"Relu", "Clip"}


# --- the four converted models ---------------------------------------------------------------


@cache
def tflite(name: str) -> tuple[Path, ModelGraph]:
    path = FOLDER / f"{name}_digits_int8.tflite"
    return path, read_tflite(path)


@cache
def onnx_model(name: str) -> Any:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    return onnx.shape_inference.infer_shapes(onnx.load(FOLDER / f"{name}_digits.onnx"))


@cache
def calibration(name: str) -> np.ndarray:
    data = np.load(FOLDER / f"{name}_digits_data.npz")
    return data["calibration"].astype(np.float32)


def need_models_and_onnx() -> None:
    for module in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


@cache
def corresponding(name: str) -> Correspondence:
    path, graph = tflite(name)
    onnx_path = FOLDER / f"{name}_digits.onnx"
    return correspond(onnx_path, graph, path, [calibration(name)], TIMEOUT_S)


def op_of_node(found: Correspondence) -> dict[str, int]:
    return {name: op.tflite_op for op in found.ops for name in op.onnx_nodes}


def tflite_tensors(found: Correspondence) -> dict[str, int]:
    return {match.onnx_tensor: match.tflite_tensor for match in reversed(found.matches)}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    need_models_and_onnx()
    return str(request.param)


def test_every_node_and_every_op_stands_in_one_place(model: str) -> None:
    found, graph = corresponding(model), tflite(model)[1]
    ops, inserted, nodes, _ = COUNTS[model]
    names = [name for op in found.ops for name in op.onnx_nodes]
    names += found.unmatched_nodes
    assert sorted(names) == sorted(node.name for node in onnx_model(model).graph.node)
    assert len(names) == nodes
    assert len(found.ops) == ops - inserted
    assert [graph.ops[op].type for op in found.unmatched_ops] == ["PAD"] * inserted


def test_every_op_does_what_its_type_says(model: str) -> None:
    found, graph = corresponding(model), tflite(model)[1]
    types = {node.name: node.op_type for node in onnx_model(model).graph.node}
    for op in found.ops:
        done = [types[name] for name in op.onnx_nodes]
        assert len([t for t in done if t in TYPES[graph.ops[op.tflite_op].type]]) == 1
        assert set(done) <= TYPES[graph.ops[op.tflite_op].type] | FUSED


def test_matched_ops_hold_the_weights_of_their_nodes(model: str) -> None:
    """The oracle: weights take no part in the matching."""
    found, graph = corresponding(model), tflite(model)[1]
    numpy_helper = pytest.importorskip("onnx.numpy_helper")
    weights = {t.name: numpy_helper.to_array(t) for t in onnx_model(model).graph.initializer}
    checked = 0
    for node in onnx_model(model).graph.node:
        if node.op_type not in {"Conv", "ConvTranspose", "Gemm"}:
            continue
        op = graph.ops[op_of_node(found)[node.name]]
        assert node.op_type in WEIGHTED[op.type]
        ours = real_weights(graph.tensors[op.inputs[1]])
        theirs = channels_last(weights[node.input[1]], op.type)
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= 0.01 * np.abs(theirs).max()
        checked += 1
    assert checked == sum(op.type in WEIGHTED for op in graph.ops)


def real_weights(tensor: Tensor) -> np.ndarray:
    values = np.frombuffer(tensor.data, np.int8).reshape(tensor.shape).astype(float)
    assert tensor.quantization
    along = [1] * values.ndim
    along[tensor.quantization.dimension] = -1
    return values * np.reshape(tensor.quantization.scales, along)


def channels_last(weights: np.ndarray, op_type: str) -> np.ndarray:
    if op_type == "FULLY_CONNECTED":
        return weights
    axes = {"DEPTHWISE_CONV_2D": (1, 2, 3, 0), "TRANSPOSE_CONV": (1, 2, 3, 0)}
    return weights.transpose(axes.get(op_type, (0, 2, 3, 1)))


def test_matched_tensors_have_each_others_shape(model: str) -> None:
    found, graph = corresponding(model), tflite(model)[1]
    onnx_graph = onnx_model(model).graph
    shapes = {
        value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
        for value in (*onnx_graph.input, *onnx_graph.output, *onnx_graph.value_info)
    }
    for match in found.matches:
        shape = shapes[match.onnx_tensor]
        wanted = (shape[0], *shape[2:], shape[1]) if match.layout == "nhwc" else shape
        if match.layout.endswith("reshaped"):  # a Flatten that needs no op
            assert model in {"resnet8", "mbv2"}
            wanted = graph.tensors[match.tflite_tensor].shape
        assert graph.tensors[match.tflite_tensor].shape == wanted


def test_every_feature_map_is_matched_by_its_values(model: str) -> None:
    found, graph = corresponding(model), tflite(model)[1]
    for op in graph.ops:
        [tensor] = op.outputs
        name = found.onnx_tensor_of(tensor)
        assert (name is None) == (op.type == "PAD")
        assert name is None or tflite_tensors(found)[name] == tensor
    assert {match.evidence for match in found.matches} == {"values"}
    assert min(match.sqnr_db for match in found.matches) > COUNTS[model][3]
    ends = onnx_model(model).graph
    assert tflite_tensors(found)[ends.output[0].name] == graph.outputs[0]
    assert tflite_tensors(found)[ends.input[0].name] == graph.inputs[0]


def test_edges_between_nodes_are_paths_between_ops(model: str) -> None:
    found, graph = corresponding(model), tflite(model)[1]
    nodes = onnx_model(model).graph.node
    maker = {tensor: node.name for node in nodes for tensor in node.output}
    owner = op_of_node(found)
    for node in nodes:
        reader = owner.get(node.name)
        for tensor in node.input:
            op = owner.get(maker[tensor]) if tensor in maker else None
            if op is not None and reader is not None and op != reader:
                assert nx.has_path(graph.dag, op, reader)


def test_a_tensor_within_an_op_is_said_to_be_there(model: str) -> None:
    found = corresponding(model)
    inner, owner = fused_away(found), op_of_node(found)
    for node in onnx_model(model).graph.node:
        for tensor in node.output:
            assert (tensor in inner) != (tensor in tflite_tensors(found))
            assert tensor not in inner or inner[tensor] == owner[node.name]


# --- the same values under other names and in another structure -------------------------------


def test_what_an_export_adds_changes_no_match(tmp_path: Path) -> None:
    """Other names, pass-through nodes, a twin, constants from shapes, and a dead end."""
    need_models_and_onnx()
    path, graph = tflite("unet")
    found = correspond(rewritten(tmp_path), graph, path, [calibration("unet")[:2]], TIMEOUT_S)
    plain = corresponding("unet")
    for op in plain.ops:
        assert found.nodes_of_op(op.tflite_op) == tuple(f"n {name}" for name in op.onnx_nodes)
    assert {*found.unmatched_nodes} == {
        "extra identity", "extra dropout", "extra twin", "extra shape", "Relu:dead"
    }  # fmt: skip
    [first] = (match for match in plain.matches if match.onnx_tensor == "/e1/e1.2/Relu_output_0")
    for name in ("t /e1/e1.2/Relu_output_0", "same 1", "same 2", "same 3"):
        assert tflite_tensors(found)[name] == first.tflite_tensor


def rewritten(folder: Path) -> Path:
    onnx = pytest.importorskip("onnx")
    make_node = onnx.helper.make_node
    model = onnx.load(FOLDER / "unet_digits.onnx")
    graph = model.graph
    relu = "t /e1/e1.2/Relu_output_0"
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = f"t {value.name}"
    del graph.value_info[:]
    for node in graph.node:
        node.name = f"n {node.name}"
        node.input[:] = [name and f"t {name}" for name in node.input]
        node.output[:] = [f"t {name}" for name in node.output]
    nodes = list(graph.node)
    [at] = [at for at, node in enumerate(nodes) if node.output[0] == relu]
    readers = [node for node in nodes if relu in node.input]
    for node, source in zip(readers, ("same 2", "same 3"), strict=True):
        node.input[:] = [source if name == relu else name for name in node.input]
    nodes[at + 1 : at + 1] = [
        make_node("Identity", [relu], ["same 1"], name="extra identity"),
        make_node("Dropout", ["same 1"], ["same 2"], name="extra dropout"),
        make_node("Relu", list(nodes[at].input), ["same 3"], name="extra twin"),
        make_node("Shape", [relu], ["sizes"], name="extra shape"),
        make_node("Relu", [relu], ["dead"]),
    ]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, folder / "rewritten.onnx")
    return folder / "rewritten.onnx"


def test_samples_of_the_wrong_shape_are_refused() -> None:
    need_models_and_onnx()
    path, graph = tflite("unet")
    onnx_path = FOLDER / "unet_digits.onnx"
    with pytest.raises(ModelError, match=r"samples of \[16, 16, 3\]"):
        correspond(onnx_path, graph, path, [np.zeros((2, 16, 16, 3))], TIMEOUT_S)
    with pytest.raises(ModelError, match="no samples"):
        correspond(onnx_path, graph, path, [np.zeros((0, 32, 32, 3))], TIMEOUT_S)
    with pytest.raises(ToolError, match="time limit"):
        correspond(onnx_path, graph, path, [np.zeros((1, 32, 32, 3))], 0.0)


def test_a_broken_onnx_file_is_a_sentence(tmp_path: Path) -> None:
    need_models_and_onnx()
    path, graph = tflite("unet")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model at all")
    with pytest.raises(SplitoptError, match=r"broken\.onnx in onnxruntime"):
        correspond(broken, graph, path, [calibration("unet")], TIMEOUT_S)

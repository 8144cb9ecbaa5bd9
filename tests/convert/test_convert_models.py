"""Real conversions: the four digits models, and a piece of two inputs and two outputs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import need_onnx_extra

from splitopt.base.errors import ModelError
from splitopt.convert.calibration import Preprocess
from splitopt.convert.convert import Conversion, ConversionRequest, convert_model
from splitopt.convert.onnx2tf_adapter import DEFAULT_COMMAND, convert
from splitopt.graph.tflite_reader import parse_tflite, read_tflite

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"


@pytest.fixture
def onnx() -> Any:
    need_onnx_extra()
    return pytest.importorskip("onnx", reason="ONNX input needs the onnx extra")


def request(model: Path, data: Path, cache: Path) -> ConversionRequest:
    return ConversionRequest(
        model, data, None, None, None, Preprocess(), DEFAULT_COMMAND, 300, cache, "job"
    )


def slow(*values: object) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("name", "least_db", "is_classifier"),
    [
        ("resnet8", 25, True),
        slow("unet", 40, False),
        slow("squeeze", 15, True),
        slow("mbv2", 10, True),
    ],
)
def test_a_model_is_converted_once_judged_and_kept(
    name: str,
    least_db: float,
    is_classifier: bool,
    converted: Callable[[str], Conversion],
    digits_request: Callable[[str], ConversionRequest],
) -> None:
    """Ops as in the earlier conversion of the same model; the second call takes no time."""
    first = converted(name)
    started = time.monotonic()
    second = convert_model(digits_request(name))
    assert time.monotonic() - started < 1
    assert second.from_cache  # the first one, too, where another process of this run was quicker
    assert (first.record, first.quality) == (second.record, second.quality)
    assert first.quality.sqnr_db > least_db
    assert first.quality.worst_litert_lsb <= 1
    assert (first.quality.top1_float is not None) == is_classifier
    if is_classifier:
        assert first.quality.top1_float is not None
        assert first.quality.top1_int8 == pytest.approx(first.quality.top1_float, abs=0.05)
    earlier = read_tflite(MODELS / f"{name}_digits_int8.tflite")
    assert [op.type for op in read_tflite(first.model).ops] == [op.type for op in earlier.ops]
    assert first.onnx is not None
    assert first.onnx.stat().st_size > 1000


def test_a_piece_of_two_inputs_and_two_outputs_keeps_their_order(
    own_interpreters: None, onnx: Any
) -> None:
    """The converter sorts inputs by name and reverses these outputs."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    rng = np.random.default_rng(0)

    def constant(name: str, *shape: int) -> Any:
        return onnx.numpy_helper.from_array(rng.normal(0, 0.2, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["zimage", "W"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["first"]),
        helper.make_node("MatMul", ["avector", "V"], ["m"]),
        helper.make_node("GlobalAveragePool", ["first"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Add", ["f", "m"], ["second"]),
    ]
    ends = {"zimage": [1, 8, 6, 6], "avector": [1, 16], "first": [1, 4, 6, 6], "second": [1, 4]}
    values = [helper.make_tensor_value_info(name, kind, shape) for name, shape in ends.items()]
    constants = [constant("W", 4, 8, 3, 3), constant("V", 16, 4)]
    graph = helper.make_graph(nodes, "g", values[:2], values[2:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    feeds = {
        "zimage": rng.normal(size=(8, 6, 6, 8)).astype(np.float32),
        "avector": rng.normal(size=(8, 16)).astype(np.float32),
    }
    made = convert(model.SerializeToString(), feeds)
    found = parse_tflite(made.tflite, name="piece")
    inputs = [found.tensors[tensor] for tensor in found.inputs]
    outputs = [found.tensors[tensor] for tensor in found.outputs]
    assert [tensor.shape for tensor in inputs] == [(1, 6, 6, 8), (1, 16)]
    assert [tensor.shape for tensor in outputs] == [(1, 6, 6, 4), (1, 4)]
    assert {tensor.dtype.name for tensor in (*inputs, *outputs)} == {"INT8"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("node", "says"),
    [
        ({"op_type": "Gelu", "opset": 20}, r"made of ONNX node .*odd"),
        ({"op_type": "Clip", "inputs": ["zero", "one"]}, ""),
        ({"op_type": "HardSigmoid", "alpha": 0.3}, ""),
    ],
)
def test_an_op_without_a_kernel_is_named_with_its_node(
    node: dict[str, Any], says: str, onnx: Any, tmp_path: Path
) -> None:
    helper, kind, opset = onnx.helper, onnx.TensorProto.FLOAT, node.pop("opset", 17)
    more = node.pop("inputs", [])
    nodes = [
        helper.make_node("Conv", ["x", "W"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node(node.pop("op_type"), ["c", *more], ["y"], name="odd", **node),
    ]
    weights = np.random.default_rng(0).normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32)
    constants = [
        onnx.numpy_helper.from_array(weights, "W"),
        onnx.numpy_helper.from_array(np.float32(0), "zero"),
        onnx.numpy_helper.from_array(np.float32(1), "one"),
    ]
    ends = {"x": [1, 3, 8, 8], "y": [1, 4, 8, 8]}
    values = [helper.make_tensor_value_info(name, kind, shape) for name, shape in ends.items()]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    path, data = tmp_path / "m.onnx", tmp_path / "d.npy"
    path.write_bytes(model.SerializeToString())
    np.save(data, np.random.default_rng(1).uniform(-1, 1, (10, 8, 8, 3)))
    asked = request(path, data, tmp_path / "cache")
    if says:
        with pytest.raises(ModelError, match=says):
            convert_model(asked)
        assert not (tmp_path / "cache").exists()
    else:
        assert convert_model(asked).quality.sqnr_db > 20

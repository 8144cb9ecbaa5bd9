"""Float .tflite → int8, and the order of inputs and outputs that a converter leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from ai_edge_litert.interpreter import Interpreter

from splitopt.base.errors import ModelError, ToolError, UsageError
from splitopt.convert.calibration import Preprocess
from splitopt.convert.convert import ConversionRequest, convert_model
from splitopt.convert.float_tflite import quantise_float
from splitopt.convert.onnx2tf_adapter import DEFAULT_COMMAND
from splitopt.convert.signature import in_order_of
from splitopt.graph.tflite_reader import parse_tflite

NO_QUANTISER = "float .tflite input needs the onnx extra"


def dense_model(signature: list[str] | None = None, batch: int = 1) -> bytes:
    """y0 = RELU(x0), y1 = LOGISTIC(x1), all float32 [batch, 8]; or, without a signature, y0 only.

    The file lists its outputs as (y1, y0).
    """
    pairs = 2 if signature else 1
    model = fb.ModelT()
    model.version, model.buffers = 3, [fb.BufferT()]
    graph = fb.SubGraphT()
    graph.tensors, graph.operators, model.operatorCodes = [], [], []
    for number in range(pairs):
        for stem in "xy":
            tensor = fb.TensorT()
            tensor.shape, tensor.type, tensor.buffer = [batch, 8], fb.TensorType.FLOAT32, 0
            tensor.name = f"{stem}{number}"
            graph.tensors.append(tensor)
        code = fb.OperatorCodeT()
        code.builtinCode = (fb.BuiltinOperator.RELU, fb.BuiltinOperator.LOGISTIC)[number]
        code.deprecatedBuiltinCode, code.version = code.builtinCode, 1
        model.operatorCodes.append(code)
        op = fb.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = number, [2 * number], [2 * number + 1]
        graph.operators.append(op)
    graph.inputs = [2 * number for number in range(pairs)]
    graph.outputs = [2 * number + 1 for number in reversed(range(pairs))]
    model.subgraphs = [graph]
    if signature:
        model.signatureDefs = [_signature(signature)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _signature(input_names: list[str]) -> Any:
    def entry(name: str, tensor: int) -> Any:
        made = fb.TensorMapT()
        made.name, made.tensorIndex = name, tensor
        return made

    signature = fb.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs = [entry(name, 2 * at) for at, name in enumerate(input_names)]
    signature.outputs = [entry("output_0", 1), entry("output_1", 3)]
    return signature


def samples(count: int = 40) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, 8)).astype(np.float32)


def test_inputs_and_outputs_are_put_in_the_order_of_the_onnx_model() -> None:
    """Of one shape, so that no check of sizes sees them change places."""
    made = in_order_of(dense_model(["a", "b"]), ["b", "a"])
    graph = parse_tflite(made, name="m")
    assert [graph.tensors[t].name for t in (*graph.inputs, *graph.outputs)] == [
        *("x1", "x0"),
        *("y0", "y1"),
    ]
    runner = Interpreter(model_content=made).get_signature_runner()
    assert [*runner.get_input_details()] == ["a", "b"]
    got = runner(a=np.full((1, 8), 2, np.float32), b=np.zeros((1, 8), np.float32))
    assert (got["output_0"] == 2).all()
    assert (got["output_1"] == 0.5).all()
    single = dense_model()
    assert in_order_of(single, ["whatever"]) is single
    assert in_order_of(made, ["b", "a"]) is made


def test_a_signature_of_other_inputs_is_refused() -> None:
    with pytest.raises(ToolError, match=r"names the inputs \['a', 'b'\]"):
        in_order_of(dense_model(["a", "b"]), ["a", "c"])
    with pytest.raises(ToolError, match="2 inputs from one of 1"):
        in_order_of(dense_model(["a", "b"]), ["a"])


def test_a_quantised_or_batched_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(dense_model(batch=2))
    with pytest.raises(ModelError, match="want FLOAT32 with a batch of 1"):
        quantise_float(path, [samples()])


def test_samples_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(dense_model())
    with pytest.raises(UsageError, match=r"want float32 \[N, 8\]"):
        quantise_float(path, [samples()[:, :4]])


def test_a_missing_quantiser_is_named(tmp_path: Path) -> None:
    try:
        import ai_edge_quantizer  # noqa: F401
    except ImportError:
        path = tmp_path / "m.tflite"
        path.write_bytes(dense_model())
        with pytest.raises(ToolError, match=r"pip install 'splitopt\[onnx\]'"):
            quantise_float(path, [samples()])
    else:
        pytest.skip("ai-edge-quantizer is there")


def test_the_range_is_that_of_all_samples(tmp_path: Path) -> None:
    """A moving average over the samples would forget an extreme of the first one."""
    pytest.importorskip("ai_edge_quantizer", reason=NO_QUANTISER)
    path = tmp_path / "m.tflite"
    path.write_bytes(dense_model())
    data = samples()
    data[0, 0], data[1, 1] = -4, 8
    graph = parse_tflite(quantise_float(path, [data]), name="m")
    source = graph.tensors[graph.inputs[0]]
    assert source.dtype.name == "INT8"
    assert source.quantization is not None
    assert source.quantization.scales[0] == pytest.approx(12 / 255, rel=0.01)


def test_a_float_tflite_is_quantised_once_and_judged(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_quantizer", reason=NO_QUANTISER)
    model, data = tmp_path / "m.tflite", tmp_path / "d.npy"
    model.write_bytes(dense_model())
    np.save(data, samples())
    request = ConversionRequest(
        model, data, None, None, None, Preprocess(), DEFAULT_COMMAND, 60, tmp_path / "c", "job"
    )
    first, second = convert_model(request), convert_model(request)
    assert (first.from_cache, second.from_cache) == (False, True)
    assert first.quality == second.quality
    assert first.quality.sqnr_db > 30
    assert first.quality.worst_litert_lsb <= 1
    assert (first.onnx, first.quality.samples) == (None, 8)

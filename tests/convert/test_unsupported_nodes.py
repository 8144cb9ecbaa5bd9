"""ONNX nodes that are refused before conversion, and those like them that are not."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import need_onnx_extra
from limits import seconds

from splitopt.base.errors import ModelError
from splitopt.convert.calibration import Preprocess
from splitopt.convert.convert import ConversionRequest, convert_model
from splitopt.convert.onnx2tf_adapter import DEFAULT_COMMAND
from splitopt.convert.onnx_external import Refusal
from splitopt.convert.source_worker import clean
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite


@pytest.fixture
def onnx() -> Any:
    need_onnx_extra()
    return pytest.importorskip("onnx", reason="ONNX input needs the onnx extra")


@pytest.fixture
def write(onnx: Any, tmp_path: Path) -> Callable[..., Path]:
    """x → nodes → y, with constants by name; Conv first, so that the node reads an activation."""

    def make(
        nodes: Sequence[Any],
        constants: dict[str, Any] | None = None,
        size: Sequence[int] = (1, 4, 8, 8),
        opset: int = 17,
    ) -> Path:
        helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
        result = helper.make_tensor_value_info("y", float32, None)
        graph = helper.make_graph(
            list(nodes),
            "g",
            [helper.make_tensor_value_info("x", float32, list(size))],
            [result],
            [
                onnx.numpy_helper.from_array(np.asarray(value), name)
                for name, value in (constants or {}).items()
            ],
        )
        imports = [helper.make_opsetid("", opset)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8 if opset < 20 else 10)
        path = tmp_path / "model.onnx"
        path.write_bytes(onnx.shape_inference.infer_shapes(model).SerializeToString())
        return path

    return make


def recurrent(onnx: Any, kind: str, gates: int) -> tuple[list[Any], dict[str, Any]]:
    make = onnx.helper.make_node
    weights = np.zeros((1, gates * 4, 4), np.float32)
    nodes = [
        make("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        make(kind, ["t", "W", "R"], ["s"], hidden_size=4, name=f"/net/{kind.lower()}"),
        make("Squeeze", ["s", "one"], ["y"]),
    ]
    return nodes, {"W": weights, "R": weights, "one": np.array([1], np.int64)}


@pytest.mark.parametrize(("kind", "gates"), [("GRU", 3), ("LSTM", 4), ("RNN", 1)])
def test_recurrent_nodes_are_refused_at_once(
    kind: str, gates: int, onnx: Any, write: Callable[..., Path]
) -> None:
    path = write(*recurrent(onnx, kind, gates), size=(1, 6, 4))
    started = time.process_time()
    with pytest.raises(Refusal) as caught:
        clean(path, {})
    assert time.process_time() - started < seconds(10)
    said = f"node '/net/{kind.lower()}' {kind} becomes control flow"
    assert said in str(caught.value)
    assert "unroll it over its time steps before export" in str(caught.value)
    assert ("UNIDIRECTIONAL_SEQUENCE_LSTM" in str(caught.value)) == (kind == "LSTM")


REFUSED = {
    "Pow": ({"e": np.float32(1.7)}, "POW", {}),
    "Exp": ({}, "EXP", {}),
    "Log": ({}, "LOG", {}),
    "Softplus": ({}, "EXP", {}),
    "Sqrt": ({}, "SQRT", {}),
    "ReduceL2": ({}, "SQRT", {"axes": [1]}),
    "LRN": ({}, "LOCAL_RESPONSE_NORMALIZATION", {"size": 3}),
    "LpPool": ({}, "is unknown to onnx2tf", {"kernel_shape": [2, 2]}),
    "Atan": ({}, "TensorFlow's own", {}),
}


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_nodes_without_a_kernel_are_refused_by_name(
    kind: str, onnx: Any, write: Callable[..., Path]
) -> None:
    constants, becomes, attributes = REFUSED[kind]
    make = onnx.helper.make_node
    nodes = [
        make("Relu", ["x"], ["a"]),
        make(kind, ["a", *constants], ["b"], name=f"/block/{kind}_1", **attributes),
        make(kind, ["b", *constants], ["y"], name=f"/block/{kind}_2", **attributes),
    ]
    with pytest.raises(Refusal) as caught:
        clean(write(nodes, constants), {})
    text = str(caught.value)
    assert f"node '/block/{kind}_1', '/block/{kind}_2' {kind} " in text
    assert becomes in text


def whole_power(onnx: Any) -> tuple[list[Any], dict[str, Any]]:
    make = onnx.helper.make_node
    return [make("Relu", ["x"], ["a"]), make("Pow", ["a", "e"], ["y"])], {"e": np.float32(2)}


def folded(onnx: Any) -> tuple[list[Any], dict[str, Any]]:
    """What reads constants only is folded, by whoever comes first."""
    make = onnx.helper.make_node
    constants = {"k": np.ones((1, 2, 1, 1), np.float32), "r": np.array([1, 2, 1, 1])}
    return [make("Tile", ["k", "r"], ["t"]), make("Mul", ["x", "t"], ["y"])], constants


def root_under_a_division(onnx: Any) -> tuple[list[Any], dict[str, Any]]:
    make = onnx.helper.make_node
    return [
        make("Relu", ["x"], ["a"]),
        make("Sqrt", ["a"], ["r"]),
        make("Div", ["x", "r"], ["y"]),
    ], {}


@pytest.mark.parametrize("made", [whole_power, folded, root_under_a_division])
def test_like_nodes_that_convert_are_let_through(
    made: Callable[..., Any], onnx: Any, write: Callable[..., Path]
) -> None:
    described, _ = clean(write(*made(onnx)), {})
    assert described["nodes"]


def converted(path: Path, folder: Path) -> ModelGraph:
    data = np.random.default_rng(0).uniform(0.1, 1, (10, 8, 8, 4)).astype(np.float32)
    np.savez(folder / "d.npz", a=data)
    request = ConversionRequest(
        onnx=path,
        data=folder / "d.npz",
        key="a",
        test_key=None,
        label_key=None,
        preprocess=Preprocess(),
        command=DEFAULT_COMMAND,
        time_limit_s=seconds(300),
        cache=folder / "cache",
        where="job",
    )
    return read_tflite(convert_model(request).model)


@pytest.mark.slow
def test_a_square_converts_to_mul(onnx: Any, write: Callable[..., Path], tmp_path: Path) -> None:
    """The exception that the table of Pow makes is what onnx2tf does."""
    made = converted(write(*whole_power(onnx)), tmp_path)
    assert {op.type for op in made.ops} <= {"RELU", "MUL", "SQUARE"}


@pytest.mark.slow
def test_a_kernel_that_refuses_its_op_is_the_models_fault_by_its_onnx_name(
    onnx: Any, write: Callable[..., Path], tmp_path: Path
) -> None:
    """A GridSample becomes GATHER_ND with positions of 64 bits, which TFLM does not take."""
    make = onnx.helper.make_node
    nodes = [make("Relu", ["x"], ["a"]), make("GridSample", ["a", "g"], ["y"], name="/root")]
    grid = np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 2)).astype(np.float32)
    with pytest.raises(ModelError, match=r"GATHER_ND .*ONNX node .*/root.* is not run by TFLM"):
        converted(write(nodes, {"g": grid}), tmp_path)


@pytest.mark.slow
def test_an_op_that_only_litert_lacks_is_converted(
    onnx: Any, write: Callable[..., Path], tmp_path: Path
) -> None:
    made = converted(write([onnx.helper.make_node("Elu", ["x"], ["y"])]), tmp_path)
    assert "ELU" in [op.type for op in made.ops]

"""What TFLM has no kernel for, rewritten: the same values in onnxruntime, and none of it left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import need_onnx_extra

from splitopt.convert.source_worker import clean

Case = tuple[list[Any], dict[str, Any]]
SHAPE = (1, 8, 6, 6)


@pytest.fixture(scope="module")
def onnx() -> Any:
    need_onnx_extra()
    return pytest.importorskip("onnx", reason="ONNX input needs the onnx extra")


def node(kind: str, inputs: str, outputs: str = "y", **attributes: Any) -> Any:
    from onnx import helper

    name = f"/net/{kind}/{outputs}"
    return helper.make_node(kind, inputs.split(), outputs.split(), name=name, **attributes)


def save(onnx: Any, case: Case, opset: int, path: Path) -> None:
    nodes, constants = case
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, SHAPE)],
        [helper.make_tensor_value_info("y", kind, None)],
        [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    imports = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8 if opset < 20 else 10)
    path.write_bytes(onnx.shape_inference.infer_shapes(model).SerializeToString())


def run(model: bytes, feed: np.ndarray) -> np.ndarray:
    import onnxruntime as ort

    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: feed})[0])


def f(value: float | Sequence[float]) -> np.ndarray:
    return np.array(value, np.float32)


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def gelu_as_exported() -> Case:
    nodes = [
        node("Div", "x root", "d"),
        node("Erf", "d", "e"),
        node("Add", "e one", "p"),
        node("Mul", "x p", "m"),
        node("Mul", "m half"),
    ]
    return nodes, {"root": f(1.4142135), "one": f(1), "half": f(0.5)}


def gelu_of_constant_nodes() -> Case:
    """As the TorchScript exporter writes it."""
    nodes, constants = gelu_as_exported()
    numbers = {name: float(values) for name, values in constants.items()}
    [*first, last] = [node("Constant", "", name, value_float=v) for name, v in numbers.items()]
    tensor = node("Constant", "", last.output[0], value=as_tensor(constants[last.output[0]]))
    return [*first, tensor, *nodes], {}


def as_tensor(values: np.ndarray) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(values)


def square_of_constant_nodes() -> Case:
    """With a whole exponent, and a list of integers for what reads one."""
    axes = node("Constant", "", "wide", value_ints=[1, 4, 2, 36])
    two = node("Constant", "", "two", value_floats=[2.0])
    return [axes, two, node("Reshape", "x wide", "r"), node("Pow", "r two")], {}


def gelu_half_first() -> Case:
    nodes = [
        node("Mul", "x root", "d"),
        node("Erf", "d", "e"),
        node("Add", "one e", "p"),
        node("Mul", "half x", "h"),
        node("Mul", "p h"),
    ]
    return nodes, {"root": f(0.70710677), "one": f([1]), "half": f(0.5)}


def gelu_of_tanh() -> Case:
    nodes = [
        node("Pow", "x three", "c"),
        node("Mul", "c k", "k1"),
        node("Add", "x k1", "k2"),
        node("Mul", "k2 s", "k3"),
        node("Tanh", "k3", "t"),
        node("Add", "t one", "p"),
        node("Mul", "x p", "m"),
        node("Div", "m two"),
    ]
    constants = {"three": 3, "k": 0.044715, "s": 0.7978845608, "one": 1, "two": 2}
    return nodes, {name: f(value) for name, value in constants.items()}


def mish_as_exported() -> Case:
    return [node("Softplus", "x", "s"), node("Tanh", "s", "t"), node("Mul", "x t")], {}


def hard_swish_as_exported() -> Case:
    return [node("HardSigmoid", "x", "g", alpha=1 / 6, beta=0.5), node("Mul", "x g")], {}


def layer_norm_by_reciprocal() -> Case:
    nodes = [
        node("ReduceMean", "x", "m", axes=[1]),
        node("Sub", "x m", "d"),
        node("Mul", "d d", "q"),
        node("ReduceMean", "q", "v", axes=[1]),
        node("Add", "v eps", "e"),
        node("Sqrt", "e", "s"),
        node("Reciprocal", "s", "r"),
        node("Mul", "d r", "n"),
        node("Mul", "n k"),
    ]
    return nodes, {"eps": f(1e-5), "k": weights(8, 1, 1)}


def channel_shuffle() -> Case:
    nodes = [
        node("Reshape", "x wide", "r"),
        node("Transpose", "r", "t", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "t back"),
    ]
    return nodes, {"wide": np.array([1, 4, 2, 6, 6]), "back": np.array(SHAPE)}


def pixel_shuffle_of_a_conv() -> Case:
    nodes = [
        node("Conv", "x w b", "c", kernel_shape=[1, 1]),
        node("DepthToSpace", "c", blocksize=2, mode="CRD"),
    ]
    return nodes, {"w": weights(12, 8, 1, 1), "b": weights(12)}


def alone(kind: str, *constants: Any, **attributes: Any) -> Callable[[], Case]:
    names = [f"k{at}" for at in range(len(constants))]
    return lambda: (
        [node(kind, " ".join(["x", *names]), **attributes)],
        dict(zip(names, constants, strict=True)),
    )


# What is rewritten → opset, the model, operators that must be gone, largest error.
CASES: dict[str, tuple[int, Callable[[], Case], str, float]] = {
    "gelu": (20, alone("Gelu"), "Gelu Erf", 3e-5),
    "gelu, tanh": (20, alone("Gelu", approximate="tanh"), "Gelu Erf", 1e-5),
    "gelu as exported": (17, gelu_as_exported, "Erf Div", 3e-5),
    "gelu of constant nodes": (13, gelu_of_constant_nodes, "Constant Erf Div", 3e-5),
    "square of constant nodes": (13, square_of_constant_nodes, "Constant", 1e-6),
    "gelu, half first": (13, gelu_half_first, "Erf", 3e-5),
    "gelu of tanh": (17, gelu_of_tanh, "Tanh Div", 1e-5),
    "erf": (17, alone("Erf"), "Erf", 1.1e-4),
    "mish": (18, alone("Mish"), "Mish Softplus", 5e-6),
    "mish as exported": (17, mish_as_exported, "Softplus Tanh", 5e-6),
    "hard swish as exported": (14, hard_swish_as_exported, "HardSigmoid Mul", 5e-6),
    "celu": (17, alone("Celu"), "Celu", 1e-6),
    "celu, alpha": (17, alone("Celu", alpha=0.4), "Celu", 2e-6),
    "selu": (17, alone("Selu"), "Selu", 2e-6),
    "elu, alpha": (17, alone("Elu", alpha=1.7), "", 2e-6),
    "layer norm": (17, alone("LayerNormalization", weights(8, 6, 6), weights(8, 6, 6), axis=1),
                   "LayerNormalization", 1e-5),
    "layer norm without bias": (18, alone("LayerNormalization", weights(6, 6), axis=-2),
                                "LayerNormalization", 1e-5),
    "layer norm by reciprocal": (17, layer_norm_by_reciprocal, "Reciprocal", 1e-5),
    "group norm of groups": (18, alone("GroupNormalization", weights(2), weights(2), num_groups=2),
                             "GroupNormalization", 1e-5),
    "group norm": (21, alone("GroupNormalization", weights(8), weights(8), num_groups=4),
                   "GroupNormalization", 1e-5),
    "tile": (17, alone("Tile", np.array([1, 2, 1, 3])), "Tile", 0),
    "channel shuffle": (17, channel_shuffle, "Transpose Reshape", 0),
    "pixel shuffle": (17, alone("DepthToSpace", blocksize=2, mode="CRD"), "", 0),
    "pixel shuffle of a conv": (17, pixel_shuffle_of_a_conv, "Gather", 1e-6),
    "gather": (17, alone("Gather", np.array([3, 1, 2]), axis=1), "", 0),
    "transposed conv without a kernel": (17, alone("ConvTranspose", weights(8, 4, 2, 2)), "", 1e-6),
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_rewritten_nodes_give_the_same_values(what: str, onnx: Any, tmp_path: Path) -> None:
    opset, build, gone, tolerance = CASES[what]
    path = tmp_path / "model.onnx"
    save(onnx, build(), opset, path)
    feed = np.linspace(-9, 9, int(np.prod(SHAPE)), dtype=np.float32)
    feed = np.random.default_rng(0).permutation(feed).reshape(SHAPE)
    _, data = clean(path, {})
    nodes = onnx.load_from_string(data).graph.node
    assert not {*gone.split()} & {own.op_type for own in nodes}
    assert all(own.name for own in nodes)
    np.testing.assert_allclose(
        run(data, feed), run(path.read_bytes(), feed), atol=tolerance, rtol=1e-5
    )
    if what == "pixel shuffle":
        [mode] = [a.s for own in nodes for a in own.attribute if a.name == "mode"]
        assert mode == b"DCR"
    if what in ("gather", "pixel shuffle"):
        kinds = {i.name: i.data_type for i in onnx.load_from_string(data).graph.initializer}
        [gather] = [own for own in nodes if own.op_type == "Gather"]
        assert kinds[gather.input[1]] == onnx.TensorProto.INT32
    if what.startswith("transposed"):
        assert [a.name for a in nodes[0].attribute].count("kernel_shape") == 1


def test_what_was_rewritten_is_told_once_for_each(onnx: Any, tmp_path: Path) -> None:
    """An Erf beside a GELU of nodes, and a HardSigmoid that something else reads."""
    nodes, constants = gelu_as_exported()
    nodes[-1].output[0] = "g"
    nodes += [
        node("HardSigmoid", "g", "h"),
        node("Mul", "g h", "k"),
        node("Add", "k h", "l"),
        node("Erf", "l"),
    ]
    path = tmp_path / "model.onnx"
    save(onnx, (nodes, constants), 17, path)
    described, _ = clean(path, {})
    assert described["rewritten"] == {"Erf": 1, "HardSigmoid": 1, "GELU of several nodes": 1}

"""Untrusted ONNX files: what is refused, in which words, and what a sound one becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import need_onnx_extra
from limits import seconds

from splitopt.base.errors import ModelError
from splitopt.convert.source import OnnxModel, read_onnx
from splitopt.runtime.worker_process import run_worker


@pytest.fixture
def onnx() -> Any:
    need_onnx_extra()
    return pytest.importorskip("onnx", reason="ONNX input needs the onnx extra")


@pytest.fixture
def write(onnx: Any, tmp_path: Path) -> Callable[..., Path]:
    """Writes a model from x to y, whose sizes and element type can be chosen."""

    def make(
        nodes: Sequence[Any],
        *,
        size: Sequence[object] = (1, 3, 4, 4),
        out: Sequence[object] | None = None,
        type_: str = "FLOAT",
        constants: Sequence[Any] = (),
        opset: int = 17,
        change: Callable[[Any], None] = lambda _: None,
    ) -> Path:
        helper, kind = onnx.helper, getattr(onnx.TensorProto, type_)
        graph = helper.make_graph(
            list(nodes),
            "g",
            [helper.make_tensor_value_info("x", kind, list(size))],
            [helper.make_tensor_value_info("y", kind, list(size if out is None else out))],
            list(constants),
        )
        imports = [helper.make_opsetid("", opset)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        change(model)
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return make


def refusal(path: Path) -> str:
    """The one sentence; nothing may be left beside the model."""
    before = sorted(path.parent.iterdir())
    with pytest.raises(ModelError) as caught:
        read_onnx(path)
    assert sorted(path.parent.iterdir()) == before
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def run_float(model: OnnxModel, folder: Path, feed: np.ndarray) -> np.ndarray:
    path = folder / "clean.onnx"
    path.write_bytes(model.data)
    request = {"kind": "run", "file": str(path), "keep": [model.outputs[0].name]}
    feeds = {model.inputs[0].name: feed}
    reply = run_worker(
        "splitopt.convert.onnx_worker", request, feeds, timeout_s=seconds(60), memory_bytes=4 << 30
    )
    return reply.arrays[model.outputs[0].name]


def test_a_fixed_batch_above_one_is_refused(onnx: Any, write: Callable[..., Path]) -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    assert "'x': a batch of 4" in refusal(write([node], size=(4, 3, 4, 4)))


def test_inputs_that_are_not_float_are_refused(onnx: Any, write: Callable[..., Path]) -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    assert "want FLOAT (32 bits)" in refusal(write([node], type_="FLOAT16"))


def test_an_output_whose_shape_depends_on_the_data_is_refused(
    onnx: Any, write: Callable[..., Path]
) -> None:
    def integers(model: Any) -> None:
        model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64

    node = onnx.helper.make_node("NonZero", ["x"], ["y"])
    path = write([node], size=(1, 3), out=(2, "found"), change=integers)
    assert "'y': its shape depends on the data" in refusal(path)


def test_control_flow_is_refused(onnx: Any, write: Callable[..., Path]) -> None:
    helper = onnx.helper
    body = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["inner"])],
        "body",
        [],
        [helper.make_tensor_value_info("inner", onnx.TensorProto.FLOAT, [1, 3, 4, 4])],
    )
    always = onnx.numpy_helper.from_array(np.array(True), "always")
    node = helper.make_node("If", ["always"], ["y"], name="n", then_branch=body, else_branch=body)
    assert "node 'n': If is control flow" in refusal(write([node], constants=[always]))


def external(onnx: Any, place: str, **keys: int) -> Any:
    weights = onnx.numpy_helper.from_array(np.ones(4, np.float32), "w")
    onnx.external_data_helper.set_external_data(weights, location=place, **keys)
    weights.ClearField("raw_data")
    return weights


def test_weights_beside_the_model_are_read_and_remembered(
    onnx: Any, write: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "w.bin").write_bytes(np.full(4, 2.0, np.float32).tobytes())
    node = onnx.helper.make_node("Mul", ["x", "w"], ["y"])
    model = read_onnx(write([node], constants=[external(onnx, "w.bin", offset=0, length=16)]))
    assert list(model.external) == ["w.bin"]
    feed = np.ones((2, 1, 3, 4, 4), np.float32)
    np.testing.assert_array_equal(run_float(model, tmp_path, feed), 2 * feed)


@pytest.mark.parametrize(
    ("place", "length", "says"),
    [
        ("w.bin", 400, "is shorter than the model says"),
        ("absent.bin", 16, "'absent.bin' is missing"),
        ("../up.bin", 16, "is outside the folder"),
        ("link.bin", 16, "is outside the folder"),
    ],
)
def test_weights_elsewhere_or_not_whole_are_refused(
    place: str, length: int, says: str, onnx: Any, write: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(16))
    (tmp_path / "link.bin").symlink_to("/etc/hostname")
    weights = external(onnx, place, offset=0, length=length)
    node = onnx.helper.make_node("Mul", ["x", "w"], ["y"])
    assert says in refusal(write([node], constants=[weights]))
    constant = onnx.helper.make_node("Constant", [], ["w"], value=weights)
    assert says in refusal(write([constant, node]))


def test_functions_of_the_models_own_are_unfolded(onnx: Any, write: Callable[..., Path]) -> None:
    helper = onnx.helper

    def with_function(model: Any) -> None:
        body = [helper.make_node("Relu", ["a"], ["b"])]
        imports = [helper.make_opsetid("", 17)]
        model.functions.append(helper.make_function("pkg", "Twice", ["a"], ["b"], body, imports))
        model.opset_import.append(helper.make_opsetid("pkg", 1))

    node = helper.make_node("Twice", ["x"], ["y"], domain="pkg")
    assert [n.type for n in read_onnx(write([node], change=with_function)).nodes] == ["Relu"]


@pytest.mark.parametrize("opset", [9, 17])
def test_hard_sigmoid_keeps_its_values_without_the_op(
    opset: int, onnx: Any, write: Callable[..., Path], tmp_path: Path
) -> None:
    node = onnx.helper.make_node("HardSigmoid", ["x"], ["y"], alpha=0.3, beta=0.4)
    model = read_onnx(write([node], opset=opset))
    assert "HardSigmoid" not in {node.type for node in model.nodes}
    feed = np.linspace(-4, 4, 48, dtype=np.float32).reshape(1, 1, 3, 4, 4)
    want = np.clip(0.3 * feed + 0.4, 0, 1)
    np.testing.assert_allclose(run_float(model, tmp_path, feed), want, atol=1e-6)


def test_a_hard_swish_in_two_nodes_becomes_one(
    onnx: Any, write: Callable[..., Path], tmp_path: Path
) -> None:
    nodes = [
        onnx.helper.make_node("HardSigmoid", ["x"], ["g"], alpha=1 / 6, beta=0.5),
        onnx.helper.make_node("Mul", ["g", "x"], ["y"]),
    ]
    model = read_onnx(write(nodes))
    assert [node.type for node in model.nodes] == ["HardSwish"]
    feed = np.linspace(-4, 4, 48, dtype=np.float32).reshape(1, 1, 3, 4, 4)
    want = feed * np.clip(feed / 6 + 0.5, 0, 1)
    np.testing.assert_allclose(run_float(model, tmp_path, feed), want, atol=1e-5)


def test_an_open_batch_reaches_the_outputs(onnx: Any, write: Callable[..., Path]) -> None:
    node = onnx.helper.make_node("Flatten", ["x"], ["y"])
    model = read_onnx(write([node], size=("N", 3, 4, 4), out=("N", 48)))
    assert [value.shape for value in model.outputs] == [(1, 48)]


def test_names_that_collide_when_made_plain_stay_apart(
    onnx: Any, write: Callable[..., Path], tmp_path: Path
) -> None:
    nodes = [
        onnx.helper.make_node("Relu", ["x"], ["a.b"]),
        onnx.helper.make_node("Sigmoid", ["x"], ["a/b"]),
        onnx.helper.make_node("Add", ["a.b", "a/b"], ["y"]),
    ]
    model = read_onnx(write(nodes))
    assert sorted(model.renamed.values()) == ["a.b", "a/b"]
    feed = np.full((1, 1, 3, 4, 4), -1.0, np.float32)
    want = 1 / (1 + np.exp(1.0))
    np.testing.assert_allclose(run_float(model, tmp_path, feed), np.full_like(feed, want), 1e-5)

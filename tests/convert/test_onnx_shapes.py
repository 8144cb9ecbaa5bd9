"""Open axes of ONNX inputs, what a job says of them, and shapes in files that no longer hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import need_onnx_extra

from splitopt.base.errors import UsageError
from splitopt.config.given import Given
from splitopt.config.job import job_of, read_job
from splitopt.convert.calibration import Preprocess
from splitopt.convert.model_samples import DataFiles, InputData, sizes_of_samples
from splitopt.convert.onnx_external import Refusal
from splitopt.convert.onnx_shapes import open_text
from splitopt.convert.source_worker import clean
from splitopt.workflows.init import init


@pytest.fixture(scope="module")
def onnx() -> Any:
    need_onnx_extra()
    return pytest.importorskip("onnx", reason="ONNX input needs the onnx extra")


def write(
    onnx: Any,
    folder: Path,
    inputs: Mapping[str, Sequence[object] | None],
    nodes: Sequence[Any],
    outputs: Mapping[str, Sequence[object] | None],
    stated: Mapping[str, Sequence[int]] | None = None,
) -> Path:
    """`stated`: what the file says of inner tensors."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT

    def infos(shapes: Mapping[str, Sequence[object] | None]) -> list[Any]:
        return [helper.make_tensor_value_info(name, kind, s) for name, s in shapes.items()]

    weights = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        list(nodes),
        "g",
        infos(inputs),
        infos(outputs),
        [onnx.numpy_helper.from_array(weights, "w")],
        value_info=infos(stated or {}),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


OPEN = {
    "image": ("batch_size", 3, "height", "width"),
    "input.1": ("batch_size", 3, None, 8),
    "fixed": (1, 3, 6, 8),
}
SHAPES = {"image": (1, 3, 6, 8), "input.1": (1, 3, 6, 8)}


@pytest.fixture
def open_axes(onnx: Any, tmp_path: Path) -> Path:
    """Two inputs of open axes, one of fixed ones, and shapes that held for another size."""
    make = onnx.helper.make_node
    nodes = [
        make("Add", ["image", "input.1"], ["sum"]),
        make("Add", ["sum", "fixed"], ["sum2"]),
        make("Conv", ["sum2", "w"], ["conv"]),
        make("GlobalAveragePool", ["conv"], ["pool"]),
        make("Flatten", ["pool"], ["y"]),
    ]
    return write(onnx, tmp_path, OPEN, nodes, {"y": (8, 4)}, {"conv": (8, 4, 30, 30)})


def test_a_refusal_names_every_open_axis_and_the_line_that_a_job_takes(open_axes: Path) -> None:
    with pytest.raises(Refusal) as caught:
        clean(open_axes, {})
    said = str(caught.value)
    assert "input 'image' is [1, 3, height, width]; input 'input.1' is [1, 3, ?, 8]" in said
    assert "'fixed'" not in said
    assert "--input-shape image=1,3,height,width --input-shape 'input.1=1,3,?,8'" in said
    line = said[said.index("input_shapes: ") :]
    assert line == 'input_shapes: {image: [1, 3, height, width], "input.1": [1, 3, ?, 8]}'


def test_the_line_with_numbers_in_it_is_what_a_job_takes(open_axes: Path) -> None:
    job = job_of(
        open_axes.parent / "job.yaml",
        {"model": {"path": "model.onnx", "input_shapes": SHAPES}, "board": "corstone300_256k"},
    )
    assert job.spec.input_shapes == SHAPES
    described, _ = clean(open_axes, job.spec.input_shapes)
    assert [value["shape"] for value in described["inputs"]] == [[1, 3, 6, 8]] * 3


def test_shapes_that_held_for_another_size_are_inferred_anew(onnx: Any, open_axes: Path) -> None:
    described, data = clean(open_axes, SHAPES)
    assert [value["shape"] for value in described["outputs"]] == [[1, 4]]
    graph = onnx.load_from_string(data).graph
    inner = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in graph.value_info
    }
    assert inner["conv"] == [1, 4, 4, 6]


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        ({"imgae": (1, 3, 6, 8)}, "no input 'imgae'; the model's are 'image', 'input.1', 'fixed'"),
        ({"fixed": (1, 3, 9, 8)}, "got [1, 3, 9, 8], want [1, 3, 6, 8] as the model has it"),
        ({"image": (1, 6, 8)}, "got [1, 6, 8], want [batch_size, 3, height, width]"),
        ({**SHAPES, "image": (2, 3, 6, 8)}, "'image': a batch of 2"),
        ({**SHAPES, "image": (1, 3, 7, 8)}, "the ONNX checker refuses it"),
    ],
)
def test_shapes_that_do_not_fit_the_model_are_refused(
    shapes: Mapping[str, Sequence[int]], says: str, open_axes: Path
) -> None:
    with pytest.raises(Refusal) as caught:
        clean(open_axes, shapes)
    assert says in str(caught.value)


def test_an_input_without_any_shape_takes_the_one_of_the_job(onnx: Any, tmp_path: Path) -> None:
    relu = onnx.helper.make_node("Relu", ["x"], ["y"])
    path = write(onnx, tmp_path, {"x": None}, [relu], {"y": None})
    with pytest.raises(Refusal, match=r"input 'x' is \[\.\.\.\]"):
        clean(path, {})
    described, _ = clean(path, {"x": (1, 3, 4, 4)})
    assert described["outputs"] == [{"name": "y", "shape": [1, 3, 4, 4]}]


def test_the_command_line_takes_shapes_too() -> None:
    found = Given(input_shapes=("a=b=1,3,6,8", "x=1,5")).over({})["input_shapes"]
    assert found == {"a=b": [1, 3, 6, 8], "x": [1, 5]}
    with pytest.raises(UsageError, match="--input-shape: got 'x=1,h', want the input's name"):
        Given(input_shapes=("x=1,h",)).over({})


def test_a_job_refuses_a_size_that_is_none(tmp_path: Path) -> None:
    keys = {"model": {"path": "m.onnx"}, "board": "corstone300_256k"}
    with pytest.raises(UsageError, match="input_shapes"):
        job_of(tmp_path / "job.yaml", {**keys, "input_shapes": {"x": [1, 0]}})


@pytest.mark.parametrize(
    ("shape", "axes", "sizes"),
    [
        ((4, 3, 96, 64), [1, 3, "h", "w"], (1, 3, 96, 64)),
        ((4, 96, 64, 3), [1, 3, "h", "w"], (1, 3, 96, 64)),
        ((4, 1, 96, 64, 3), [1, 3, "h", "w"], (1, 3, 96, 64)),
        ((4, 96, 64, 5), [1, 3, "h", "w"], None),
        ((4, 7), [1, "n"], (1, 7)),
        ((4, 7), [1, 3, "h", "w"], None),
    ],
)
def test_samples_tell_the_sizes_of_open_axes(
    shape: tuple[int, ...], axes: list[int | str], sizes: tuple[int, ...] | None, tmp_path: Path
) -> None:
    np.save(tmp_path / "d.npy", np.zeros(shape, np.float32))
    data = DataFiles(tmp_path / "d.npy", InputData(None, None, Preprocess()), None, {}, "job")
    assert sizes_of_samples(data, {"x y": axes}) == ({} if sizes is None else {"x y": sizes})
    said = open_text({"x y": axes}, {} if sizes is None else {"x y": sizes})
    typed = ",".join(map(str, sizes or axes))
    assert f"type --input-shape 'x y={typed}'" in said
    assert ("with numbers for" in said) == (sizes is None)


def test_init_fills_in_what_the_samples_tell_and_lists_what_they_do_not(
    onnx: Any, tmp_path: Path
) -> None:
    relu = onnx.helper.make_node("Relu", ["x"], ["y"])
    path = write(onnx, tmp_path, {"x": ("b", 3, "h", "w")}, [relu], {"y": None})
    bare = init(path, Given(), out=tmp_path / "bare.yaml")
    said = bare.read_text()
    assert "input_shapes: {x: [1, 3, h, w]}" in said
    assert "numbers for h, w" in said
    assert "# assumed; " in said
    assert read_job(bare).spec.input_shapes == {}
    np.save(tmp_path / "d.npy", np.zeros((4, 3, 8, 6), np.float32))
    given = Given(board="corstone300_64k", calibration=str(tmp_path / "d.npy"))
    spec = read_job(init(path, given, out=tmp_path / "filled.yaml")).spec
    assert spec.input_shapes == {"x": (1, 3, 8, 6)}
    assert spec.preprocess.layout == "nchw"
    np.save(tmp_path / "d.npy", np.zeros((4, 8, 6, 3), np.float32))
    spec = read_job(init(path, given, out=tmp_path / "last.yaml")).spec
    assert (spec.input_shapes, spec.preprocess.layout) == ({"x": (1, 3, 8, 6)}, "nhwc")

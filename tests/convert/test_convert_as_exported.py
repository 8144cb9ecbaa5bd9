"""One real conversion of a model as people have it: free axes, two inputs, odd names, a GELU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import need_onnx_extra
from limits import seconds
from onnx_routes import made_with

from splitopt.config.job import Job, job_of
from splitopt.convert.cut_names import cut_names
from splitopt.convert.open_model import ModelSource, open_model

COUNT = 24


def film(onnx: Any) -> Any:
    """An image whose channels are scaled by what a vector says; names as exporters make them."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    random = np.random.default_rng(5)

    def weights(*shape: int) -> np.ndarray:
        values = random.standard_normal(shape) * 1.5 / np.sqrt(np.prod(shape[1:]))
        return values.astype(np.float32)

    constants = {
        "onnx::Conv_19": weights(8, 3, 3, 3),
        "film.weight": weights(8, 6),
        "film.bias": weights(8),
        "head.weight": weights(4, 8),
        "wide": np.array([1, 8, 1, 1]),
        **{name: np.float32(v) for name, v in (("root", 2**0.5), ("one", 1), ("half", 0.5))},
    }
    make = helper.make_node
    nodes = [
        make("Conv", ["img:0", "onnx::Conv_19"], ["/enc/Conv_output_0"], name="", strides=[2, 2]),
        make("Div", ["/enc/Conv_output_0", "root"], ["d"], name="/act/Div"),
        make("Erf", ["d"], ["e"], name="/act/Erf"),
        make("Add", ["e", "one"], ["p"], name="same"),
        make("Mul", ["/enc/Conv_output_0", "p"], ["m"], name="same"),
        make("Mul", ["m", "half"], ["gelu out"], name="größe"),
        make("Gemm", ["mask", "film.weight", "film.bias"], ["_k"], name="_film", transB=1),
        make("Reshape", ["_k", "wide"], ["k4"], name="r" * 300),
        make("Mul", ["gelu out", "k4"], ["scaled"], name="/film/Mul"),
        make("GlobalAveragePool", ["scaled"], ["pool"], name="/pool"),
        make("Flatten", ["pool"], ["flat"], name="/flatten"),
        make("Gemm", ["flat", "head.weight"], ["logits"], name="/head/Gemm", transB=1),
    ]
    inputs = {"mask": ["batch", 6], "img:0": ["batch", 3, "height", "width"]}
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("logits", kind, [32, 4])],
        [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
        value_info=[helper.make_tensor_value_info("/enc/Conv_output_0", kind, [32, 8, 111, 111])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    need_onnx_extra()
    onnx = pytest.importorskip("onnx", reason="ONNX input needs the onnx extra")
    folder, random = tmp_path_factory.mktemp("film"), np.random.default_rng(6)
    (folder / "film.onnx").write_bytes(film(onnx).SerializeToString())
    np.savez(
        folder / "d.npz",
        pixels=random.integers(0, 255, (COUNT, 17, 25, 3)).astype(np.uint8),
        mask=random.standard_normal((COUNT, 6)).astype(np.float32),
    )
    image = {"key": "pixels", "preprocess": {"mean": [127.5], "std": [127.5]}}
    keys = {
        "model": {"path": "film.onnx"},
        "route": "pieces",
        "board": "corstone300_256k",
        "input_shapes": {"img:0": [1, 3, 17, 25]},
        "calibration": {"path": "d.npz", "inputs": {"img:0": image}},
        "convert": {"cache": "cache", "time_limit_s": seconds(300)},
    }
    return job_of(folder / "job.yaml", keys)


@pytest.fixture(scope="module")
def source(job: Job) -> ModelSource:
    return open_model(job)


def test_it_becomes_int8_ops_of_tflm_with_both_inputs(source: ModelSource) -> None:
    conversion, graph = source.conversion, source.graph
    assert conversion is not None
    shapes = [graph.tensors[tensor].shape for tensor in graph.inputs]
    assert conversion.record["inputs"] == ["mask", "img:0"]  # the converter sorts them
    assert shapes == [(1, 6), (1, 17, 25, 3)]
    assert {graph.tensors[t].dtype.name for t in (*graph.inputs, *graph.outputs)} == {"INT8"}
    assert "LOGISTIC" in {op.type for op in graph.ops}
    assert conversion.quality.sqnr_db > 25
    assert conversion.record["onnx"]["notes"] == [
        "the open batch size was set to 1",
        "rewritten in operators that TFLM has kernels for: 1 GELU of several nodes",
    ]


def test_reports_and_cuts_have_the_names_of_the_users_file(source: ModelSource) -> None:
    names = source.names
    assert names is not None
    cuts = cut_names(source.graph, names)
    assert {"/enc/Conv_output_0", "gelu out", "scaled"} <= cuts.keys()
    told = {name for op in names.ops for name in op.onnx_nodes}
    assert {"Conv:/enc/Conv_output_0", "_film", "/film/Mul", "/head/Gemm"} <= told


def test_its_pieces_are_calibrated_on_what_each_reads(
    job: Job, source: ModelSource, tmp_path: Path
) -> None:
    """The first has the vector, the second the image and what the first made of the vector."""
    planned, made, judgement = made_with(job, tmp_path, [1])
    vector, rest = (segment.figures.segment for segment in planned.plan.segments)
    assert source.conversion is not None
    own = dict(zip(source.conversion.record["inputs"], source.graph.inputs, strict=True))
    assert vector.inputs == (own["mask"],)
    assert {*rest.inputs} == {own["img:0"], *vector.outputs}
    assert len(made.graphs) == 2
    assert judgement.pieces.worst_lsb <= 1
    assert judgement.pieces.sqnr_db > 25
    assert {check.status.value for check in judgement.checks} == {"passed"}

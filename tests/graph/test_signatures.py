"""Models of several signatures: each is planned alone, in a file of its own that runs the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from ai_edge_litert.interpreter import Interpreter
from models import several_signatures

import splitopt
from splitopt.base.errors import ModelError, UsageError
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.runtime.model_builder import packed


def test_a_choice_that_is_not_made_names_the_signatures() -> None:
    says = "2 signatures .'once', 'twice'., .* choose one in a job, such as model.signature: once"
    with pytest.raises(ModelError, match=says):
        parse_tflite(several_signatures(), name="m")
    says = "model.signature 'thrice' is none of its signatures .'once', 'twice'."
    with pytest.raises(ModelError, match=says):
        parse_tflite(several_signatures(), name="m", signature="thrice")


@pytest.mark.parametrize(("name", "ops"), [("once", 1), ("twice", 2)])
def test_a_signature_alone_computes_what_it_did(name: str, ops: int) -> None:
    graph = parse_tflite(several_signatures(), name="m", signature=name)
    assert graph.is_part
    assert [op.type for op in graph.ops] == ["ADD"] * ops
    again = parse_tflite(graph.source, name="m")
    assert (again, again.is_part) == (graph, False)
    feed = np.arange(4 * ops, dtype=np.float32)[None]
    whole = Interpreter(model_content=several_signatures()).get_signature_runner(name)
    [wanted] = whole(**dict.fromkeys(whole.get_input_details(), feed)).values()
    alone = Interpreter(model_content=graph.source)
    alone.allocate_tensors()
    alone.set_tensor(alone.get_input_details()[0]["index"], feed)
    alone.invoke()
    made = alone.get_tensor(alone.get_output_details()[0]["index"])
    assert made.tobytes() == wanted.tobytes()


def test_only_the_constants_of_the_signature_are_kept() -> None:
    graph = parse_tflite(several_signatures(), name="m", signature="once")
    buffers = fb.ModelT.InitFromPackedBuf(graph.source).buffers
    assert sum(0 if b.data is None else len(b.data) for b in buffers) == 16


def test_one_model_of_several_names_needs_no_choice() -> None:
    model = fb.ModelT.InitFromPackedBuf(several_signatures())
    for entry in model.signatureDefs:
        entry.subgraphIndex = 1
    assert len(parse_tflite(packed(model), name="m").ops) == 2


def test_without_signatures_the_first_subgraph_is_run_as_tflm_runs_it() -> None:
    model = fb.ModelT.InitFromPackedBuf(several_signatures())
    model.signatureDefs = None
    assert len(parse_tflite(packed(model), name="m").ops) == 1


def test_a_job_plans_and_proves_the_signature_that_it_names(tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro")
    path = tmp_path / "two.tflite"
    path.write_bytes(several_signatures())
    spec = {
        "model": {"path": "two.tflite", "signature": "twice"},
        "board": "corstone300_64k",
        "convert": {"cache": "cache"},
    }
    (tmp_path / "job.yaml").write_text(json.dumps(spec), encoding="utf-8")
    run = splitopt.run(tmp_path / "job.yaml", out=tmp_path / "out")
    graph = read_tflite(run.folder / "pieces" / "00.tflite")
    assert [tensor.shape for tensor in map(graph.tensors.__getitem__, graph.inputs)] == [(1, 8)]


def test_a_signature_of_a_model_to_convert_is_refused(tmp_path: Path) -> None:
    spec = {
        "model": {"path": "two.onnx", "signature": "twice"},
        "board": "corstone300_64k",
        "calibration": {"path": "data.npz", "key": "x"},
    }
    (tmp_path / "job.yaml").write_text(json.dumps(spec), encoding="utf-8")
    with pytest.raises(UsageError, match=r"model\.signature: want it with an int8 \.tflite"):
        splitopt.plan(tmp_path / "job.yaml")


def test_shapes_of_inputs_are_for_onnx_models(tmp_path: Path) -> None:
    spec = {
        "model": {"path": "two.tflite"},
        "board": "corstone300_64k",
        "input_shapes": {"x": [1, 8]},
    }
    (tmp_path / "job.yaml").write_text(json.dumps(spec), encoding="utf-8")
    with pytest.raises(UsageError, match=r"input_shapes: want it with an ONNX model only"):
        splitopt.plan(tmp_path / "job.yaml")

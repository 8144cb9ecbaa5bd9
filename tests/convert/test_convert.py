"""From ONNX to int8: broken input, the adapter against a stand-in, the cache, one real model."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import splitopt
from extras import need_onnx_extra
from images import sample_images
from models import diamond

from splitopt.base.errors import ModelError, ToolError
from splitopt.convert import cache, content
from splitopt.convert.calibration import as_onnx_feed, nhwc_shape
from splitopt.convert.convert import Conversion, ConversionRequest
from splitopt.convert.onnx2tf_adapter import convert
from splitopt.convert.quality import sqnr_db
from splitopt.convert.source import read_onnx
from splitopt.graph.registered_ops import REGISTERED, unregistered_types
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.runtime.model_builder import relu_model

INT8 = Path(__file__).resolve().parents[2] / "configs" / "models" / "squeeze_digits_int8.tflite"


def test_shapes_between_onnx_and_tensorflow() -> None:
    assert nhwc_shape((1, 3, 8, 9)) == (1, 8, 9, 3)
    assert nhwc_shape((1, 10)) == (1, 10)
    assert as_onnx_feed(np.zeros((5, 8, 9, 3))).shape == (5, 1, 3, 8, 9)


def stand_in(tmp_path: Path, body: str) -> tuple[str, ...]:
    """A program in place of onnx2tf: what it is given, and what it does with it."""
    script = tmp_path / "stand_in.py"
    script.write_text(f"import pathlib, sys, time, numpy\n{body}\n")
    return (sys.executable, str(script))


def test_the_adapter_hands_over_samples_and_takes_the_full_integer_model(tmp_path: Path) -> None:
    body = (
        "words = sys.argv[1:]\n"
        "assert pathlib.Path(words[words.index('-i') + 1]).read_bytes() == b'onnx'\n"
        "name, file, mean, std = words[words.index('-cind') + 1:][:4]\n"
        "assert (name, mean, std) == ('image', '[[[[0]]]]', '[[[[1]]]]')\n"
        "assert numpy.load(file).shape == (6, 4, 4, 3)\n"
        "sample = numpy.load('calibration_image_sample_data_20x128x128x3_float32.npy')\n"
        "assert sample.shape == (20, 128, 128, 3)\n"
        "out = pathlib.Path(words[words.index('-o') + 1]); out.mkdir()\n"
        "(out / 'model_float32.tflite').write_bytes(b'float')\n"
        f"made = pathlib.Path({str(INT8)!r}).read_bytes()\n"
        "(out / 'model_full_integer_quant.tflite').write_bytes(made)\n"
        "print('converted')"
    )
    made = convert(b"onnx", {"image": sample_images(6)}, command=stand_in(tmp_path, body))
    assert (made.tflite, made.log) == (INT8.read_bytes(), "converted\n")


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        (
            "print('INFO: onnx_op_type: Conv onnx_op_name: n_a\\nINFO: 3 / 17', flush=True); "
            "time.sleep(60)",
            ToolError,
            "took longer than 5 s at ONNX node '/ä b'; .* its last line: INFO: 3 / 17; its log",
        ),
        (
            "print('MemoryError: Unable to allocate 9.9 GiB'); sys.exit(1)",
            ToolError,
            r"out of memory \(exit code 1\): MemoryError: Unable to allocate 9.9 GiB; convert",
        ),
        (
            "import os, signal; print('ERROR: onnx_op_name: wan_a', flush=True); "
            "os.kill(os.getpid(), signal.SIGKILL)",
            ToolError,
            r"out of memory at ONNX node '/ä b' \(SIGKILL\): ERROR: onnx_op_name",
        ),
        (
            "print(\"ModuleNotFoundError: No module named 'onnx2tf.ops.LpPool'\"); sys.exit(1)",
            ModelError,
            "onnx2tf has no operator LpPool",
        ),
        ("print('ERROR: node Foo'); sys.exit(1)", ModelError, r"exit code 1\): ERROR: node Foo"),
        ("pass", ModelError, "could not convert"),
        ("print('No module named onnx2tf'); sys.exit(1)", ToolError, r"splitopt\[onnx\]"),
        (
            "import os, signal; print(\"FileNotFoundError: 'onnxsim'\", flush=True); "
            "os.kill(os.getpid(), signal.SIGSEGV)",
            ModelError,
            "ended by SIGSEGV: a crash of the converter.*; its last line: FileNotFound",
        ),
        (
            "print('ERROR: onnx_op_name: /net/Foo_3\\nERROR: Alternatively, use -b\\nTraceback:\\n'"
            "'  File x\\nkeras.errors.OddError: bad shape,\\n  got (3, 4)\\n\\n  want (4, 3)\\n'"
            "'INFO: bye'); sys.exit(1)",
            ModelError,
            r"at ONNX node '/net/Foo_3' \(exit code 1\): "
            r"keras.errors.OddError: bad shape, got \(3, 4\) want \(4, 3\); its log",
        ),
        (
            "print('RuntimeError: Select TensorFlow op(s) ... Node number 0 (FlexErf) failed')",
            ModelError,
            "no TFLite op for TensorFlow's Erf",
        ),
    ],
)
def test_a_failing_converter_is_one_clear_error(
    body: str, error: type[Exception], says: str, tmp_path: Path
) -> None:
    logs = tmp_path / "cache"
    with pytest.raises(error, match=says) as caught:
        convert(
            b"x",
            {"image": sample_images()},
            command=stand_in(tmp_path, body),
            timeout_s=5,
            logs=logs,
            node_names={"n_a": "/ä b"},
        )
    if "print" in body:
        kept = Path(str(caught.value).rpartition("; its log: ")[2])
        assert kept.read_text()
        assert kept.is_relative_to(logs)
    with pytest.raises(ToolError, match="cannot be started"):
        convert(b"x", {"image": sample_images()}, command=("no-such-program",))


def test_the_cache_gives_back_what_was_kept_and_nothing_that_was_broken(tmp_path: Path) -> None:
    key = content.hashed({"model": b"m"}, {"option": 1})
    assert key != content.hashed({"model": b"m"}, {"option": 2})
    assert key != content.hashed({"model": b"n"}, {"option": 1})
    assert cache.load(tmp_path, key) is None
    cache.store(tmp_path, key, b"tflite", {"a": 1}, "log")
    entry = cache.load(tmp_path, key)
    assert entry is not None
    assert (entry.model.read_bytes(), entry.record["a"], entry.log.read_text()) == (
        b"tflite", 1, "log",
    )  # fmt: skip
    entry.model.write_bytes(b"broken")
    assert cache.load(tmp_path, key) is None
    cache.store(tmp_path, key, b"again", {"a": 2}, "log")
    again = cache.load(tmp_path, key)
    assert again is not None
    assert again.record["a"] == 2
    assert [path.name for path in tmp_path.iterdir()] == [key]


def test_sqnr_of_known_noise() -> None:
    signal = np.array([[3.0, 4.0]])
    assert sqnr_db(signal, signal) == 200
    assert sqnr_db(signal, 1.1 * signal) == pytest.approx(20)


def test_ops_without_a_kernel_in_tflm_are_named() -> None:
    assert {"CONV_2D", "SVDF"} < REGISTERED
    assert not {"GELU", "TILE", "POW", "RELU_0_TO_1"} & REGISTERED
    graph = parse_tflite(diamond(), name="m")
    assert unregistered_types(graph) == ()


# From here on: with the packages of the onnx extra.


@pytest.fixture
def onnx() -> Any:
    need_onnx_extra()
    return pytest.importorskip("onnx")


@pytest.fixture
def make_onnx(onnx: Any, tmp_path: Path) -> Callable[..., Path]:
    """Writes a model of one or more unary nodes on [batch, 3, 4, 4]."""

    def make(
        *types: str, batch: object = 1, opset: int = 17, domain: str = "", tensor: str = "x/1"
    ) -> Path:
        helper, size = onnx.helper, [batch, 3, 4, 4]
        names = [tensor, *(f"t.{k}" for k in range(len(types)))]
        nodes = [
            helper.make_node(t, [a], [b], name=f"n{k}", domain=domain)
            for k, (t, a, b) in enumerate(zip(types, names, names[1:], strict=False))
        ]
        values = [
            helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, size)
            for n in (names[0], names[-1])
        ]
        graph = helper.make_graph(nodes, "g", [values[0]], [values[1]])
        imports = [helper.make_opsetid("", opset), helper.make_opsetid("my.own", 1)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return make


def test_a_sound_model_gets_plain_names_and_batch_one(make_onnx: Callable[..., Path]) -> None:
    found = read_onnx(make_onnx("Relu", "HardSigmoid", batch="N"))
    assert [(v.name, v.shape) for v in found.inputs] == [("x_1", (1, 3, 4, 4))]
    assert found.renamed["x_1"] == "x/1"
    assert any("batch" in note for note in found.notes)
    assert any("HardSigmoid" in note for note in found.notes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"types": ["Rleu"]}, "ai.onnx::Rleu is unknown in opset 17"),
        ({"types": ["Relu"], "domain": "my.own"}, "my.own::Relu is unknown"),
        ({"types": ["Relu"], "opset": 5}, "opset 5; want 7 to"),
        ({"types": ["Relu"], "opset": 999}, "opset 999; want 7 to"),
    ],
)
def test_a_model_that_is_not_planned_is_refused(
    changes: dict[str, Any], says: str, make_onnx: Callable[..., Path]
) -> None:
    types = changes.pop("types")
    path = make_onnx(*types, **changes)
    with pytest.raises(ModelError, match=says) as caught:
        read_onnx(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_open_sizes_truncation_and_missing_weights_are_refused(
    onnx: Any, make_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_onnx("Relu")
    model = onnx.load(str(path))
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"input 'x/1' is \[1, 3, height, 4\]"):
        read_onnx(path)
    path.write_bytes(make_onnx("Relu").read_bytes()[:40])
    with pytest.raises(ModelError, match=r"not a whole ONNX file|holds no graph"):
        read_onnx(path)
    with pytest.raises(ModelError, match="no such file"):
        read_onnx(tmp_path / "absent.onnx")
    model = onnx.load(str(make_onnx("Relu")))
    for place, says in (("absent.bin", "is missing"), ("../up.bin", "outside the folder")):
        del model.graph.initializer[:]
        weights = onnx.numpy_helper.from_array(np.zeros(3, np.float32), "w")
        onnx.external_data_helper.set_external_data(weights, location=place)
        weights.ClearField("raw_data")
        model.graph.initializer.append(weights)
        path.write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match=says):
            read_onnx(path)


def test_one_onnx_model_from_job_to_proved_pieces(
    onnx: Any,
    converted: Callable[[str], Conversion],
    digits_request: Callable[[str], ConversionRequest],
    tmp_path: Path,
) -> None:
    """Converted once, for a program; commands take it from the same cache."""
    converted("resnet8")
    request = digits_request("resnet8")
    assert request.cache is not None
    entries = set(request.cache.iterdir())
    job = tmp_path / "resnet8.yaml"
    job.write_text(
        f"model: {{path: {request.onnx}}}\nboard: corstone300_128k\n"
        f"calibration: {{path: {request.data}, key: calibration, test: test, label: label}}\n"
        f"objective: {{minimise: smallest}}\nconvert: {{cache: {request.cache}}}\n"
        "pieces: {streams: false, bands: false}\nverify: {inputs: 2}\n"
    )
    done = splitopt("run", job, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["conversion"]["quality"]["sqnr_db"] > 15
    folder = tmp_path / plan["run_dir"]
    assert (folder / "convert.log").stat().st_size > 0
    assert (folder / "model.tflite").read_bytes()[4:8] == b"TFL3"
    check_onnx_names(folder, plan, job, onnx.load(request.onnx).graph.node)
    assert set(request.cache.iterdir()) == entries


def check_onnx_names(folder: Path, plan: dict[str, Any], job: Path, nodes: Any) -> None:
    """Plans speak in the model's own names, and cuts can be named so; fused tensors cannot."""
    names = json.loads((folder / "correspondence.json").read_text())
    ranges = {(s["start"], s["stop"]): s["onnx_nodes"] for s in plan["segments"]}
    named = [node for found in ranges.values() for node in found]
    assert named == [node for op in names["ops"] for node in op["onnx_nodes"]]
    unnamed = [node.op_type for node in nodes if node.name not in named]
    assert (unnamed, len(named)) == (["Flatten"], len(nodes) - 1)  # FULLY_CONNECTED flattens
    match = next(m for m in names["matches"] if m["onnx_tensor"] != "image")
    fused = next(tensor for op in names["ops"] for tensor in op["inner_tensors"])
    text = job.read_text()
    for tensor, exit_code in ((match["onnx_tensor"], 0), (fused, 2)):
        job.write_text(f"{text}cut: {{allow: [{json.dumps(tensor)}]}}\n")
        done = splitopt("run", job, "--no-verify", "--json", cwd=job.parent)
        assert done.returncode == exit_code, done.stderr
        if not exit_code:
            assert json.loads(done.stdout)["conversion"] == plan["conversion"]
    assert "was fused into" in done.stderr


def test_a_float_tflite_is_quantised_and_proved(tmp_path: Path) -> None:
    """The model of the doctor's, float, on samples of its input."""
    pytest.importorskip("ai_edge_quantizer", reason="float input needs the onnx extra")
    (tmp_path / "relu.tflite").write_bytes(relu_model())
    np.save(tmp_path / "d.npy", np.random.default_rng(0).uniform(-1, 1, (20, 4)))
    job = tmp_path / "relu.yaml"
    job.write_text(
        "model: {path: relu.tflite}\ncalibration: {path: d.npy}\nboard: corstone300_64k\n"
        "convert: {cache: cache}\nverify: {inputs: 2}\n"
    )
    done = splitopt("run", job, "-v", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Quantised from float on 16 samples" in done.stdout
    assert "PASSED outputs" in done.stdout

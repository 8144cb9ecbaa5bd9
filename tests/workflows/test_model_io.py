"""`model.io: int8` in a run, a sweep, an explanation and the Python API, on one small network."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from builder import Builder
from commands import CUTS_ONLY

from splitopt import Job, explain, load_bundle, plan, run, sweep
from splitopt.bundle.schema.explain import ModelExplanation, RunExplanation
from splitopt.bundle.schema.sweep import PlannedRecord
from splitopt.graph.tflite_reader import read_tflite
from splitopt.runtime.model_builder import ModelBuilder
from splitopt.verify.chains import run_whole
from splitopt.workflows.export.exported import export_bundle
from splitopt.workflows.export.sources import namespace_of

BOARD = "corstone300_64k"
SHAPE = [1, 16, 16, 4]
FLOAT_BYTES = 4 * 16 * 16 * 4


def network(folder: Path, *, floats: bool = True, name: bytes = b"in") -> Path:
    """in → (QUANTIZE) → RELU → RELU6 → (DEQUANTIZE)."""
    net = Builder()

    def tensor(dtype: str, name: str) -> int:
        scales = (0.05,) if dtype == "INT8" else ()
        return ModelBuilder.tensor(net, SHAPE, dtype, name=name, scales=scales, zero_point=-3)

    q, a, b = (tensor("INT8", name) for name in ("q", "a", "b"))
    source, out = q, b
    if floats:
        source, out = tensor("FLOAT32", "in"), tensor("FLOAT32", "out")
        net.graph.tensors[source].name = name
        net.op("QUANTIZE", [source], [q])
    net.op("RELU", [q], [a])
    net.op("RELU6", [a], [b])
    if floats:
        net.op("DEQUANTIZE", [b], [out], ("DequantizeOptions", fb.DequantizeOptionsT()))
    path = folder / "net.tflite"
    path.write_bytes(net.bytes([source], [out]))
    return path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def job_file(folder: Path, io: str) -> Path:
    file = folder / f"job_{io}.yaml"
    file.write_text(
        f"model: {{path: net.tflite, io: {io}}}\nboard: {BOARD}\n"
        "objective: {minimise: smallest}\nverify: {inputs: 4}\n"
    )
    return file


def test_a_run_keeps_scales_proves_the_bits_and_can_be_opened_again(tmp_path: Path) -> None:
    network(tmp_path)
    result = run(job_file(tmp_path, "int8"), out=tmp_path / "out")
    documents = load_bundle(result.folder)
    io = documents.plan.io
    assert io is not None
    assert io.dropped == ("op 0 QUANTIZE", "op 3 DEQUANTIZE")
    [fed], [read] = io.inputs, io.outputs
    assert (fed.name, fed.dtype, fed.shape, fed.was) == ("in", "INT8", tuple(SHAPE), "FLOAT32")
    assert (fed.scale, fed.zero_point) == (pytest.approx(0.05), -3)
    assert (read.name, read.dtype, read.was) == ("out", "INT8", "FLOAT32")
    assert {c.name: c.status.value for c in result.checks}["io"] == "passed"
    assert result.is_equal
    own = read_tflite(result.folder / "model.tflite")
    assert [op.type for op in own.ops] == ["RELU", "RELU6"]
    summary = (result.folder / "summary.txt").read_text()
    assert "int8 = round(x / 0.0500000007) + -3, halves away from zero" in summary
    assert "round(x / 0.0500000007)" in (result.folder / "report.html").read_text()
    again = explain(result.folder)
    assert isinstance(again, RunExplanation)
    assert again.memory.after_bytes == result.plan.peak_ram_bytes
    assert "model.io" not in [remedy.code for remedy in again.memory.remedies]


def test_explain_names_the_lever_first_and_the_lever_does_what_it_says(tmp_path: Path) -> None:
    """What explain promises is what planning with the option gets."""
    model = network(tmp_path)
    found = explain(model, BOARD)
    assert isinstance(found, ModelExplanation)
    first = found.remedies[0]
    assert first.code == "model.io"
    assert f"the FLOAT32 input 'in' takes {FLOAT_BYTES:,} B" in first.sentence
    assert "without op 0 QUANTIZE and op 3 DEQUANTIZE" in first.sentence
    before = found.ram.ram_bytes - found.saved_bytes
    fed_in_int8 = plan(
        Job.of(
            model={"path": str(model), "io": "int8"},
            board=BOARD,
            objective={"minimise": "smallest"},
            pieces=CUTS_ONLY,
        )
    )
    assert before - first.worth_bytes == fed_in_int8.peak_ram_bytes
    assert f"needs {fed_in_int8.unsplit_ram_bytes:,} B unsplit" in first.sentence
    there = explain(job_file(tmp_path, "int8"))
    assert isinstance(there, ModelExplanation)
    assert there.io is not None
    assert there.ram.ram_bytes == fed_in_int8.unsplit_ram_bytes


def test_a_run_with_float_ends_is_told_of_the_lever(tmp_path: Path) -> None:
    network(tmp_path)
    result = run(job_file(tmp_path, "as_is"), out=tmp_path / "out")
    assert load_bundle(result.folder).plan.io is None
    assert result.diagnosis is not None
    assert result.diagnosis.memory.remedies[0].code == "model.io"


def test_a_model_of_integers_gets_a_note(tmp_path: Path) -> None:
    network(tmp_path, floats=False)
    result = run(job_file(tmp_path, "int8"), out=tmp_path / "out")
    said = "model.io: int8 changed nothing: every input and output is an integer already"
    assert said in (result.folder / "summary.txt").read_text().replace("\n", " ")
    assert "io" not in [check.name for check in result.checks]
    assert not (result.folder / "model.tflite").exists()


def test_a_sweep_over_jobs_that_differ_in_it_keeps_them_apart(tmp_path: Path) -> None:
    network(tmp_path)
    for io in ("as_is", "int8"):
        job_file(tmp_path, io)
    file = tmp_path / "both.yaml"
    file.write_text("job: [job_as_is.yaml, job_int8.yaml]\ngrid: {budget_bytes: [57344]}\n")
    found = sweep(file, out=tmp_path / "out", workers=1)
    as_is, int8 = found.rows
    assert isinstance(as_is, PlannedRecord)
    assert isinstance(int8, PlannedRecord)
    assert as_is.unsplit_ram_bytes is not None
    assert int8.unsplit_ram_bytes is not None
    assert as_is.unsplit_ram_bytes - int8.unsplit_ram_bytes > FLOAT_BYTES - 1024
    single = sweep(Job.of(model={"path": str(tmp_path / "net.tflite"), "io": "int8"}, board=BOARD))
    assert max(p.peak_ram_bytes for p in single.points) <= int8.unsplit_ram_bytes


PROGRAM = """
#include <cstdio>
#include "NAMESPACE_io.h"
int main() {
  float x;
  while (std::fread(&x, 4, 1, stdin)) {
    const std::int8_t q = NAMESPACE::QuantizeInput0(x);
    const float y = NAMESPACE::DequantizeOutput0(q);
    std::fwrite(&q, 1, 1, stdout);
    std::fwrite(&y, 4, 1, stdout);
  }
}
"""


@pytest.mark.needs("host compiler")
def test_exported_functions_compute_what_tflm_does(tmp_path: Path) -> None:
    """TFLM's own QUANTIZE is the oracle of one, its DEQUANTIZE (of the same scale) of the other;
    a name of the model cannot get out of its comment."""
    model = network(tmp_path, name=b"in\\\nint evil;")
    result = run(job_file(tmp_path, "int8"), out=tmp_path / "out")
    out = tmp_path / "sources"
    export_bundle(result.folder, out)
    namespace = namespace_of(result.document.job.name)
    header = (out / f"{namespace}_io.h").read_text()
    assert "evil;" not in header.replace("int?evil;", "")
    assert f'#include "{namespace}_io.h"' in (out / f"{namespace}.h").read_text()
    source = tmp_path / "program.cc"
    source.write_text(PROGRAM.replace("NAMESPACE", namespace))
    words = ["g++", "-std=c++17", "-Wall", "-Werror", f"-I{out}", str(source), "-o"]
    subprocess.run([*words, str(tmp_path / "program")], check=True)

    graph = read_tflite(model)
    random = np.random.default_rng(5)
    halves = random.integers(-300, 300, (4, *SHAPE)) / 2
    feed = (0.05 * (halves + 3)).astype(np.float32)
    [quantize, *_, dequantize] = graph.ops
    inner = [quantize.outputs[0], dequantize.inputs[0]]
    made = run_whole(graph, model, {graph.inputs[0]: feed}, 60, inner)
    said = subprocess.run(
        [str(tmp_path / "program")], input=feed.tobytes(), capture_output=True, check=True
    )
    answers = np.frombuffer(said.stdout, np.dtype([("q", "i1"), ("y", "<f4")]))
    assert len(set(answers["q"].tolist())) > 200
    np.testing.assert_array_equal(answers["q"], made[inner[0]].reshape(-1))
    by_value = dict(zip(answers["q"].tolist(), answers["y"].tolist(), strict=True))
    known = made[inner[1]].reshape(-1).tolist()
    want = made[graph.outputs[0]].reshape(-1).tolist()
    compared = [(by_value[q], real) for q, real in zip(known, want, strict=True) if q in by_value]
    assert len({real for _, real in compared}) > 50
    assert all(got == real for got, real in compared)

"""A float model on a simulated Cortex-M55: another compiler and C library round otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb

from splitopt.config.job import Job
from splitopt.config.target import read_target
from splitopt.runtime.model_builder import ModelBuilder
from splitopt.workflows.run import run_job
from splitopt.workflows.time import time_bundle

pytestmark = pytest.mark.needs("compiler", "qemu", "tflm")


def float_model() -> bytes:
    """Convolutions with TANH and LOGISTIC between them, a classifier, and its QUANTIZE."""
    builder, random = ModelBuilder(), np.random.default_rng(1)

    def constant(shape: list[int], spread: float) -> int:
        values = (random.normal(size=shape) * spread).astype("<f4")
        return builder.tensor(shape, "FLOAT32", data=values.tobytes())

    first = last = builder.tensor([1, 16, 16, 8], "FLOAT32")
    for channels, activation in ((8, "TANH"), (16, "LOGISTIC"), (16, "TANH")):
        options = fb.Conv2DOptionsT()
        options.strideW = options.strideH = 1
        options.dilationWFactor = options.dilationHFactor = 1
        weights = constant([16, 3, 3, channels], 1 / np.sqrt(9 * channels)), constant([16], 1)
        inner, out = (builder.tensor([1, 16, 16, 16], "FLOAT32") for _ in range(2))
        builder.op("CONV_2D", [last, *weights], [inner], options)
        builder.op(activation, [inner], [out])
        last = out
    scores, shares = (builder.tensor([1, 10], "FLOAT32") for _ in range(2))
    weights = constant([10, 4096], 1 / 64), constant([10], 1)
    builder.op("FULLY_CONNECTED", [last, *weights], [scores], fb.FullyConnectedOptionsT())
    softmax = fb.SoftmaxOptionsT()
    softmax.beta = 1.0
    builder.op("SOFTMAX", [scores], [shares], softmax)
    integers = builder.tensor([1, 10], "INT8", scales=[1 / 256], zero_point=-128)
    builder.op("QUANTIZE", [shares], [integers])
    return builder.bytes([first], [shares, integers])


def test_floats_differ_in_their_last_bits_and_pass(tmp_path: Path) -> None:
    path = tmp_path / "floats.tflite"
    path.write_bytes(float_model())
    job = Job.of(model=str(path), board="corstone300_256k", objective={"minimise": "smallest"})
    result = run_job(job, out=tmp_path / "out")
    assert result.is_equal
    assert len(result.plan.segments) > 1
    checks = {c.name: c for c in time_bundle(result.folder, read_target("qemu", tmp_path)).checks}
    outputs = checks["target_outputs"]
    assert (outputs.status.value, outputs.detail) == ("passed", "")
    assert "pieces = unsplit there, bit for bit" in outputs.compared
    print(f"worst difference: {outputs.worst_difference} of what is allowed")
    assert outputs.worst_difference <= 1

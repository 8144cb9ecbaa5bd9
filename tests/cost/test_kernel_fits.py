"""Estimates of Invoke against 4,000 counts of one-op models on QEMU, fitted and held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from builder import Builder
from kernel_counts import (
    FITS,
    MEAN,
    WORST,
    WORST_INSN,
    Count,
    fits_of,
    line_of,
    read_counts,
    text_of,
)
from limits import seconds
from targets import tflm_program

from splitopt.cost.costs import built_in, estimate_invoke
from splitopt.cost.invoke import kernel_fits
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.runtime.arrays import random_inputs
from splitopt.runtime.job_blob import pack, unsplit_run
from splitopt.runtime.measured import measured
from splitopt.runtime.simulator import Qemu, simulate
from splitopt.workflows.calibrate.one_op import OneOp

_PICKED = 6  # every which model is counted again
_AT_ONCE = 64
_ARENA_BYTES = 1_900_000

CONVOLUTION = ("INT8 1x8x8x16", "INT8 16x3x3x16 weights/0", "INT32 16 bias/0")


@pytest.fixture(scope="module")
def counts() -> tuple[Count, ...]:
    return read_counts()


def invoke_of(op: OneOp) -> int | None:
    return estimate_of(parse_tflite(op.model(), name=op.op_type, where=str(op)))


def estimate_of(graph: ModelGraph) -> int | None:
    return estimate_invoke(built_in(), graph, 0, 1).whole


def by_kernel(counts: Sequence[Count]) -> Mapping[str, list[Count]]:
    found: dict[str, list[Count]] = {}
    for count in counts:
        found.setdefault(count.kernel.name, []).append(count)
    return found


def test_models_left_out_of_the_fits(counts: Sequence[Count]) -> None:
    """All kernels that were counted: near each count, nearer on average."""
    kernels = by_kernel([count for count in counts if count.held_out])
    assert len(kernels) > 170
    assert kernels.keys() == kernel_fits().keys()
    for name, held_out in kernels.items():
        errors = []
        for count in held_out:
            estimate, counted = estimate_of(count.graph), count.invoke_insn
            assert estimate is not None, name
            assert abs(estimate - counted) <= max(WORST * counted, WORST_INSN) + 1, line_of(count)
            errors.append(abs(estimate - counted) / counted)
        assert np.mean(errors) <= MEAN, name


def test_the_main_kernels_are_nearer() -> None:
    """What most instructions of real models go to."""
    for op_type in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        for variant in (" INT8", " FLOAT32", " grouped INT8", " 1x1 INT8"):
            fit = kernel_fits().get(op_type + variant)
            assert fit is None or fit.mean_error < 0.02


def test_fits_are_those_of_the_counts(counts: Sequence[Count]) -> None:
    pytest.importorskip("scipy", reason="scipy makes the fits")
    document = fits_of(counts)
    assert text_of(document).splitlines()[1] == FITS.read_text("utf-8").splitlines()[1]
    assert document["kernels"].keys() == kernel_fits().keys()
    for count in counts[::50]:
        kernel = count.kernel
        insn = np.dot(document["kernels"][kernel.name]["insn"], kernel.terms)
        built = np.dot(kernel_fits()[kernel.name].insn, kernel.terms)
        assert insn == pytest.approx(built, rel=1e-3)


@pytest.mark.parametrize(
    ("inputs", "out", "counted"),
    [
        (CONVOLUTION, "INT8 1x8x8x16", 59_536),
        (("INT8 1x8x8x16", "INT8 16x3x3x4 weights/0", "INT32 16 bias/0"), "INT8 1x8x8x16", 100_505),
        (
            ("FLOAT32 1x8x8x16", "FLOAT32 16x3x3x16 weights", "FLOAT32 16 bias"),
            "FLOAT32 1x8x8x16", 884_888,
        ),
        (
            ("INT16 1x8x8x16", "INT8 16x3x3x16 weights/0", "INT64 16 bias/0"),
            "INT16 1x8x8x16", 101_594,
        ),
    ],
)  # fmt: skip
def test_one_shape_of_a_convolution_in_four_kernels(
    inputs: tuple[str, ...], out: str, counted: int
) -> None:
    """Plain, in 4 groups, of float32, of int16: from 59,536 to 884,888 instructions."""
    options = {"strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1}
    op = OneOp("CONV_2D", inputs, (out,), "Conv2DOptions", options)
    assert invoke_of(op) == pytest.approx(counted, rel=0.03)


@pytest.mark.parametrize(
    ("op", "named"),
    [
        (OneOp("FLOOR", ("INT16 1x4",), ("INT16 1x4",)), "FLOOR (INT16)"),
        (
            OneOp("ADD", ("INT32 1x4", "INT32 1x4"), ("INT32 1x4",), "AddOptions"),
            "ADD (INT32)",
        ),
        (
            OneOp(
                "FULLY_CONNECTED", ("INT8 1x16", "INT16 8x16 weights", "-"), ("INT8 1x8",),
                "FullyConnectedOptions",
            ),
            "FULLY_CONNECTED (INT8)",
        ),
    ],
)  # fmt: skip
def test_an_op_without_a_fit_has_no_estimate(op: OneOp, named: str) -> None:
    graph = parse_tflite(op.model(), name="m", where="m")
    assert estimate_invoke(built_in(), graph, 0, 1).unmeasured == (named,)
    assert estimate_invoke(built_in(), graph, 0, 1).whole is None


def test_an_op_that_no_kernel_knows_has_no_estimate() -> None:
    builder = Builder()
    source, out = builder.typed([1, 4], "INT32"), builder.typed([2], "INT32")
    builder.op("SHAPE", [source], [out])
    graph = parse_tflite(builder.bytes([source], [out]), name="m", where="m")
    assert estimate_invoke(built_in(), graph, 0, 1).unmeasured == ("SHAPE (INT32)",)


def test_lines_of_counts_say_what_they_hold(counts: Sequence[Count]) -> None:
    assert len({line_of(count) for count in counts}) == len(counts)
    held_out = {count.model for count in counts if count.held_out}
    fitted = {count.model for count in counts if not count.held_out}
    assert not held_out & fitted


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.timeout(900)
def test_counts_are_those_of_qemu(counts: Sequence[Count], tmp_path: Path) -> None:
    """A part of the models, counted again with the library at hand: within 1 %."""
    program, qemu, picked = tflm_program(tmp_path), Qemu(), counts[::_PICKED]
    for at in range(0, len(picked), _AT_ONCE):
        some = picked[at : at + _AT_ONCE]
        graphs = [count.graph for count in some]
        runs = [unsplit_run(graph, _ARENA_BYTES, random_inputs(graph, 1, 0)) for graph in graphs]
        blob = pack(runs, {op.type for graph in graphs for op in graph.ops})
        events = simulate(qemu, program, blob, seconds(300))
        for count, run in zip(some, measured(events, qemu, runs), strict=True):
            insn = run.samples[0][0].steps["invoke"]
            assert insn == pytest.approx(count.invoke_insn, rel=0.01, abs=30), line_of(count)

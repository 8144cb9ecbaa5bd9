"""The arena model's x86-64 figures against what TFLM's own recording allocator reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from allocations import Allocations, measure_allocations, measure_many_allocations
from golden_figures import MODELS

from splitopt.arena.replay import Arena, replay
from splitopt.arena.rules import target_rules
from splitopt.arena.x86_64_kernels import RULES
from splitopt.base.errors import ToolError
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of, whole_model
from splitopt.graph.tflite_reader import read_tflite
from splitopt.pieces.writer import write_piece
from splitopt.runtime.model_builder import ModelBuilder

FindModel = Callable[[str], Path]
GENEROUS_BYTES = 1 << 20


def predict(graph: ModelGraph, segment: Segment) -> Arena:
    rules = target_rules("x86_64")
    return replay(graph, segment, rules.memories(graph), rules.abi)


def assert_equal(predicted: Arena, reported: Allocations) -> None:
    assert not predicted.estimates
    assert predicted.head_bytes == reported.head_bytes
    assert predicted.tail_bytes == reported.tail_bytes
    assert predicted.used_bytes == reported.total_bytes


@pytest.mark.parametrize("name", MODELS)
def test_whole_models_match_the_wheel(name: str, shared_model: FindModel) -> None:
    path = shared_model(name)
    graph = read_tflite(path)
    reported = measure_allocations(path, GENEROUS_BYTES)
    assert_equal(predict(graph, whole_model(graph)), reported)


@pytest.mark.parametrize("name", MODELS)
def test_pieces_match_the_wheel(name: str, shared_model: FindModel, tmp_path: Path) -> None:
    graph = read_tflite(shared_model(name))
    middle = len(graph.ops) // 2
    segments = [segment_of(graph, 0, middle), segment_of(graph, middle, len(graph.ops))]
    files = [tmp_path / f"{segment.start}.tflite" for segment in segments]
    for segment, file in zip(segments, files, strict=True):
        file.write_bytes(write_piece(graph, segment))
    reports = measure_many_allocations([(file, GENEROUS_BYTES) for file in files])
    for segment, report in zip(segments, reports, strict=True):
        assert_equal(predict(graph, segment), report)


@pytest.mark.parametrize("name", ["ad01_int8", "hello_world_int8", "person_detect_int8"])
def test_the_arena_minimum_suffices_and_nothing_less(name: str, shared_model: FindModel) -> None:
    path = shared_model(name)
    graph = read_tflite(path)
    assert_is_the_minimum(path, predict(graph, whole_model(graph)))


def test_the_planners_tables_must_fit_above_no_variable(tmp_path: Path) -> None:
    """Variables are placed before the planner takes what is left: the minimum left them out."""
    path = tmp_path / "svdf.tflite"
    path.write_bytes(model_of(next(c for c in CASES if c.op == "SVDF"), copies=3))
    graph = read_tflite(path)
    predicted = predict(graph, whole_model(graph))
    assert predicted.size_bytes > predicted.used_bytes
    assert_is_the_minimum(path, predicted)


def assert_is_the_minimum(path: Path, predicted: Arena) -> None:
    reported = measure_allocations(path, predicted.size_bytes)
    assert reported.total_bytes == predicted.used_bytes
    with pytest.raises(ToolError):
        measure_allocations(path, predicted.size_bytes - 16)


@dataclass(frozen=True)
class Value:
    """A tensor: constant where it has data; scales along `axis`."""

    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_point: int = 0
    axis: int = 0
    data: bytes | None = None
    variable: bool = False


@dataclass(frozen=True)
class Case:
    """One op with its tensors; inputs may be absent."""

    name: str
    op: str
    inputs: Sequence[Value | None]
    outputs: Sequence[Value]
    table: str
    options: Mapping[str, Any]


def indices(*values: int, shape: tuple[int, ...] | None = None) -> Value:
    data = np.array(values, np.int32).tobytes()
    return Value((len(values),) if shape is None else shape, "INT32", data=data)


def scales_of(dtype: str, scale: float, count: int = 1) -> tuple[float, ...]:
    return () if dtype == "FLOAT32" else (scale,) * count


def constant(dtype: str, *shape: int, scales: int = 1, scale: float = 0.5, axis: int = 0) -> Value:
    bits = {"INT4": 4, "INT8": 8, "INT16": 16, "INT64": 64}.get(dtype, 32)
    data = bytes(-(-int(np.prod(shape)) * bits // 8))
    return Value(shape, dtype, scales_of(dtype, scale, scales), axis=axis, data=data)


def variable(dtype: str, *shape: int, scale: float = 0.5) -> Value:
    return Value(shape, dtype, scales_of(dtype, scale), variable=True)


@dataclass(frozen=True)
class Ops:
    """Makes ops whose activations are of `dtype`, in the forms that their rules tell apart."""

    dtype: str

    @property
    def weight(self) -> str:
        return "FLOAT32" if self.dtype == "FLOAT32" else "INT8"

    @property
    def state(self) -> str:
        return "FLOAT32" if self.dtype == "FLOAT32" else "INT16"

    @property
    def bias(self) -> str:
        return {"INT8": "INT32", "INT16": "INT64", "FLOAT32": "FLOAT32"}[self.dtype]

    def act(self, *shape: int, scale: float = 0.5, zero_point: int = 0) -> Value:
        return Value(shape, self.dtype, scales_of(self.dtype, scale), zero_point)

    def biases(self, count: int, scales: int = 1) -> Value:
        return constant(self.bias, count, scales=scales, scale=0.25)

    def case(
        self,
        op: str,
        inputs: Sequence[Value | None],
        outputs: Sequence[Value],
        table: str = "",
        form: str = "",
        **options: Any,
    ) -> Case:
        return Case(f"{op} {self.dtype} {form}".strip(), op, inputs, outputs, table, options)


WINDOW = {"strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1}


def weighted(o: Ops) -> Iterator[Case]:
    image = o.act(1, 9, 7, 3)
    for kind in (o.weight, "INT4") if o.dtype == "INT8" else (o.weight,):
        inputs = [image, constant(kind, 5, 3, 3, 3, scales=5), o.biases(5, 5)]
        yield o.case("CONV_2D", inputs, [o.act(1, 9, 7, 5)], "Conv2DOptions", kind, **WINDOW)
        inputs = [image, constant(kind, 1, 3, 3, 6, scales=6, axis=3), o.biases(6, 6)]
        table, options = "DepthwiseConv2DOptions", {**WINDOW, "depthMultiplier": 2}
        yield o.case("DEPTHWISE_CONV_2D", inputs, [o.act(1, 9, 7, 6)], table, kind, **options)
        inputs = [o.act(2, 6), constant(kind, 5, 6), o.biases(5)]
        yield o.case("FULLY_CONNECTED", inputs, [o.act(2, 5)], "FullyConnectedOptions", kind)
    grouped = [o.act(1, 9, 7, 4), constant(o.weight, 6, 3, 3, 2, scales=6)]
    form = "grouped, without bias"
    yield o.case("CONV_2D", grouped, [o.act(1, 9, 7, 6)], "Conv2DOptions", form, **WINDOW)
    if o.dtype != "FLOAT32":
        no_bias = [o.act(1, 2, 8), constant(o.weight, 5, 8, scales=5), None]
        form = "of rank 3, per channel, without bias"
        yield o.case("FULLY_CONNECTED", no_bias, [o.act(1, 2, 5)], "FullyConnectedOptions", form)
    filters = constant(o.weight, 5, 2, 2, 3, scales=5)
    for bias in ("INT64", "INT16") if o.dtype == "INT16" else (o.bias,):
        biases = constant(bias, 5, scales=5, scale=0.25)
        upsampled = [indices(1, 8, 8, 5), filters, o.act(1, 4, 4, 3), biases]
        options, form = {"strideW": 2, "strideH": 2}, f"with {bias} bias"
        outputs = [o.act(1, 8, 8, 5)]
        yield o.case("TRANSPOSE_CONV", upsampled, outputs, "TransposeConvOptions", form, **options)


def stateful(o: Ops) -> Iterator[Case]:
    if o.dtype != "INT16":
        features, time = constant(o.weight, 4, 3), constant(o.state, 4, 5)
        inputs = [o.act(2, 3), features, time, o.biases(2), variable(o.state, 2, 20)]
        yield o.case("SVDF", inputs, [o.act(2, 2)], "SVDFOptions", rank=2)
    gates = [constant(o.weight, 6, 3)] * 4 + [constant(o.weight, 6, 6)] * 4
    states = [variable(o.dtype, 2, 6), variable(o.state, 2, 6, scale=2**-11)]
    rest = [*gates, *[None] * 3, *[o.biases(6)] * 4, *[None] * 2, *states, *[None] * 4]
    op, table = "UNIDIRECTIONAL_SEQUENCE_LSTM", "UnidirectionalSequenceLSTMOptions"
    options: dict[str, Any] = {"fusedActivationFunction": 4}
    yield o.case(op, [o.act(2, 4, 3), *rest], [o.act(2, 4, 6)], table, **options)
    options = {"fusedActivationFunction": 4, "timeMajor": True}
    yield o.case(op, [o.act(4, 2, 3), *rest], [o.act(4, 2, 6)], table, "time major", **options)


def arithmetic(o: Ops) -> Iterator[Case]:
    pair, reduced = [o.act(1, 4, 3), o.act(1, 4, 3)], [o.act(1, 6, 5, 3), indices(1, 2)]
    for op, table in (("ADD", "AddOptions"), ("SUB", "SubOptions"), ("MUL", "MulOptions")):
        yield o.case(op, pair, [o.act(1, 4, 3)], table)
    for op in ("MAXIMUM", "MINIMUM"):
        yield o.case(op, pair, [o.act(1, 4, 3)], "MaximumMinimumOptions")
    for op in ("MEAN", "SUM", "REDUCE_MAX"):
        yield o.case(op, reduced, [o.act(1, 3)], "ReducerOptions")
    for adj_x, adj_y in product((False, True), repeat=2):
        left = o.act(2, 5, 3) if adj_x else o.act(2, 3, 5)
        right = o.act(2, 4, 5) if adj_y else o.act(2, 5, 4)
        form, options = f"x{adj_x:d} y{adj_y:d}", {"adjX": adj_x, "adjY": adj_y}
        outputs = [o.act(2, 3, 4)]
        yield o.case("BATCH_MATMUL", [left, right], outputs, "BatchMatMulOptions", form, **options)
    pool: dict[str, Any] = {"strideW": 2, "strideH": 2, "filterWidth": 2, "filterHeight": 2}
    for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        yield o.case(op, [o.act(1, 8, 8, 3)], [o.act(1, 4, 4, 3)], "Pool2DOptions", **pool)


def activations(o: Ops) -> Iterator[Case]:
    scale, lowest = (1 / 256, -128) if o.dtype == "INT8" else (1 / 32768, 0)
    row, from_zero = o.act(1, 8, scale=0.05), o.act(1, 8, scale=scale, zero_point=lowest)
    yield o.case("SOFTMAX", [row], [from_zero], "SoftmaxOptions", beta=1.0)
    yield o.case("LOGISTIC", [row], [from_zero])
    yield o.case("TANH", [row], [o.act(1, 8, scale=1 / 32768)])
    yield o.case("HARD_SWISH", [row], [row], "HardSwishOptions")
    yield o.case("LEAKY_RELU", [row], [row], "LeakyReluOptions")
    yield o.case("RELU", [row], [row])
    yield o.case("RELU6", [row], [row])
    if o.dtype != "INT16":
        yield o.case("PRELU", [o.act(1, 4, 3), constant(o.dtype, 1, 3)], [o.act(1, 4, 3)])
    if o.dtype != "FLOAT32":
        real = Value((1, 8), "FLOAT32")
        yield o.case("DEQUANTIZE", [row], [real], "DequantizeOptions")
        yield o.case("QUANTIZE", [real], [row], "QuantizeOptions")


def movers(o: Ops) -> Iterator[Case]:
    image, ones, axis = o.act(1, 4, 4, 3), indices(1, 1, 1, 1), indices(2, shape=())
    paddings = indices(0, 0, 1, 1, 2, 1, 0, 0, shape=(4, 2))
    padded, value = [o.act(1, 6, 7, 3)], constant(o.dtype, 1)
    yield o.case("PAD", [image, paddings], padded, "PadOptions")
    yield o.case("PADV2", [image, paddings, value], padded, "PadV2Options")
    resized, size = [o.act(1, 8, 8, 3)], indices(8, 8)
    table = "ResizeNearestNeighborOptions"
    yield o.case("RESIZE_NEAREST_NEIGHBOR", [image, size], resized, table)
    yield o.case("RESIZE_BILINEAR", [image, size], resized, "ResizeBilinearOptions")
    turned, order = [o.act(1, 3, 4, 4)], indices(0, 3, 1, 2)
    yield o.case("TRANSPOSE", [image, order], turned, "TransposeOptions")
    part, begin = [o.act(1, 2, 2, 3)], indices(0, 1, 1, 0)
    yield o.case("SLICE", [image, begin, indices(1, 2, 2, 3)], part, "SliceOptions")
    ends = [indices(1, 3, 3, 3), ones]
    yield o.case("STRIDED_SLICE", [image, begin, *ends], part, "StridedSliceOptions")
    flat, whole = [o.act(1, 48)], o.act(1, 4, 6)
    options: dict[str, Any] = {"newShape": [1, 48]}
    yield o.case("RESHAPE", [image, indices(1, 48)], flat, "ReshapeOptions", **options)
    yield o.case("EXPAND_DIMS", [o.act(4, 6), indices(0)], [whole], "ExpandDimsOptions")
    yield o.case("SQUEEZE", [whole], [o.act(4, 6)], "SqueezeOptions", squeezeDims=[0])
    parts = [o.act(1, 4, 2), o.act(1, 4, 4)]
    yield o.case("CONCATENATION", parts, [whole], "ConcatenationOptions", axis=2)
    halves = [o.act(1, 4, 3), o.act(1, 4, 3)]
    yield o.case("SPLIT", [axis, whole], halves, "SplitOptions", numSplits=2)
    yield o.case("SPLIT_V", [whole, indices(2, 4), axis], parts, "SplitVOptions", numSplits=2)


FAMILIES = (weighted, stateful, arithmetic, activations, movers)
DTYPES = ("INT8", "INT16", "FLOAT32")
CASES = [case for dtype in DTYPES for family in FAMILIES for case in family(Ops(dtype))]
COPIES = 16


def model_of(case: Case, copies: int) -> bytes:
    """A model of that op several times, on the same inputs and with outputs of their own.

    Copies make every byte of an op count, where alignment would hide a few.
    """
    builder = ModelBuilder()
    shared = [None if v is None or v.variable else _add(builder, v) for v in case.inputs]
    given = [
        index
        for index, value in zip(shared, case.inputs, strict=True)
        if index is not None and value is not None and value.data is None
    ]
    made: list[int] = []
    for _ in range(copies):
        own = [
            _add(builder, value) if value is not None and value.variable else index
            for index, value in zip(shared, case.inputs, strict=True)
        ]
        outputs = [_add(builder, value) for value in case.outputs]
        options = getattr(fb, f"{case.table}T")() if case.table else None
        if options is not None:
            vars(options).update(case.options)
        builder.op(case.op, [-1 if index is None else index for index in own], outputs, options)
        made += outputs
    return builder.bytes(given, made)


def _add(builder: ModelBuilder, value: Value) -> int:
    index = builder.tensor(
        value.shape,
        value.dtype,
        scales=value.scales,
        zero_point=value.zero_point,
        axis=value.axis,
        data=value.data,
    )
    builder.graph.tensors[index].isVariable = value.variable
    return index


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Allocations]]:
    folder = tmp_path_factory.mktemp("ops")
    files = {case.name: folder / f"{at}.tflite" for at, case in enumerate(CASES)}
    for case in CASES:
        files[case.name].write_bytes(model_of(case, COPIES))
    reports = measure_many_allocations([(file, GENEROUS_BYTES) for file in files.values()])
    return dict(zip(files, zip(files.values(), reports, strict=True), strict=True))


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_single_ops_match_the_wheel(
    name: str, measured: dict[str, tuple[Path, Allocations]]
) -> None:
    path, reported = measured[name]
    graph = read_tflite(path)
    assert_equal(predict(graph, whole_model(graph)), reported)


def test_every_rule_is_measured() -> None:
    assert {case.op for case in CASES} == set(RULES)

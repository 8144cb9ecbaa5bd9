"""Small .tflite models: sound ones, one for each thing that a file may hold."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb
from builder import Builder

from splitopt.runtime.model_builder import ModelBuilder, packed


def chain(ops: int = 5, type_name: str = "INT8") -> bytes:
    builder = Builder()
    tensors = [builder.typed([1, 4], type_name) for _ in range(ops + 1)]
    for source, out in itertools.pairwise(tensors):
        builder.relu(source, out)
    return builder.bytes([tensors[0]], [tensors[-1]])


def chain_of_sizes(sizes: Sequence[int], names: Mapping[int, bytes] | None = None) -> bytes:
    """Activations of so many bytes, one after another: SLICE cuts them, PAD widens them."""
    builder = Builder()
    tensors = [builder.typed([1, size], "INT8") for size in sizes]
    for (source, out), (held, made) in zip(
        itertools.pairwise(tensors), itertools.pairwise(sizes), strict=True
    ):
        rows = [[0, 0], [1, made]] if made < held else [[0, 0, 0, made - held]]
        shape = [2] if made < held else [2, 2]
        words = [np.array(row, "<i4").tobytes() for row in rows]
        operands = [builder.typed(shape, "INT32", data=data) for data in words]
        builder.op("SLICE" if made < held else "PAD", [source, *operands], [out])
    for position, name in (names or {}).items():
        builder.graph.tensors[tensors[position]].name = name
    return builder.bytes([tensors[0]], [tensors[-1]])


def with_vector_options() -> bytes:
    """Options that hold vectors, in both unions; a description and names that are not UTF-8."""
    builder = Builder()
    builder.model.description = b"latin-1: \xe9"
    builder.graph.name = b"\xff\xfe"
    a, b, c, d = (builder.tensor([1, 4]) for _ in range(4))
    builder.graph.tensors[b].name = b"caf\xe9"
    reshape, squeeze = fb.ReshapeOptionsT(), fb.SqueezeOptionsT()
    reshape.newShape, squeeze.squeezeDims = [1, 4], [0, -1]
    builder.op("RESHAPE", [a], [b], ("ReshapeOptions", reshape))
    builder.op("SQUEEZE", [b], [c], ("SqueezeOptions", squeeze))
    builder.op("STABLEHLO_PAD", [c], [d])
    pad = fb.StablehloPadOptionsT()
    pad.edgePaddingLow, pad.edgePaddingHigh, pad.interiorPadding = [1, 2], [-3, 1 << 40], [0, 0]
    builder.last_op.builtinOptions2Type = fb.BuiltinOptions2.StablehloPadOptions
    builder.last_op.builtinOptions2 = pad
    return builder.bytes([a], [d])


def recurrent() -> bytes:
    """An absent input in the middle, a variable that is mutated, intermediates."""
    builder = Builder()
    builder.tensor([7])  # nothing touches it: in a piece, every other tensor gets a new index
    source, state, inner, out = (builder.tensor([1, 4], variable=k == 1) for k in range(4))
    features = builder.tensor([4, 4], data=bytes(range(16)), scales=4)
    times = builder.tensor([4, 1], "int16", data=bytes(8))
    options = fb.SVDFOptionsT()
    options.rank, options.asymmetricQuantizeInputs = 1, True
    builder.op("SVDF", [source, features, times, -1, state], [out], ("SVDFOptions", options))
    builder.last_op.mutatingVariableInputs = [False, False, False, False, True]
    builder.last_op.intermediates = [inner]
    last = builder.tensor([1, 4])
    builder.relu(out, last)
    return builder.bytes([source], [last])


def quantized_in_every_way() -> bytes:
    """Per channel, custom details, minimum and maximum, a shape signature, shared constants."""
    builder = Builder()
    source, out, last = (builder.tensor([1, 3]) for _ in range(3))
    weights = builder.tensor([3, 3], data=bytes(range(9)), scales=3)
    again = builder.tensor([3, 3], data=bytes(range(9, 18)), scales=3)
    tensors = builder.graph.tensors
    tensors[again].buffer = tensors[weights].buffer
    tensors[weights].quantization.quantizedDimension = 1
    tensors[source].shapeSignature, tensors[source].hasRank = [-1, 3], True
    details = fb.CustomQuantizationT()
    details.custom = np.frombuffer(b"details", np.uint8)
    tensors[out].quantization.detailsType = fb.QuantizationDetails.CustomQuantization
    tensors[out].quantization.details = details
    tensors[last].quantization.min = [-1.5, 2.5]
    for inputs, output in (([source, weights, -1], out), ([out, again, -1], last)):
        options = ("FullyConnectedOptions", fb.FullyConnectedOptionsT())
        builder.op("FULLY_CONNECTED", inputs, [output], options)
    return builder.bytes([source], [last])


def with_dead_weight() -> bytes:
    """Tensors, constants, buffers and an operator code that nothing uses."""
    builder = Builder()
    builder.tensor([64], data=bytes(64))
    a, b, c = (builder.tensor([1, 4]) for _ in range(3))
    builder.tensor([9], variable=True)
    builder.relu(a, b)
    builder.op("LOGISTIC", [b], [c])
    builder.op("TANH", [b], [c])
    builder.graph.operators.pop()
    builder.model.buffers.append(fb.BufferT())
    builder.metadata("min_runtime_version", b"1.5.0")
    return builder.bytes([a], [c])


def with_offline_plan() -> bytes:
    builder = Builder()
    a, b, c = (builder.tensor([1, 4]) for _ in range(3))
    builder.relu(a, b)
    builder.relu(b, c)
    words = np.asarray([1, 0, 3, 0, -1, 32], "<i4")
    builder.metadata("OfflineMemoryAllocation", words.tobytes())
    return builder.bytes([a], [c])


def with_empty_constant() -> bytes:
    """A constant of no elements has no data, as the axes of a reduction over none."""
    builder = Builder()
    a, b, c = (builder.tensor([1, 4]) for _ in range(3))
    axes = builder.typed([0], "INT32")
    builder.op("SUM", [a, axes], [b])
    builder.op("SUM", [b, axes], [c])
    return builder.bytes([a], [c])


def many_ends() -> bytes:
    """Three inputs, one of them read by nothing; an op with two outputs, one of them dead."""
    builder = Builder()
    a, b, idle = (builder.tensor([2, 4]) for _ in range(3))
    axis = builder.typed([], "INT32", data=bytes(4))
    left, right = (builder.tensor([1, 4]) for _ in range(2))
    total, last = (builder.tensor([2, 4]) for _ in range(2))
    split = fb.SplitOptionsT()
    split.numSplits = 2
    builder.op("SPLIT", [axis, a], [left, right], ("SplitOptions", split))
    builder.op("ADD", [left, b], [total], ("AddOptions", fb.AddOptionsT()))
    builder.op("SUB", [total, total], [last], ("SubOptions", fb.SubOptionsT()))
    return builder.bytes([idle, b, a], [last, left])


def diamond(dtype: str = "int8") -> bytes:
    """in → RELU → (RELU, RELU6) → ADD, which runs in TFLM on int8 and float32."""
    builder = Builder()
    tensors = [builder.tensor([1, 4], dtype, scales=dtype != "float32") for _ in range(5)]
    source, stem, left, right, out = tensors
    builder.op("RELU", [source], [stem])
    builder.op("RELU", [stem], [left])
    builder.op("RELU6", [stem], [right])
    builder.op("ADD", [left, right], [out], ("AddOptions", fb.AddOptionsT()))
    return builder.bytes([source], [out])


def dense(bias: bool = True) -> bytes:
    """FULLY_CONNECTED 4 → 3, its bias optional (-1 where absent)."""
    builder = Builder()
    source = builder.tensor([1, 4])
    weights = builder.tensor([3, 4], data=bytes(range(12)))
    offset = builder.tensor([3], "int32", data=bytes(12)) if bias else -1
    out = builder.tensor([1, 3])
    options = fb.FullyConnectedOptionsT()
    options.keepNumDims = False
    builder.op(
        "FULLY_CONNECTED", [source, weights, offset], [out], ("FullyConnectedOptions", options)
    )
    return builder.bytes([source], [out])


def with_custom_op() -> bytes:
    builder = Builder()
    source, inner, out = (builder.tensor([1, 4]) for _ in range(3))
    builder.op("RELU", [source], [inner])
    builder.op("CUSTOM", [inner], [out], custom=("MyOp", b"\x01\x02\x03options"))
    return builder.bytes([source], [out])


def with_variable() -> bytes:
    """An op that reads a variable tensor, as streaming models have."""
    builder = Builder()
    source, out = builder.tensor([1, 4]), builder.tensor([1, 4])
    state = builder.tensor([1, 4], variable=True)
    builder.op("ADD", [source, state], [out], ("AddOptions", fb.AddOptionsT()))
    return builder.bytes([source], [out])


def branches() -> bytes:
    """Two inputs and two outputs; the first input is read by the first and by the last op."""
    builder = Builder()
    a, b, x, y, z = (builder.tensor([1, 4]) for _ in range(5))
    unused = builder.tensor([2, 2])
    builder.op("RELU", [a], [x])
    builder.op("ADD", [x, b], [y], ("AddOptions", fb.AddOptionsT()))
    builder.op("ADD", [y, a], [z], ("AddOptions", fb.AddOptionsT()))
    assert unused == 5
    return builder.bytes([b, a], [z, x])


def _named(name: str, tensors: Sequence[int]) -> list[fb.TensorMapT]:
    entry = fb.TensorMapT()
    entry.name, [entry.tensorIndex] = name, tensors
    return [entry]


def several_signatures() -> bytes:
    """Two models in a file: `once` adds a constant to four floats, `twice` adds two to eight."""
    builder = Builder()
    graphs = []
    for ops in (1, 2):
        builder.graph = fb.SubGraphT()
        builder.graph.tensors, builder.graph.operators = [], []
        last = source = builder.tensor([1, 4 * ops], "float32", scales=0)
        for value in range(ops):
            data = np.full(4 * ops, value + 1, "<f4").tobytes()
            weight = builder.tensor([1, 4 * ops], "float32", data=data, scales=0)
            made = builder.tensor([1, 4 * ops], "float32", scales=0)
            builder.op("ADD", [last, weight], [made], ("AddOptions", fb.AddOptionsT()))
            last = made
        builder.graph.inputs, builder.graph.outputs = [source], [last]
        graphs.append(builder.graph)
    builder.model.subgraphs = graphs
    builder.model.signatureDefs = []
    for index, key in enumerate(("once", "twice")):
        entry = fb.SignatureDefT()
        entry.signatureKey, entry.subgraphIndex = key, index
        entry.inputs, entry.outputs = (
            _named("x", graphs[index].inputs),
            _named("y", graphs[index].outputs),
        )
        builder.model.signatureDefs.append(entry)
    return packed(builder.model)


SOUND: dict[str, Callable[[], bytes]] = {
    "chain": chain,
    "chain_uint8": lambda: chain(2, "UINT8"),
    "diamond": diamond,
    "diamond_int16": lambda: diamond("int16"),
    "diamond_float32": lambda: diamond("float32"),
    "dense": dense,
    "dense_without_bias": lambda: dense(bias=False),
    "custom_op": with_custom_op,
    "variable": with_variable,
    "branches": branches,
    "vector_options": with_vector_options,
    "recurrent": recurrent,
    "quantized_in_every_way": quantized_in_every_way,
    "dead_weight": with_dead_weight,
    "offline_plan": with_offline_plan,
    "empty_constant": with_empty_constant,
    "many_ends": many_ends,
}


def sharing_options(ops: int, extent: int) -> bytes:
    """A small file in which many RESHAPEs point at one long vector."""

    class Shared(fb.ReshapeOptionsT):  # type: ignore[misc]
        packed = 0

        def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802
            if not self.packed:
                self.packed = super().Pack(builder)
            return self.packed

    options = Shared()
    options.newShape = np.zeros(extent, np.int32)
    builder = Builder()
    tensors = [builder.tensor([1]) for _ in range(ops + 1)]
    for source, out in itertools.pairwise(tensors):
        builder.op("RESHAPE", [source], [out], ("ReshapeOptions", options))
    return builder.bytes([tensors[0]], [tensors[-1]])


def add_chain(addends: Sequence[Sequence[float]]) -> bytes:
    """y = x + addends[0] + addends[1] + ..., float32 [1, 4]."""
    builder = ModelBuilder()
    first = last = builder.tensor([1, 4], "FLOAT32", name="x")
    for index, values in enumerate(addends):
        data = np.asarray(values, "<f4").tobytes()
        addend = builder.tensor([1, 4], "FLOAT32", name=f"c{index}", data=data)
        total = builder.tensor([1, 4], "FLOAT32", name=f"sum{index}")
        builder.op("ADD", [last, addend], [total], fb.AddOptionsT())
        last = total
    return builder.bytes([first], [last])

"""Small models that keep state between inferences, sound enough for LiteRT, too."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.runtime.model_builder import ModelBuilder

_RANDOM = 7
_RELU, _TANH = fb.ActivationFunctionType.RELU, fb.ActivationFunctionType.TANH


class Drawn(ModelBuilder):
    """A ModelBuilder with constants of random values, and variables."""

    def __init__(self) -> None:
        super().__init__()
        self.random = np.random.default_rng(_RANDOM)

    def drawn(self, shape: Sequence[int], dtype: str, scale: float, most: int) -> int:
        values = self.random.integers(-most, most + 1, shape)
        kind = {"INT8": "i1", "INT16": "<i2", "INT32": "<i4"}[dtype]
        return self.tensor(shape, dtype, scales=[scale], data=values.astype(kind).tobytes())

    def variable(self, shape: Sequence[int], dtype: str, scale: float) -> int:
        index = self.tensor(shape, dtype, scales=[scale])
        self.graph.tensors[index].isVariable = True
        return index

    def activation(self, shape: Sequence[int], scale: float = 0.05) -> int:
        return self.tensor(shape, "INT8", scales=[scale])

    def dense(self, source: int, units: int) -> int:
        """FULLY_CONNECTED of a vector."""
        depth = int(self.graph.tensors[source].shape[-1])
        made = self.activation([1, units])
        weights = self.drawn([units, depth], "INT8", 0.02, 127)
        bias = self.drawn([units], "INT32", 0.05 * 0.02, 500)
        self.op("FULLY_CONNECTED", [source, weights, bias], [made], fb.FullyConnectedOptionsT())
        return made

    def pointwise(self, source: int, depth: int) -> int:
        """CONV_2D of 1 x 1."""
        *rows, before = (int(extent) for extent in self.graph.tensors[source].shape)
        made, options = self.activation([*rows, depth]), fb.Conv2DOptionsT()
        options.padding, options.strideH, options.strideW = fb.Padding.VALID, 1, 1
        weights = self.drawn([depth, 1, 1, before], "INT8", 0.1, 127)
        bias = self.drawn([depth], "INT32", 0.05 * 0.1, 500)
        self.op("CONV_2D", [source, weights, bias], [made], options)
        return made

    def svdf(self, source: int, units: int, memory: int, state: str = "INT16") -> int:
        """SVDF of rank 1 with RELU, its state a variable."""
        depth, made = int(self.graph.tensors[source].shape[-1]), self.activation([1, units])
        options = fb.SVDFOptionsT()
        options.rank, options.fusedActivationFunction = 1, _RELU
        scale, times = 0.02, 0.02
        inputs = [
            source,
            self.drawn([units, depth], "INT8", 0.02, 127),
            self.drawn([units, memory], state, times, 127),
            self.drawn([units], "INT32", scale * times, 500),
            self.variable([1, units * memory], state, scale),
        ]
        self.op("SVDF", inputs, [made], options)
        return made


def svdf_net() -> bytes:
    """Dense layers around two SVDFs: op 0 dense, 1 SVDF, 2 dense, 3 SVDF, 4 dense."""
    net = Drawn()
    first = net.activation([1, 16])
    inner = net.svdf(net.dense(first, 24), 8, 5)
    last = net.dense(net.svdf(net.dense(inner, 16), 8, 4), 6)
    return net.bytes([first], [last])


def lstm_net() -> bytes:
    """An LSTM of three steps an inference, with the intermediates that LiteRT wants."""
    net, hidden, depth = Drawn(), 6, 4
    first = net.activation([1, 3, depth], 1 / 128)
    gates = [net.drawn([hidden, n], "INT8", 0.01, 127) for n in (depth,) * 4 + (hidden,) * 4]
    biases = [net.drawn([hidden], "INT32", 0.01 / 128, 500) for _ in range(4)]
    states = [
        net.variable([1, hidden], "INT8", 1 / 128),
        net.variable([1, hidden], "INT16", 2**-11),
    ]
    made = net.activation([1, 3, hidden], 1 / 128)
    options = fb.UnidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction, options.cellClip = _TANH, 10.0
    inputs = [first, *gates, *[-1] * 3, *biases, *[-1] * 2, *states, *[-1] * 4]
    net.op("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [made], options)
    inner = [net.tensor([0], "FLOAT32") for _ in range(4)]
    inner.append(net.tensor([0], "INT8", scales=[1 / 128]))
    net.graph.operators[-1].intermediates = np.asarray(inner, dtype=np.int32)
    return net.bytes([first], [made])


def handle(net: ModelBuilder, graph: fb.SubGraphT, name: str) -> int:
    """VAR_HANDLE of a variable, in one of the model's subgraphs."""
    net.graph = graph
    index = net.tensor([1], "RESOURCE")
    options = fb.VarHandleOptionsT()
    options.container, options.sharedName = "", name
    net.op("VAR_HANDLE", [], [index], options)
    return index


def delay_net(variables: int = 1, *, computes: bool = False, idle: int = 0) -> bytes:
    """A delay line, as streaming networks have it, once or several times: the newest row of an
    image joins those of inferences before, of which CALL_ONCE makes the first ones. `computes`:
    CALL_ONCE's subgraph has an op; `idle`: so many subgraphs that nothing runs stand before it."""
    net, shape = Drawn(), [1, 3, 4, 2]
    main, first = net.graph, fb.SubGraphT()
    first.tensors, first.operators, first.inputs, first.outputs = [], [], [], []
    net.model.subgraphs += [*copy.deepcopy([first] * idle), first]
    for k in range(variables):
        target = handle(net, first, f"rows {k}")
        value = net.drawn(shape, "INT8", 0.05, 99)
        if computes:
            source, value = value, net.activation(shape)
            net.op("RELU", [source], [value])
        net.op("ASSIGN_VARIABLE", [target, value], [])
    net.graph = main
    once = fb.CallOnceOptionsT()
    once.initSubgraphIndex = 1 + idle
    net.op("CALL_ONCE", [], [], once)
    source = last = net.activation([1, 1, 4, 2])
    for k in range(variables):
        last = _delayed(net, last, f"rows {k}", shape)
    return net.bytes([source], [last])


def streaming_net(width: int = 12, depths: Sequence[int] = (16, 2)) -> bytes:
    """As wake-word models are: CONV_2Ds of one row in front of two delay lines, between them, and
    behind them. Ops 1 to 7 and 9 to 15 are the lines, each with the CALL_ONCE that sets it."""
    net, shape = Drawn(), [1, 3, width, 2]
    main, lines = net.graph, ("first", "second")
    for name in lines:
        own = fb.SubGraphT()
        own.tensors, own.operators, own.inputs, own.outputs = [], [], [], []
        net.model.subgraphs.append(own)
        target = handle(net, own, name)
        net.op("ASSIGN_VARIABLE", [target, net.drawn(shape, "INT8", 0.05, 99)], [])
    net.graph = main
    source = net.activation([1, 1, width, 2])
    last = net.pointwise(source, 2)
    for number, name in enumerate(lines, start=1):
        once = fb.CallOnceOptionsT()
        once.initSubgraphIndex = number
        net.op("CALL_ONCE", [], [], once)
        last = net.pointwise(_delayed(net, last, name, shape), 2)
    for depth in depths:
        last = net.pointwise(last, depth)
    return net.bytes([source], [last])


def _delayed(net: Drawn, newest: int, name: str, shape: Sequence[int]) -> int:
    """READ, CONCATENATION, CONV_2D over all four rows, STRIDED_SLICE, ASSIGN."""
    rows, width, depth = shape[1:]
    target = handle(net, net.graph, name)
    known, all_rows = net.activation(shape), net.activation([1, rows + 1, width, depth])
    net.op("READ_VARIABLE", [target], [known])
    joined = fb.ConcatenationOptionsT()
    joined.axis = 1
    net.op("CONCATENATION", [known, newest], [all_rows], joined)
    made, kept = net.activation([1, 1, width, depth]), net.activation(shape)
    weights = net.drawn([depth, rows + 1, 1, depth], "INT8", 0.02, 127)
    window = fb.Conv2DOptionsT()
    window.padding, window.strideH, window.strideW = fb.Padding.VALID, 1, 1
    bias = net.drawn([depth], "INT32", 0.05 * 0.02, 500)
    net.op("CONV_2D", [all_rows, weights, bias], [made], window)
    bounds = [
        net.tensor([4], "INT32", data=np.asarray(values, "<i4").tobytes())
        for values in ([0, 1, 0, 0], [1, rows + 1, width, depth], [1, 1, 1, 1])
    ]
    net.op("STRIDED_SLICE", [all_rows, *bounds], [kept], fb.StridedSliceOptionsT())
    net.op("ASSIGN_VARIABLE", [target, kept], [])
    return made


def last_input(dtype: str) -> bytes:
    """Makes the input of the inference before, through a variable that starts as zeros."""
    net = Drawn()
    scales = [0.05] if dtype in ("INT8", "INT16") else []
    source, made = (net.tensor([1, 5], dtype, scales=scales) for _ in range(2))
    target = handle(net, net.graph, "last")
    net.op("READ_VARIABLE", [target], [made])
    net.op("ASSIGN_VARIABLE", [target, source], [])
    return net.bytes([source], [made])

"""Which value of the ONNX graph each TFLite tensor holds: a beam search along the TFLite ops.

Two kinds of evidence are added up in dB: how alike the numbers are, and how well the ONNX nodes
between an op's inputs and its output fit the type of the op. Structure is hard in one point only:
what an op makes must follow from what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from splitopt.convert.names.onnx_graph import OnnxGraph
from splitopt.convert.names.zz_correspondence_likeness import Likeness
from splitopt.graph.model import ModelGraph, Op

REARRANGING = frozenset(
    {"RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "QUANTIZE", "DEQUANTIZE", "CAST"}
)
_DOES = {
    "CONV_2D": "Conv ConvInteger QLinearConv Gemm MatMul",
    "DEPTHWISE_CONV_2D": "Conv ConvInteger QLinearConv",
    "CONV_3D": "Conv",
    "TRANSPOSE_CONV": "ConvTranspose Resize Upsample",
    "FULLY_CONNECTED": "Gemm MatMul MatMulInteger QLinearMatMul Conv Einsum",
    "BATCH_MATMUL": "MatMul Gemm Einsum",
    "ADD": "Add Sum Sub BatchNormalization",
    "ADD_N": "Add Sum",
    "SUB": "Sub Add",
    "MUL": "Mul Div BatchNormalization",
    "DIV": "Div Mul",
    "CONCATENATION": "Concat",
    "SPLIT": "Split Slice",
    "SPLIT_V": "Split Slice",
    "STRIDED_SLICE": "Slice Split Gather",
    "SLICE": "Slice Split Gather",
    "GATHER": "Gather Slice",
    "PAD": "Pad",
    "PADV2": "Pad",
    "MIRROR_PAD": "Pad",
    "MAX_POOL_2D": "MaxPool GlobalMaxPool ReduceMax",
    "AVERAGE_POOL_2D": "AveragePool GlobalAveragePool ReduceMean",
    "MEAN": "ReduceMean GlobalAveragePool AveragePool",
    "SUM": "ReduceSum",
    "REDUCE_MAX": "ReduceMax GlobalMaxPool MaxPool",
    "RESIZE_NEAREST_NEIGHBOR": "Resize Upsample",
    "RESIZE_BILINEAR": "Resize Upsample",
    "SOFTMAX": "Softmax",
    "LOG_SOFTMAX": "LogSoftmax",
    "LOGISTIC": "Sigmoid",
    "TANH": "Tanh",
    "RELU": "Relu Clip",
    "RELU6": "Clip Relu",
    "RELU_0_TO_1": "Clip HardSigmoid",
    "RELU_N1_TO_1": "Clip",
    "LEAKY_RELU": "LeakyRelu PRelu",
    "PRELU": "PRelu LeakyRelu",
    "ELU": "Elu",
    "HARD_SWISH": "HardSwish Mul HardSigmoid",
    "GELU": "Gelu Mul",
}
_KINDS: Mapping[str, frozenset[str]] = {op: frozenset(t.split()) for op, t in _DOES.items()}
_HEAVY = frozenset({
    "Conv", "ConvInteger", "QLinearConv", "ConvTranspose", "Gemm", "MatMul", "MatMulInteger",
    "QLinearMatMul", "Einsum", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool",
    "ReduceMean", "ReduceMax", "ReduceSum", "Concat", "Split", "Slice", "Gather", "Resize",
    "Upsample", "Softmax", "LogSoftmax", "Sigmoid", "Tanh", "LSTM", "GRU", "RNN",
})  # fmt: skip
_CLAMPS = frozenset({"Relu", "Clip", "Min", "Max"})
_CAN_CLAMP = frozenset({
    "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "ADD",
    "SUB", "MUL", "DIV", "CONCATENATION", "MAX_POOL_2D", "AVERAGE_POOL_2D",
})  # fmt: skip

_MOST_DB, _LEAST_DB = 40.0, -10.0
_UNMATCHED_DB = -10.0
_WRONG_TYPE_DB = 15.0
_SECOND_HEAVY_DB = 10.0
_MISSED_CLAMP_DB, _EXTRA_CLAMP_DB = 5.0, 2.0
_BEFORE_DB = 1.0  # what is fused stands behind the node that gives an op its type
_BEAM = 12
_CANDIDATES = 8

Table = Mapping[int, Mapping[str, Likeness]]
Values = frozenset[str]


@dataclass(frozen=True)
class Placing:
    """`value`: TFLite tensor → ONNX value, for those that hold one. `basis`: TFLite tensor → the
    values from which it follows: its own, or of what its op reads."""

    value: Mapping[int, str]
    basis: Mapping[int, Values]

    def read_by(self, op: Op) -> Values:
        return frozenset[str]().union(*(self.basis.get(t, frozenset()) for t in op.given_inputs))


@dataclass(frozen=True)
class _Hypothesis:
    merit_db: float
    placing: Placing

    def extended(self, tensor: int, value: str | None, basis: Values, by_db: float) -> _Hypothesis:
        values = self.placing.value if value is None else {**self.placing.value, tensor: value}
        placing = Placing(values, {**self.placing.basis, tensor: basis})
        return _Hypothesis(self.merit_db + by_db, placing)


def place_values(
    onnx: OnnxGraph, graph: ModelGraph, table: Table, inputs: Mapping[int, str]
) -> Placing:
    """The best placing found; `inputs` says which ONNX input each input of the model is.

    Of two hypotheses that agree on all tensors still to be read, only the better can win: the
    search is exact until more than a few hypotheses differ there.
    """
    basis = {tensor: frozenset({value}) for tensor, value in inputs.items()}
    beam = [_Hypothesis(0.0, Placing(dict(inputs), basis))]
    search = _Search(onnx, table)
    for op in graph.ops:
        for tensor in op.outputs:
            beam = [longer for one in beam for longer in search.extensions(one, op, tensor)]
            beam = _thinned(beam, graph, op)
    return beam[0].placing


def _thinned(beam: list[_Hypothesis], graph: ModelGraph, op: Op) -> list[_Hypothesis]:
    made = beam[0].placing.basis  # the same tensors in every hypothesis
    live = [tensor for tensor in made if graph.readers.get(tensor, (-1,))[-1] >= op.index]
    best: dict[tuple[Values, ...], _Hypothesis] = {}
    for one in sorted(beam, key=lambda one: -one.merit_db):
        best.setdefault(tuple(one.placing.basis[tensor] for tensor in live), one)
    return list(best.values())[:_BEAM]


@dataclass(frozen=True)
class _Search:
    onnx: OnnxGraph
    table: Table
    _nodes: dict[tuple[Values, str], tuple[int, ...] | None] = field(default_factory=dict)
    _ranked: dict[int, list[tuple[float, str]]] = field(default_factory=dict)

    def extensions(self, one: _Hypothesis, op: Op, tensor: int) -> list[_Hypothesis]:
        read = one.placing.read_by(op)
        found = [one.extended(tensor, None, read, _UNMATCHED_DB)]
        for likeness_db, value in self._candidates(tensor):
            nodes = self._between(read, value)
            if nodes is None:
                continue
            merit_db = min(likeness_db, _MOST_DB) - misfit_db(self.onnx, op, nodes)
            found.append(one.extended(tensor, value, frozenset({value}), merit_db))
            if len(found) > _CANDIDATES:
                break
        return found

    def _candidates(self, tensor: int) -> list[tuple[float, str]]:
        """Values that have as many elements, the most alike first."""
        if tensor not in self._ranked:
            best: dict[str, float] = {}
            for name, likeness in self.table.get(tensor, {}).items():
                value = self.onnx.root.get(name)
                if value is not None and likeness.merit_db >= _LEAST_DB:
                    best[value] = max(best.get(value, _LEAST_DB), likeness.merit_db)
            self._ranked[tensor] = sorted(((db, v) for v, db in best.items()), reverse=True)
        return self._ranked[tensor]

    def _between(self, read: Values, value: str) -> tuple[int, ...] | None:
        key = (read, value)
        if key not in self._nodes:
            self._nodes[key] = self.onnx.between(read, value)
        return self._nodes[key]


def misfit_db(onnx: OnnxGraph, op: Op, nodes: tuple[int, ...]) -> float:
    """What speaks against the op doing just these nodes; 0 for a perfect fit."""
    if not nodes:
        return 0.0 if op.type in REARRANGING else _WRONG_TYPE_DB
    types = [onnx.nodes[node].type for node in nodes]
    heavy = sum(_is_heavy(onnx, node) for node in nodes)
    against = _SECOND_HEAVY_DB * max(0, heavy - 1)
    if op.type in _KINDS:
        fitting = [at for at, type_ in enumerate(types) if type_ in _KINDS[op.type]]
        against += _BEFORE_DB * fitting[-1] if fitting else _WRONG_TYPE_DB
    elif op.type in REARRANGING:
        against += _WRONG_TYPE_DB
    if op.type in _CAN_CLAMP:
        against += _clamp_misfit_db(op, clamps=types[-1] in _CLAMPS)
    return against


def _is_heavy(onnx: OnnxGraph, node: int) -> bool:
    return onnx.nodes[node].type in _HEAVY or len(onnx.reads(node)) > 1


def _clamp_misfit_db(op: Op, *, clamps: bool) -> float:
    """A clamp without a fused activation happens: the range of an int8 tensor clamps too."""
    fused = bool(op.options.get("fusedActivationFunction", 0))
    if fused == clamps:
        return 0.0
    return _MISSED_CLAMP_DB if fused else _EXTRA_CLAMP_DB

"""ONNX node ↔ TFLite op and ONNX tensor ↔ TFLite tensor, for a model and its conversion.

Converters rename, fuse, insert and reorder, so names say nothing. Both models run on the same few
samples; then, op by op in execution order, each TFLite tensor takes the ONNX value that is most
alike among those that follow from what the op reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from splitopt.base.errors import ModelError
from splitopt.convert.float_onnx import describe_onnx
from splitopt.convert.names.likeness import Likeness
from splitopt.convert.names.onnx_graph import OnnxGraph
from splitopt.convert.names.record import STRUCTURE, VALUES, Correspondence, Match, OpMatch
from splitopt.convert.names.runs import compare_runs
from splitopt.graph.model import ModelGraph, Op
from splitopt.runtime.arrays import Array

_REARRANGING = frozenset(
    {"RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "QUANTIZE", "DEQUANTIZE", "CAST"}
)
_HEAVY = frozenset({
    "Conv", "ConvInteger", "QLinearConv", "ConvTranspose", "Gemm", "MatMul", "MatMulInteger",
    "QLinearMatMul", "Einsum", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool",
    "ReduceMean", "ReduceMax", "ReduceSum", "Concat", "Split", "Slice", "Gather", "Resize",
    "Upsample", "Softmax", "LogSoftmax", "Sigmoid", "Tanh", "LSTM", "GRU", "RNN",
})  # fmt: skip
_CLAMPS = frozenset({"Relu", "Clip", "Min", "Max"})

_ALIKE_DB = 6.0  # sums that differ by one term of a long residual chain come to 8 dB at most
_MOST_DB, _LEAST_DB = 40.0, -10.0  # more likeness says nothing; with less, a tensor has no match
_ANOTHERS_DB = 3.0  # true matches of seven networks lie 0.6 dB at most behind the closest
_NOTHING_DONE_DB = 15.0
_SECOND_HEAVY_DB = 10.0
_MISSED_CLAMP_DB, _EXTRA_CLAMP_DB = 5.0, 2.0


def correspond(
    onnx_path: Path,
    graph: ModelGraph,
    tflite_path: Path,
    samples: Sequence[Array],
    timeout_s: float,
    names: Sequence[str] = (),
) -> Correspondence:
    """What became what; `graph` is what `tflite_path` holds.

    `samples`: for each input of `graph`, real values, channels last, [N, ...], of which 4 at most
    are used. Take them from the calibration data: others may leave the ranges of the int8 model.
    `names`: what these inputs are called in the ONNX model; as it lists them, if not given.
    Raises: ModelError where inputs do not pair off, and on samples of the wrong shape; ToolError
    where a model does not run or a run takes longer than `timeout_s`.
    """
    onnx = describe_onnx(onnx_path, timeout_s)
    own = [value.name for value in onnx.inputs]
    names = names or own
    if sorted(names) != sorted(own) or not len(own) == len(graph.inputs) == len(samples):
        raise ModelError(
            f"{onnx_path}: got {len(own)} inputs ({len(graph.inputs)} after conversion), want as "
            "many of each to tell which ONNX node became which op"
        )
    fed = dict(zip(names, samples, strict=True))
    table = compare_runs(onnx_path, onnx, graph, tflite_path, fed, timeout_s)
    return match(onnx, graph, table, names)


def match(
    onnx: OnnxGraph,
    graph: ModelGraph,
    table: Mapping[int, Mapping[str, Likeness]],
    names: Sequence[str] = (),
) -> Correspondence:
    """`table`: TFLite tensor → ONNX tensor → how alike they are. `names`: as in `correspond`."""
    matching = _Matching(onnx, graph, table, names or [value.name for value in onnx.inputs])
    for op in graph.ops:
        matching.take(op)
    op_of = matching.op_of
    return Correspondence(
        matches=tuple(matching.matches()),
        ops=tuple(matching.op_matches()),
        unmatched_nodes=tuple(n.name for at, n in enumerate(onnx.nodes) if at not in op_of),
        unmatched_ops=tuple(op.index for op in graph.ops if op.index not in op_of.values()),
    )


@dataclass
class _Matching:
    """`value` and `name`: TFLite tensor → the ONNX value it holds, and the ONNX tensor of that
    value it is called after. `basis`: TFLite tensor → the values from which it follows: its own,
    or those of what its op reads. `op_of`: ONNX node → op."""

    onnx: OnnxGraph
    graph: ModelGraph
    table: Mapping[int, Mapping[str, Likeness]]
    names: Sequence[str]
    value: dict[int, str] = field(default_factory=dict)
    name: dict[int, str] = field(default_factory=dict)
    basis: dict[int, frozenset[str]] = field(default_factory=dict)
    op_of: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for tensor, name in zip(self.graph.inputs, self.names, strict=True):
            self.value[tensor] = self.name[tensor] = name
            self.basis[tensor] = frozenset({name})

    def take(self, op: Op) -> None:
        """Places the op's outputs, and gives it the nodes that no earlier op has."""
        read = frozenset[str]().union(*(self.basis.get(t, ()) for t in op.given_inputs))
        for tensor in op.outputs:
            best = self._best(op, tensor, read)
            self.basis[tensor] = read if best is None else frozenset({best[0]})
            if best is None:
                continue
            value, nodes = best
            self.value[tensor], self.name[tensor] = value, self._name(tensor, value)
            for node in nodes:
                free = [twin for twin in self.onnx.twins[node] if twin not in self.op_of]
                self.op_of.update(dict.fromkeys(free[:1], op.index))
            start = next(
                (self.name[t] for t in op.given_inputs if self.value.get(t) == value), value
            )
            for view in self.onnx.views_between(start, self.name[tensor]) or ():
                self.op_of.setdefault(view, op.index)

    def _best(
        self, op: Op, tensor: int, read: frozenset[str]
    ) -> tuple[str, tuple[int, ...]] | None:
        """The value with the most likeness minus misfit, and the nodes from `read` to it.

        Of equally good ones the last: an idle node that was fused belongs to the op before it.
        """
        best, merit = None, (_LEAST_DB, 0)
        for like_db, value in self._candidates(tensor):
            if min(like_db, _MOST_DB) < merit[0]:
                break
            nodes = self.onnx.between(read, value)
            passes_on = nodes == () and op.type in _REARRANGING
            if nodes is None or (self._is_anothers(tensor, value) and not passes_on):
                continue
            own = min(like_db, _MOST_DB) - self._misfit_db(op, nodes), len(nodes)
            if own > merit:
                best, merit = (value, nodes), own
        return best

    def _candidates(self, tensor: int) -> list[tuple[float, str]]:
        """Values that have as many elements and that an output depends on, the most alike first."""
        found: dict[str, float] = {}
        for name, like in self.table.get(tensor, {}).items():
            value = self.onnx.root.get(name, "")
            if self.onnx.maker.get(value) in self.onnx.useful or value in self.value.values():
                found[value] = max(found.get(value, like.merit_db), like.merit_db)
        return sorted(((db, value) for value, db in found.items()), reverse=True)

    def _is_anothers(self, tensor: int, value: str) -> bool:
        """Whether some other tensor holds the value with half the error or less.

        What follows from a tensor is off by at least as much as that is: a tensor that holds the
        value is as close as any. A normalisation of several ops, say, is nearly there before its
        last one. Errors are compared against one signal, the value's own.
        """
        own = (like.sqnr_db for n, like in self.table[tensor].items() if self._is_of(n, value))
        return self._closest_db.get(value, _LEAST_DB) > max(own) + _ANOTHERS_DB

    def _is_of(self, name: str, value: str) -> bool:
        return self.onnx.root.get(name) == value

    @cached_property
    def _closest_db(self) -> Mapping[str, float]:
        """Value → SQNR of the tensor that is closest, among those that are alike."""
        found: dict[str, float] = {}
        for alike in self.table.values():
            for name, like in alike.items():
                value = self.onnx.root.get(name, "")
                if like.merit_db > _ALIKE_DB:
                    found[value] = max(found.get(value, like.sqnr_db), like.sqnr_db)
        return found

    def _misfit_db(self, op: Op, nodes: tuple[int, ...]) -> float:
        """What speaks against the op doing just these nodes; 0 for a perfect fit."""
        if not nodes or op.type in _REARRANGING:
            return _NOTHING_DONE_DB * (bool(nodes) == (op.type in _REARRANGING))
        types = [self.onnx.nodes[node].type for node in nodes]
        pairs = zip(nodes, types, strict=True)
        heavy = sum(type_ in _HEAVY or len(self.onnx.reads(node)) > 1 for node, type_ in pairs)
        against = _SECOND_HEAVY_DB * max(0, heavy - 1)
        fused, clamps = op.options.get("fusedActivationFunction"), types[-1] in _CLAMPS
        if fused is None or bool(fused) == clamps:
            return against
        # Clamping without a fused activation happens: the range of an int8 tensor clamps, too.
        return against + (_MISSED_CLAMP_DB if fused else _EXTRA_CLAMP_DB)

    def _name(self, tensor: int, value: str) -> str:
        """Of the ONNX tensors that hold the value, the first that stands as the TFLite tensor
        does, and that no other TFLite tensor is called after."""
        alike, taken = self.table[tensor], {*self.name.values()}
        held = [name for name in self.onnx.members[value] if name in alike]
        return max(held, key=lambda n: (*_closeness(alike[n]), n not in taken))

    def matches(self) -> Iterator[Match]:
        """By TFLite tensor; the tensor's own name first, then others that hold the same."""
        holds: dict[int, list[str]] = {tensor: [name] for tensor, name in self.name.items()}
        for name, value in self.onnx.root.items():
            held = [
                t for t, own in self.value.items() if own == value and name in self.table.get(t, ())
            ]
            if held and name not in self.name.values():
                holder = max(held, key=lambda t: _closeness(self.table[t][name]))
                holds[holder].append(name)
        for tensor in sorted(holds):
            for name in holds[tensor]:
                like = self.table.get(tensor, {}).get(name)
                if like is not None:
                    evidence = VALUES if like.merit_db >= _ALIKE_DB else STRUCTURE
                    yield Match(name, tensor, round(like.sqnr_db, 2), like.layout, evidence)

    def op_matches(self) -> Iterator[OpMatch]:
        placed = {*self.value.values()}
        for op in self.graph.ops:
            nodes = [self.onnx.nodes[n] for n, own in sorted(self.op_of.items()) if own == op.index]
            made = [tensor for node in nodes for tensor in node.outputs if tensor not in placed]
            inner = (member for value in made for member in self.onnx.members.get(value, ()))
            if nodes:
                yield OpMatch(op.index, tuple(node.name for node in nodes), tuple(inner))


def _closeness(like: Likeness) -> tuple[bool, float]:
    return like.same_shape, round(like.merit_db, 1)

"""The ops of one model by what they are: those that are alike take the same, computed once.

Figures follow from types, shapes and options, and from constants that state sizes, but neither from
weights nor from scales.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from splitopt.arena.kernel import KernelMemory
from splitopt.arena.rules import TargetRules
from splitopt.cost.allocate import prepare_insn
from splitopt.cost.costs import Costs
from splitopt.graph.model import ABSENT, ModelGraph, Op, Tensor
from splitopt.tiling.streams.group_graph import row_graph

_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
_OnRows = tuple[int, tuple[int, ...], int]
"""A kind of ops, the rows of each activation that it reads, and those that it makes."""


class AlikeOps:
    """`kinds`: a number for each op, the same for ops that are alike. What an op takes is asked for
    by its index."""

    def __init__(self, graph: ModelGraph, rules: TargetRules, costs: Costs) -> None:
        self.graph, self.rules, self.costs = graph, rules, costs
        found: dict[Hashable, int] = {}
        self.kinds = [found.setdefault(_likeness(graph, op), len(found)) for op in graph.ops]
        self._whole_insn: dict[int, int | None] = {}
        self._prepare_insn: dict[int, float] = {}
        self._row_insn: dict[_OnRows, int | None] = {}
        self._memories: dict[_OnRows, KernelMemory] = {}

    def whole_insn(self, op: int) -> int | None:
        """Instructions of Invoke on all rows; None where there is no estimate."""
        kind, known = self.kinds[op], self._whole_insn
        if kind not in known:
            known[kind] = self.costs.invoke(self.graph, self.graph.ops[op])
        return known[kind]

    def prepare_insn(self, op: int) -> float:
        """Of Init and Prepare, on any number of rows."""
        kind, known = self.kinds[op], self._prepare_insn
        if kind not in known:
            known[kind] = prepare_insn(self.graph, self.graph.ops[op], self.costs.allocate)
        return known[kind]

    def row_insn(self, op: int, read: Mapping[int, int], made: int) -> int | None:
        """Of one Invoke in a stream that makes so many rows. `read`: rows by activation."""
        name = self.kinds[op], tuple(read.values()), made
        if name not in self._row_insn:
            graph = row_graph(self.graph, [self.graph.ops[op]], read, made)
            self._row_insn[name] = self.costs.invoke(graph, graph.ops[0])
        return self._row_insn[name]

    def row_memory(self, op: int, read: Mapping[int, int], made: int) -> KernelMemory:
        """What the kernel asks for then; its temporaries are those of some op alike."""
        name = self.kinds[op], tuple(read.values()), made
        if name not in self._memories:
            graph = row_graph(self.graph, [self.graph.ops[op]], read, made)
            self._memories[name] = self.rules.memory(graph, graph.ops[0])
        return self._memories[name]


def _likeness(graph: ModelGraph, op: Op) -> Hashable:
    """Equal for ops with equal figures."""
    touched = tuple(dict.fromkeys(op.touched))
    number = {ABSENT: ABSENT, **{tensor: k for k, tensor in enumerate(touched)}}
    named = tuple(tuple(number[t] for t in own) for own in (op.inputs, op.outputs, op.touched))
    options = tuple(sorted((name, repr(value)) for name, value in op.options.items()))
    states_sizes = op.type not in _WEIGHTED
    tensors = tuple(_tensor_likeness(graph.tensors[t], with_data=states_sizes) for t in touched)
    return op.type, op.version, named, options, tensors


def _tensor_likeness(tensor: Tensor, *, with_data: bool) -> Hashable:
    own = tensor.quantization
    quantization = None if own is None else (len(own.scales), any(own.zero_points))
    data = bytes(tensor.data) if with_data else b""
    return tensor.shape, tensor.dtype, tensor.kind, quantization, tensor.is_open, data

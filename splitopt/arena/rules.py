"""Op → KernelMemory for a target: its rule table where one was measured, else a safe estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from splitopt.arena import m55_kernels, x86_64_kernels
from splitopt.arena.abi import M55, X86_64, Abi
from splitopt.arena.estimates import upper_estimate, widened
from splitopt.arena.kernel import KernelMemory, KernelRule, OpView
from splitopt.base.errors import UsageError
from splitopt.graph.model import ModelGraph, Op

_INDEX_DTYPES = frozenset({"INT32", "INT64"})
_DATA_MOVERS = frozenset({"RESHAPE", "QUANTIZE", "DEQUANTIZE", "EXPAND_DIMS", "SQUEEZE"})


@dataclass(frozen=True, slots=True)
class TargetRules:
    """The rules of one ABI: structure sizes, kernels, and the types they were measured on."""

    abi: Abi
    kernels: Mapping[str, KernelRule]
    measured_dtypes: frozenset[str]

    def memory(self, graph: ModelGraph, op: Op) -> KernelMemory:
        """What the op's kernel asks for; `estimate` says so where that was not measured."""
        view = OpView(graph, op)
        rule = self.kernels.get(op.type)
        if rule is None:
            return upper_estimate(view, f"{op.type} has no measured rule")
        try:
            memory = rule(view)
        except (LookupError, ValueError, ZeroDivisionError):
            return upper_estimate(view, f"{op.type} of this form has no measured rule")
        foreign = self._unmeasured_dtype(view)
        if not memory.exact or op.type in _DATA_MOVERS or not foreign:
            return memory
        return widened(memory, upper_estimate(view, f"{op.type} was not measured on {foreign}"))

    def _unmeasured_dtype(self, view: OpView) -> str:
        """The first element type the rules were not measured on; indices and biases aside."""
        names = (view.output.dtype.name, *(tensor.dtype.name for tensor in view.inputs))
        foreign = [name for name in names if name not in self.measured_dtypes]
        return next((n for n in foreign if n not in _INDEX_DTYPES or n == names[0]), "")

    def memories(self, graph: ModelGraph) -> tuple[KernelMemory, ...]:
        return tuple(self.memory(graph, op) for op in graph.ops)


_TARGETS = {
    M55.name: TargetRules(M55, m55_kernels.RULES, frozenset({"INT8"})),
    X86_64.name: TargetRules(
        X86_64, x86_64_kernels.RULES, frozenset({"INT8", "INT4", "INT16", "FLOAT32"})
    ),
}


def target_rules(abi: str) -> TargetRules:
    """The rules of an ABI, by its name. Raises UsageError for an ABI that has no rules."""
    try:
        return _TARGETS[abi]
    except KeyError:
        known = ", ".join(sorted(_TARGETS))
        raise UsageError(f"ABI {abi!r} has no arena rules; want one of: {known}") from None

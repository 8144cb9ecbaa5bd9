"""Op → KernelMemory for a target: its rule table where one was measured, else an estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from splitopt.arena import m55_kernels, x86_64_kernels
from splitopt.arena.abi import M55, X86_64, Abi
from splitopt.arena.estimates import estimate
from splitopt.arena.kernel import CalledGraph, KernelMemory, OpView, Rule
from splitopt.base.errors import UsageError
from splitopt.graph.model import ModelGraph, Op

_INDEX_DTYPES = frozenset({"INT32", "INT64"})


@dataclass(frozen=True, slots=True)
class TargetRules:
    """The rules of one ABI: structure sizes and kernels."""

    abi: Abi
    kernels: Mapping[str, Rule]

    def memory(self, graph: ModelGraph, op: Op) -> KernelMemory:
        """What the op's kernel asks for; `estimate` says so where that was not measured."""
        if op.type == "CALL_ONCE":
            return self._call_once(graph, op)
        return self._own(graph, op)

    def _own(self, graph: ModelGraph, op: Op) -> KernelMemory:
        view = OpView(graph, op)
        rule = self.kernels.get(op.type)
        if rule is None:
            return estimate(view, f"{op.type} has no measured rule")
        try:
            memory = rule.memory(view)
        except (LookupError, ValueError, ZeroDivisionError):
            return estimate(view, f"{op.type} of this form has no measured rule")
        foreign = _unmeasured_type(rule, view)
        return replace(memory, estimate=foreign and f"{op.type} was not measured on {foreign}")

    def _call_once(self, graph: ModelGraph, op: Op) -> KernelMemory:
        """With the subgraph that it runs. Activations and scratch there count as scratch of the op:
        all alive at once, an upper estimate."""
        own = graph.called[int(op.options.get("initSubgraphIndex", 1)) - 1]
        memories = self.memories(own)
        held = [tensor.bytes for tensor in own.tensors if tensor.is_activation and tensor.bytes]
        held += [size for memory in memories for size in memory.scratch]
        reasons = [memory.estimate for memory in memories if memory.estimate]
        reasons += ["CALL_ONCE of a subgraph with activations has no measured rule"] if held else []
        return replace(
            self._own(graph, op),
            scratch=tuple(held),
            estimate=next(iter(reasons), ""),
            called=CalledGraph(own, tuple(replace(memory, scratch=()) for memory in memories)),
        )

    def memories(self, graph: ModelGraph) -> tuple[KernelMemory, ...]:
        return tuple(self.memory(graph, op) for op in graph.ops)


def _unmeasured_type(rule: Rule, view: OpView) -> str:
    """The first element type that the rule was not measured on; indices and biases aside."""
    made = (view.graph.tensors[tensor] for tensor in view.op.outputs[:1])
    names = tuple(tensor.dtype.name for tensor in (*made, *view.inputs))
    foreign = [name for name in names if name not in rule.types]
    return next((n for n in foreign if n not in _INDEX_DTYPES or n == names[0]), "")


_TARGETS = {
    M55.name: TargetRules(M55, m55_kernels.RULES),
    X86_64.name: TargetRules(X86_64, x86_64_kernels.RULES),
}


def target_rules(abi: str) -> TargetRules:
    """The rules of an ABI, by its name. Raises UsageError for an ABI that has no rules."""
    try:
        return _TARGETS[abi]
    except KeyError:
        known = ", ".join(sorted(_TARGETS))
        raise UsageError(f"ABI {abi!r} has no arena rules; want one of: {known}") from None

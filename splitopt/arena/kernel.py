"""What one op's kernel asks TFLM's allocators for; the vocabulary of the rule tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from splitopt.arena.abi import Block
from splitopt.graph.model import ABSENT, ModelGraph, Op, Tensor


@dataclass(frozen=True, slots=True)
class KernelMemory:
    """One op's requests, in bytes.

    params: the parsed options (size, alignment), None where the kernel has none.
    init, kept: persistent, by Init and by Prepare, each aligned to 16.
    temporaries: tensors looked at together in Prepare, in order.
    scratch: requests for the op's own time; each costs a handle even where its size is 0.
    variable: the resource variable that a kernel names, with the bytes that it allocates where no
    kernel before has; 0 for a kernel that only names it.
    called: the subgraph that it runs.
    estimate: why the figures are an upper estimate; empty where they rest on measurement.
    """

    params: Block | None = None
    init: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    temporaries: tuple[int, ...] = ()
    scratch: tuple[int, ...] = ()
    estimate: str = ""
    variable: tuple[str, int] | None = None
    called: CalledGraph | None = None

    @property
    def exact(self) -> bool:
        return not self.estimate


@dataclass(frozen=True, slots=True)
class CalledGraph:
    """A further subgraph of the file, and what its kernels ask for but scratch."""

    graph: ModelGraph
    memories: tuple[KernelMemory, ...]


@dataclass(frozen=True, slots=True)
class OpView:
    """An op with its tensors at hand, as the rules read it."""

    graph: ModelGraph
    op: Op

    @property
    def options(self) -> Mapping[str, Any]:
        return self.op.options

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return tuple(self.graph.tensors[tensor] for tensor in self.op.given_inputs)

    @property
    def output(self) -> Tensor:
        return self.graph.tensors[self.op.outputs[0]]

    def input(self, position: int) -> Tensor:
        """Raises LookupError where the op has no such input."""
        index = self.op.inputs[position]
        if index == ABSENT:
            raise LookupError(f"input {position} is absent")
        return self.graph.tensors[index]

    def has_input(self, position: int) -> bool:
        return position < len(self.op.inputs) and self.op.inputs[position] != ABSENT

    def optional_inputs(self, *positions: int) -> tuple[int, ...]:
        """Indices of those inputs that are given."""
        return tuple(self.op.inputs[p] for p in positions if self.has_input(p))

    def option(self, name: str, default: int = 0) -> int:
        return int(self.op.options.get(name, default))

    def tensors(self, pattern: str) -> tuple[int, ...]:
        """Indices of tensors in order. `0 1 2 o`: inputs by position, where they are given, and
        the first output; `*`: all inputs."""
        found: tuple[int, ...] = ()
        for word in pattern.split():
            if word == "o":
                found += (self.output.index,)
            elif word == "*":
                found += self.op.given_inputs
            else:
                found += self.optional_inputs(int(word))
        return found


KernelRule = Callable[[OpView], KernelMemory]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a kernel's requests follow from an op. `types`: all element types, those of weights and
    results included, of the ops that it was measured on; biases and indices aside."""

    types: frozenset[str]
    memory: KernelRule


def measured(types: str, memory: KernelRule) -> Rule:
    return Rule(frozenset(types.split()), memory)


def fixed(
    types: str,
    pattern: str,
    params: Block | None = None,
    init: tuple[int, ...] = (),
    kept: tuple[int, ...] = (),
) -> Rule:
    """A kernel whose requests depend on no shape; it looks at the tensors of `pattern`."""
    return measured(types, lambda view: KernelMemory(params, init, kept, view.tensors(pattern)))


def shape_bytes(tensor: Tensor) -> int:
    """A tensor's shape as kernels keep it: its rank and an extent each, of 4 bytes."""
    return 4 + 4 * len(tensor.shape)


def by_type(position: int, **rules: KernelRule) -> KernelRule:
    """A kernel whose requests differ with the element type of one input: a rule for each. An op of
    another type has no rule: LookupError."""
    return lambda view: rules[view.input(position).dtype.name](view)

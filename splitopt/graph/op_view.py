"""One op's operands as the rules of shapes read them: shapes, constants, options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from splitopt.base.errors import ModelError
from splitopt.graph.model import ABSENT, ModelGraph, Op, Tensor

Shape = tuple[int, ...]
_INTEGERS = {"INT32": "<i4", "INT64": "<i8"}


@dataclass(frozen=True, slots=True)
class Operands:
    """An op in its graph; its operands have the ranks of `op_signatures`."""

    graph: ModelGraph
    op: Op

    @property
    def shapes(self) -> list[Shape]:
        """Of the inputs that are given."""
        return [self.graph.tensors[tensor].shape for tensor in self.op.given_inputs]

    def input(self, position: int) -> Tensor | None:
        """None where it is absent or not there."""
        inputs = self.op.inputs
        if position >= len(inputs) or inputs[position] == ABSENT:
            return None
        return self.graph.tensors[inputs[position]]

    def shape(self, position: int) -> Shape:
        return self.graph.tensors[self.op.inputs[position]].shape

    def integers(self, position: int) -> list[int] | None:
        """The values of a constant operand of integers, flat; None where it is no such."""
        tensor = self.input(position)
        if tensor is None or not (tensor.is_constant or tensor.bytes == 0):
            return None
        if not tensor.elements:
            return []
        dtype = _INTEGERS.get(tensor.dtype.name)
        if dtype is None:
            return None
        values: list[int] = np.frombuffer(tensor.data, dtype, tensor.elements).tolist()
        return values

    def option(self, name: str) -> int:
        """Zero where the file has no options."""
        return int(self.op.options.get(name, 0))

    def refuse(self, what: str) -> ModelError:
        """The error of an op that cannot be what the file says."""
        return ModelError(f"{self.graph.op_name(self.op.index)}: {what}")

    def want(self, condition: bool, what: str) -> None:
        if not condition:
            raise self.refuse(what)

    def axis(self, axis: int, rank: int) -> int:
        """From the front. Raises ModelError for one that the rank does not have."""
        self.want(-rank <= axis < rank, f"axis {axis}, of a tensor of rank {rank}")
        return axis % rank


def without(shape: Shape, axes: Sequence[int]) -> Shape:
    return tuple(extent for axis, extent in enumerate(shape) if axis not in axes)

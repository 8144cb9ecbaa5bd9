"""A network as data: tensors, ops in the order they run, and the DAG between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx as nx

ABSENT = -1  # an optional input that is not given


class TensorKind(StrEnum):
    CONSTANT = "constant"
    ACTIVATION = "activation"
    VARIABLE = "variable"
    HANDLE = "handle"  # names a resource variable; its kernel keeps the number, not the head


@dataclass(frozen=True, slots=True)
class DType:
    """An element type: its TensorFlow Lite name and its width."""

    name: str
    bits: int

    def bytes_of(self, elements: int) -> int:
        return (elements * self.bits + 7) // 8


@dataclass(frozen=True, slots=True)
class Quantization:
    """Affine quantisation: real = scale · (integer - zero point), per tensor or per channel."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    dimension: int = 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """Any value. `data` is empty unless the tensor is constant. `is_open`: the converter did not
    know one of its extents (shape_signature -1)."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: DType
    kind: TensorKind
    buffer: int
    quantization: Quantization | None = None
    data: memoryview = field(default=memoryview(b""), repr=False, compare=False)
    is_open: bool = field(default=False, compare=False)
    elements: int = field(init=False)
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        elements = 1
        for extent in self.shape:
            elements *= extent
        object.__setattr__(self, "elements", elements)
        object.__setattr__(self, "bytes", self.dtype.bytes_of(elements))

    @property
    def is_constant(self) -> bool:
        return self.kind is TensorKind.CONSTANT

    @property
    def is_activation(self) -> bool:
        return self.kind is TensorKind.ACTIVATION

    @property
    def is_variable(self) -> bool:
        return self.kind is TensorKind.VARIABLE


@dataclass(frozen=True, slots=True)
class Op:
    """One operator. `options` holds the fields of its options table by their schema names.
    `given_inputs`: the inputs that are present, in order. `touched`: every tensor that it names."""

    index: int
    type: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(repr=False, compare=False)
    intermediates: tuple[int, ...] = ()
    given_inputs: tuple[int, ...] = field(init=False, repr=False, compare=False)
    touched: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        given = tuple(tensor for tensor in self.inputs if tensor != ABSENT)
        object.__setattr__(self, "given_inputs", given)
        object.__setattr__(self, "touched", (*given, *self.outputs, *self.intermediates))


@dataclass(frozen=True)
class ModelGraph:
    """A single-subgraph network; ops stand in file order, which is a topological order.

    `source` is the file it was read from, whole and verified; where the graph `is_part` of a file
    of several subgraphs, a file of this one. `offline_offsets`: places in the
    head that the file's OfflineMemoryAllocation metadata fix, by tensor, in bytes. `called`: the
    file's further subgraphs, from 1 on, which CALL_ONCEs run at the first inference; their own
    `source` is empty.
    """

    name: str
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    source: bytes = field(repr=False, compare=False)
    offline_offsets: Mapping[int, int] = field(default_factory=dict, compare=False)
    is_part: bool = field(default=False, compare=False)
    called: tuple[ModelGraph, ...] = ()

    @property
    def op_types(self) -> frozenset[str]:
        """Of all that the file runs."""
        return frozenset(op.type for own in (self, *self.called) for op in own.ops)

    @cached_property
    def producer(self) -> Mapping[int, int]:
        """Tensor → the op that makes it."""
        return {tensor: op.index for op in self.ops for tensor in op.outputs}

    @cached_property
    def readers(self) -> Mapping[int, tuple[int, ...]]:
        """Tensor → the ops that read it, ascending; tensors that nothing reads are not there."""
        found: dict[int, list[int]] = {}
        for op in self.ops:
            for tensor in dict.fromkeys(op.given_inputs):
                found.setdefault(tensor, []).append(op.index)
        return {tensor: tuple(ops) for tensor, ops in found.items()}

    @cached_property
    def dag(self) -> nx.DiGraph:
        """Ops as nodes (`type`), an edge for each op that reads what another made (`tensors`)."""
        import networkx as nx  # takes longer to load than small models do

        dag = nx.DiGraph()
        for op in self.ops:
            dag.add_node(op.index, type=op.type)
        for tensor, ops in self.readers.items():
            maker = self.producer.get(tensor)
            for reader in ops if maker is not None else ():
                if not dag.has_edge(maker, reader):
                    dag.add_edge(maker, reader, tensors=())
                dag.edges[maker, reader]["tensors"] += (tensor,)
        return dag

    @property
    def variables(self) -> tuple[Tensor, ...]:
        return tuple(tensor for tensor in self.tensors if tensor.is_variable)

    def op_name(self, index: int) -> str:
        """How an op is called in messages: `op 3 DEPTHWISE_CONV_2D`."""
        return f"op {index} {self.ops[index].type}"

"""A network that is fed, and read, in the integers that it computes with.

Converters put a QUANTIZE behind a float input and a DEQUANTIZE before a float output, and hold the
network's largest tensors four times over for it. They are dropped here, once, so that all that
comes after sees an ordinary integer model. What an end meant before is kept with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.base.text import printable
from splitopt.graph.model import ABSENT, ModelGraph, Op, Quantization, Tensor
from splitopt.graph.packed import pack
from splitopt.graph.tflite_reader import OFFLINE_PLAN, parse_tflite

_INTEGERS = ("INT8", "INT16")
_FLOAT, _UINT8 = "FLOAT32", "UINT8"
_REBIAS = 128  # of TFLM's QUANTIZE between UINT8 and INT8: the top bit is flipped
_OFFLINE_WORDS = 3  # before the offsets: version, subgraph, number of tensors


@dataclass(frozen=True)
class End:
    """An input or output of the model: real = scale · (integer - zero point).

    `name`: as the model was given; `tensor`: index in the integer model. `was`: its element type
    before, and `dropped` the ops that stood between, by index in the model as given, where its
    integers are tensor `given`. All but the first three are empty for an end that was not changed.
    """

    name: str
    tensor: int
    given: int
    was: str = ""
    dropped: tuple[int, ...] = ()

    @property
    def is_changed(self) -> bool:
        return bool(self.dropped)


@dataclass(frozen=True)
class IntegerIo:
    """An integer model, the one it was made from, and every end of it, in the model's order.

    `kept`: a sentence for each end that is no integer still, on why.
    """

    given: ModelGraph
    graph: ModelGraph
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    kept: tuple[str, ...]

    @property
    def changed(self) -> tuple[End, ...]:
        return tuple(end for end in (*self.inputs, *self.outputs) if end.is_changed)

    @property
    def dropped_names(self) -> tuple[str, ...]:
        """`op 0 QUANTIZE`: what the model as given has, and the integer one has not."""
        ops = sorted({op for end in self.changed for op in end.dropped})
        return tuple(self.given.op_name(op) for op in ops)


def with_integer_io(graph: ModelGraph) -> IntegerIo:
    """The model without QUANTIZE and DEQUANTIZE at its ends; the same graph where it has none.

    An input goes that only QUANTIZE reads, to one scale; an output that only DEQUANTIZE makes. A
    QUANTIZE between UINT8 and INT8 goes where both mean the same but for 128 levels.
    """
    kept: list[str] = []
    inputs = [_end(graph, t, _input(graph, t), "input", kept) for t in graph.inputs]
    taken = {end.given for end in inputs} | set(graph.outputs)
    outputs = []
    for tensor in graph.outputs:
        end = _end(graph, tensor, _output(graph, tensor, taken), "output", kept)
        taken.add(end.given)
        outputs.append(end)
    if not any(end.is_changed for end in (*inputs, *outputs)):
        return IntegerIo(graph, graph, tuple(inputs), tuple(outputs), tuple(kept))
    data, new = _Rewriter(graph, inputs, outputs).rewritten()
    made = parse_tflite(data, name=graph.name, where=f"{graph.name} with integer ends")
    placed = [
        tuple(End(e.name, new[e.given], e.given, e.was, e.dropped) for e in ends)
        for ends in (inputs, outputs)
    ]
    return IntegerIo(graph, made, placed[0], placed[1], tuple(kept))


@dataclass(frozen=True)
class _Found:
    """The integers behind an end, and the ops between: none, with the reason, where it stays."""

    tensor: int
    ops: tuple[int, ...] = ()
    why: str = ""


def _end(graph: ModelGraph, tensor: int, found: _Found, what: str, kept: list[str]) -> End:
    given = graph.tensors[tensor]
    if found.ops:
        return End(given.name, found.tensor, found.tensor, given.dtype.name, found.ops)
    if given.dtype.name not in _INTEGERS:
        kept.append(f"{what} {printable(given.name)!r} stays {given.dtype.name}: {found.why}")
    return End(given.name, tensor, tensor)


def _input(graph: ModelGraph, tensor: int) -> _Found:
    source = graph.tensors[tensor]
    ops = [graph.ops[op] for op in graph.readers.get(tensor, ())]
    others = [op for op in ops if op.type != "QUANTIZE"]
    if others or not ops:
        reader = f"{graph.op_name(others[0].index)} reads it so" if others else "no op reads it"
        return _Found(tensor, why=reader)
    made = [graph.tensors[op.outputs[0]] for op in ops]
    if any(_meaning(it) != _meaning(made[0]) for it in made):
        names = " and ".join(graph.op_name(op.index) for op in ops[:2])
        return _Found(tensor, why=f"{names} quantise it in two ways")
    ended = next((op for op in ops if op.outputs[0] in graph.outputs), None)
    if ended is not None:
        return _Found(tensor, why=f"{graph.op_name(ended.index)} makes an output of it")
    why = _difference(source, made[0])
    if why:
        return _Found(tensor, why=f"{graph.op_name(ops[0].index)} {why}")
    return _Found(made[0].index, tuple(op.index for op in ops))


def _output(graph: ModelGraph, tensor: int, taken: set[int]) -> _Found:
    """`taken`: tensors that are an input or an output already. Two ops may stand in a row: from
    INT8 to UINT8, and from there to float."""
    ops: list[int] = []
    while True:
        op = graph.ops[graph.producer[tensor]]
        why = _why_kept(graph, op, tensor, taken, ops)
        if why:
            return _Found(tensor, tuple(ops), "" if ops else why)
        ops.append(op.index)
        tensor = op.inputs[0]
        if graph.tensors[tensor].dtype.name in _INTEGERS:
            return _Found(tensor, tuple(ops))


def _why_kept(
    graph: ModelGraph, op: Op, tensor: int, taken: set[int], dropped: Sequence[int]
) -> str:
    """Why an output's maker has to stay; empty where it can go, as the `dropped` that read it."""
    name = graph.op_name(op.index)
    readers = [reader for reader in graph.readers.get(tensor, ()) if reader not in dropped]
    if op.type not in ("QUANTIZE", "DEQUANTIZE"):
        return f"{name} makes it so"
    if readers:
        return f"{graph.op_name(readers[0])} reads it, too"
    source = graph.tensors[op.inputs[0]]
    if source.index not in graph.producer:
        return f"{name} reads no other op's result"
    if source.index in taken:
        return f"what {name} reads is an input or output already"
    why = _difference(graph.tensors[tensor], source)
    return f"{name} {why}" if why else ""


def _meaning(tensor: Tensor) -> tuple[str, tuple[int, ...], Quantization | None]:
    return tensor.dtype.name, tensor.shape, tensor.quantization


def _difference(outer: Tensor, inner: Tensor) -> str:
    """What is in the way of feeding or reading the inner integers in the outer's place."""
    affine, types = inner.quantization, (outer.dtype.name, inner.dtype.name)
    if affine is None or len(affine.scales) != 1:
        return "has no scale of the whole tensor"
    if outer.shape != inner.shape or not inner.is_activation:
        return "changes more than the element type"
    if types in ((_FLOAT, "INT8"), (_FLOAT, "INT16"), (_FLOAT, _UINT8)):
        return ""
    if types != (_UINT8, "INT8"):
        return f"turns {types[0]} to {types[1]} by another rule"
    other = outer.quantization
    if other is None or other.scales != affine.scales:
        return "changes the scale between UINT8 and INT8"
    shift = other.zero_points[0] - affine.zero_points[0]
    return "" if shift == _REBIAS else f"shifts UINT8 to INT8 by {shift} levels, not by {_REBIAS}"


class _Rewriter:
    """The file without the ops that ends dropped, and without the tensors that only these named."""

    def __init__(self, graph: ModelGraph, inputs: list[End], outputs: list[End]) -> None:
        self.graph, self.inputs, self.outputs = graph, inputs, outputs
        self.dropped = {op for end in (*inputs, *outputs) for op in end.dropped}
        self.instead: dict[int, int] = {}
        for given, ends in ((graph.inputs, inputs), (graph.outputs, outputs)):
            self.instead |= {old: end.given for old, end in zip(given, ends, strict=True)}
        for end in inputs:  # several QUANTIZE of one input and one meaning
            self.instead |= {graph.ops[op].outputs[0]: end.given for op in end.dropped}
        gone = {t for op in self.dropped for t in graph.ops[op].touched}
        gone -= {end.given for end in (*inputs, *outputs)}
        gone -= {t for op in graph.ops if op.index not in self.dropped for t in self._read(op)}
        kept = (t.index for t in graph.tensors if t.index not in gone)
        self.new = {old: number for number, old in enumerate(kept)}

    def _read(self, op: Op) -> Iterator[int]:
        return (self.instead.get(tensor, tensor) for tensor in op.touched)

    def rewritten(self) -> tuple[bytes, Mapping[int, int]]:
        """The file, and tensor → its index there."""
        model = fb.ModelT.InitFromObj(fb.Model.GetRootAs(self.graph.source))
        [part] = model.subgraphs
        part.tensors = [part.tensors[old] for old in self.new]
        part.operators = [
            self._operator(operator)
            for index, operator in enumerate(part.operators)
            if index not in self.dropped
        ]
        part.inputs = self._mapped(end.given for end in self.inputs)
        part.outputs = self._mapped(end.given for end in self.outputs)
        for signature in model.signatureDefs or ():
            for end in (*(signature.inputs or ()), *(signature.outputs or ())):
                end.tensorIndex = self._index(end.tensorIndex)
        self._move_offline_plan(model)
        return pack(model), self.new

    def _operator(self, operator: Any) -> Any:
        for field in ("inputs", "outputs", "intermediates"):
            if (old := getattr(operator, field)) is not None:
                setattr(operator, field, self._mapped(map(int, old)))
        return operator

    def _mapped(self, tensors: Iterable[int]) -> Any:
        return np.array([self._index(tensor) for tensor in tensors], np.int32)

    def _index(self, tensor: int) -> int:
        return ABSENT if tensor == ABSENT else self.new[self.instead.get(tensor, tensor)]

    def _move_offline_plan(self, model: Any) -> None:
        """Offsets of an OfflineMemoryAllocation stand in the order of the tensors."""
        for entry in model.metadata or ():
            if entry.name in (OFFLINE_PLAN, OFFLINE_PLAN.encode()) and self.graph.offline_offsets:
                words = np.frombuffer(bytes(model.buffers[entry.buffer].data), "<i4")
                offsets = words[_OFFLINE_WORDS:][list(self.new)]
                head = [words[0], words[1], len(offsets)]
                model.buffers[entry.buffer].data = np.array([*head, *offsets], "<i4").tobytes()

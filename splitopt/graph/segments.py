"""Segments: runs of ops between cuts, what they read, make and hold."""

from __future__ import annotations

from dataclasses import dataclass

from splitopt.graph.model import ModelGraph


@dataclass(frozen=True, slots=True)
class Segment:
    """Ops [start, stop) with the tensors that a piece made of them has.

    `inputs` stand as in the model, then by index; `tensors` are ascending: tensor order decides
    ties of TFLM's planner and is kept.
    """

    start: int
    stop: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    tensors: tuple[int, ...]


def segment_of(graph: ModelGraph, start: int, stop: int) -> Segment:
    """The segment [start, stop) of the graph; no tensor in it is dead."""
    ops = graph.ops[start:stop]
    touched = {tensor for op in ops for tensor in op.touched}
    made = {tensor for op in ops for tensor in op.outputs}
    read = {tensor for op in ops for tensor in op.given_inputs}
    inputs = {t for t in read - made if _comes_from_outside(graph, t)}
    outputs = {t for t in made if t in graph.outputs or _read_from(graph, t, stop)}
    if (start, stop) == (0, len(graph.ops)):
        inputs |= set(graph.inputs)
        outputs |= set(graph.outputs)
        touched |= inputs | outputs
    return Segment(
        start=start,
        stop=stop,
        inputs=_in_model_order(inputs, graph.inputs),
        outputs=_in_model_order(outputs, graph.outputs),
        tensors=tuple(sorted(touched)),
    )


def whole_model(graph: ModelGraph) -> Segment:
    """The unsplit model as it stands in its file, tensors that nothing touches included."""
    everything = tuple(range(len(graph.tensors)))
    return Segment(0, len(graph.ops), graph.inputs, graph.outputs, everything)


def crossing_bytes(graph: ModelGraph, segment: Segment) -> list[int]:
    """Bytes of each input and output of a segment that an op outside of it makes or reads."""
    start, stop = segment.start, segment.stop

    def crosses(tensor: int) -> bool:
        made_before = graph.producer.get(tensor, start) < start
        readers = graph.readers.get(tensor, ())
        return made_before or any(not start <= op < stop for op in readers)

    ends = (*segment.inputs, *segment.outputs)
    return [graph.tensors[tensor].bytes for tensor in ends if crosses(tensor)]


def _comes_from_outside(graph: ModelGraph, tensor: int) -> bool:
    """Not so for an empty constant, which its file does not tell from an activation."""
    given = tensor in graph.producer or tensor in graph.inputs
    return given and graph.tensors[tensor].is_activation


def _read_from(graph: ModelGraph, tensor: int, start: int) -> bool:
    readers = graph.readers.get(tensor, ())
    return bool(readers) and readers[-1] >= start


def _in_model_order(tensors: set[int], model_order: tuple[int, ...]) -> tuple[int, ...]:
    first = [tensor for tensor in dict.fromkeys(model_order) if tensor in tensors]
    return (*first, *sorted(tensors.difference(first)))


@dataclass(frozen=True, slots=True)
class BoundaryCandidate:
    """An activation that becomes a boundary tensor wherever a cut parts its maker or its readers.

    One of the model's inputs (`maker` is None) or outputs (`is_output`) also becomes one where its
    segment runs in bands.
    """

    tensor: int
    maker: int | None
    readers: tuple[int, ...]
    is_output: bool

    @property
    def born(self) -> int:
        """The op from whose segment on it exists: its maker; an input's first reader."""
        return self.readers[0] if self.maker is None else self.maker

    @property
    def last(self) -> int:
        """The last op that needs it."""
        return self.readers[-1] if self.readers else self.born


def boundary_candidates(graph: ModelGraph) -> tuple[BoundaryCandidate, ...]:
    """Every activation that some plan turns into a boundary tensor, by tensor index."""
    made = {tensor for tensor in graph.outputs if tensor in graph.producer}
    return tuple(
        BoundaryCandidate(
            tensor, graph.producer.get(tensor), graph.readers.get(tensor, ()), tensor in made
        )
        for tensor in sorted({*graph.readers, *made})
        if graph.tensors[tensor].is_activation and graph.tensors[tensor].bytes
    )

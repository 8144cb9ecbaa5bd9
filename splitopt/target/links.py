"""Where each piece's inputs come from and its outputs go to, as the runner's plan table has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment

NOWHERE = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Link:
    """See `splitopt::Link` in runner/splitopt_runner.h, field by field."""

    position: int
    model_index: int
    offset: int
    size_bytes: int


@dataclass(frozen=True)
class PieceLinks:
    inputs: tuple[Link, ...]
    outputs: tuple[Link, ...]


def links_of(
    graph: ModelGraph, segments: Sequence[Segment], offsets: Mapping[int, int]
) -> tuple[PieceLinks, ...]:
    """`offsets`: boundary tensor → its place in the region, in bytes.

    An input of the model comes from its buffer at its first reader; if later pieces read it, too,
    it is kept as a boundary tensor there.
    """
    first_reader: dict[int, int] = {}
    for k, segment in enumerate(segments):
        for tensor in segment.inputs:
            first_reader.setdefault(tensor, k)

    def link(position: int, tensor: int, model: Sequence[int], from_model: bool) -> Link:
        index = model.index(tensor) if from_model and tensor in model else NOWHERE
        offset = offsets.get(tensor, NOWHERE)
        assert index != NOWHERE or offset != NOWHERE, f"tensor {tensor} is nowhere"
        return Link(position, index, offset, graph.tensors[tensor].bytes)

    return tuple(
        PieceLinks(
            inputs=tuple(
                link(position, tensor, graph.inputs, first_reader[tensor] == k)
                for position, tensor in enumerate(segment.inputs)
            ),
            outputs=tuple(
                link(position, tensor, graph.outputs, True)
                for position, tensor in enumerate(segment.outputs)
            ),
        )
        for k, segment in enumerate(segments)
    )

"""graph.json: the model as a DAG of ops, and its activations."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from splitopt.bundle.schema.common import (
    MOST_OPS,
    Count,
    Document,
    Index,
    Line,
    Op,
    Shape,
    Text,
)


class GraphOp(Shape):
    index: Op
    type: Line
    outputs: tuple[Index, ...]
    onnx_nodes: tuple[Text, ...]


class Edge(Shape):
    """Op `reader` reads tensors that op `maker` makes."""

    maker: Annotated[Op, Field(alias="from")]
    reader: Annotated[Op, Field(alias="to")]
    tensors: tuple[Index, ...] = ()


class Tensor(Shape):
    name: Text
    shape: tuple[int, ...] = ()
    type: Line = ""
    bytes: Count
    made_by: Op | None = None
    read_by: tuple[Op, ...]


class Graph(Document):
    """graph.json. `tensors`: activations by index."""

    inputs: Annotated[tuple[Index, ...], Field(max_length=MOST_OPS)]
    outputs: Annotated[tuple[Index, ...], Field(max_length=MOST_OPS)] = ()
    ops: Annotated[tuple[GraphOp, ...], Field(min_length=1, max_length=MOST_OPS)]
    edges: Annotated[tuple[Edge, ...], Field(max_length=20 * MOST_OPS)]
    tensors: dict[Line, Tensor]

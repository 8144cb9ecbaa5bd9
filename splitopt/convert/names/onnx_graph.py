"""An ONNX graph as data: its nodes, and which of its tensors hold the same values.

A *value* is named by the first tensor that holds it. Nodes that only pass a value on in another
shape (views), and nodes that compute it again (twins), add no value. Independent of the onnx
package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

VIEWS = frozenset({
    "Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Cast",
    "CastLike", "QuantizeLinear", "DequantizeLinear",
})  # fmt: skip
_ABOUT_SHAPES = frozenset({"Shape", "Size"})


@dataclass(frozen=True)
class OnnxNode:
    """One node. Nodes of equal digests have the same operator and the same attributes."""

    name: str
    type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    digest: str = ""


@dataclass(frozen=True)
class OnnxValue:
    """An input or output of the model, shape as ONNX has it (images NCHW), None: an open size."""

    name: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class OnnxGraph:
    """Nodes in a topological order. `shapes`: tensor → shape, as far as the file states them."""

    inputs: tuple[OnnxValue, ...]
    outputs: tuple[str, ...]
    nodes: tuple[OnnxNode, ...]
    shapes: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> OnnxGraph:
        return cls(
            inputs=tuple(OnnxValue(i["name"], tuple(i["shape"])) for i in document["inputs"]),
            outputs=tuple(document["outputs"]),
            nodes=tuple(
                OnnxNode(n["name"], n["type"], tuple(n["inputs"]), tuple(n["outputs"]), n["digest"])
                for n in document["nodes"]
            ),
            shapes={name: tuple(shape) for name, shape in document["shapes"].items()},
        )

    @cached_property
    def maker(self) -> Mapping[str, int]:
        """Tensor → the node that makes it."""
        return {tensor: at for at, node in enumerate(self.nodes) for tensor in node.outputs}

    @cached_property
    def _first(self) -> Mapping[str, str]:
        """Tensor of a node → the first tensor that is computed in the same way from the same."""
        found: dict[str, str] = {}
        computed: dict[object, str] = {}
        for node in self.nodes:
            read = tuple(found.get(tensor, tensor) for tensor in node.inputs)
            for place, tensor in enumerate(node.outputs):
                found[tensor] = computed.setdefault((node.digest, read, place), tensor)
        return found

    @cached_property
    def root(self) -> Mapping[str, str]:
        """Tensor → the value it holds; constants, and what follows from shapes, are not there."""
        found = {graph_input.name: graph_input.name for graph_input in self.inputs}
        for node in self.nodes:
            is_view = node.type in VIEWS
            read = node.inputs[:1] if is_view else node.inputs
            if node.type in _ABOUT_SHAPES or not any(tensor in found for tensor in read):
                continue
            for tensor in node.outputs[:1] if is_view else filter(None, node.outputs):
                found[tensor] = found[read[0]] if is_view else self._first[tensor]
        return found

    @cached_property
    def members(self) -> Mapping[str, tuple[str, ...]]:
        """Value → the tensors that hold it, each after the one it takes its values from."""
        found: dict[str, list[str]] = {}
        for tensor, root in self.root.items():
            found.setdefault(root, []).append(tensor)
        return {root: tuple(tensors) for root, tensors in found.items()}

    @cached_property
    def twins(self) -> Mapping[int, tuple[int, ...]]:
        """Node → all that compute the same as it, itself first."""
        found: dict[int, list[int]] = {}
        for tensor, first in self._first.items():
            found.setdefault(self.maker[first], []).append(self.maker[tensor])
        return {node: tuple(dict.fromkeys(same)) for node, same in found.items()}

    def views_between(self, start: str, stop: str) -> tuple[int, ...] | None:
        """The views on the path from one tensor to another; None where other nodes are on it."""
        views: list[int] = []
        while stop != start:
            node = self.maker.get(stop)
            if node is None or self.nodes[node].type not in VIEWS:
                return None
            views.insert(0, node)
            stop = self.nodes[node].inputs[0]
        return tuple(views)

    def reads(self, node: int) -> tuple[str, ...]:
        """The values that a node reads, each once."""
        tensors = self.nodes[node].inputs
        return tuple(dict.fromkeys(self.root[t] for t in tensors if t in self.root))

    def between(self, values: frozenset[str], target: str) -> tuple[int, ...] | None:
        """The nodes that make the value `target` from exactly `values`, ascending.

        None where another input of the model would be needed, or one of `values` is not.
        """
        nodes: set[int] = set()
        met: set[str] = set()
        pending = [target]
        while pending:
            value = pending.pop()
            if value in met:
                continue
            met.add(value)
            if value in values:
                continue
            if value not in self.maker:
                return None
            nodes.add(self.maker[value])
            pending += self.reads(self.maker[value])
        return tuple(sorted(nodes)) if values <= met else None

    @cached_property
    def useful(self) -> frozenset[int]:
        """The nodes that an output depends on."""
        return self.ancestors(self.outputs)

    def ancestors(self, tensors: Iterable[str]) -> frozenset[int]:
        """The nodes that any of `tensors` depends on."""
        found: set[int] = set()
        pending = [*tensors]
        while pending:
            node = self.maker.get(pending.pop())
            if node is not None and node not in found:
                found.add(node)
                pending += self.nodes[node].inputs
        return frozenset(found)

"""An ONNX graph as data: its nodes, which tensors hold the same values, and what lies between.

Knows neither onnx nor TFLite. A *value* is named by the first tensor that holds it; nodes that
only pass it on in another shape (views), and nodes that compute it again (twins), add no value.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    """One node. Equal digests: the same operator with the same attributes."""

    name: str
    type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class OnnxInput:
    name: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class _Values:
    """`root`: tensor → value, of all that varies with the input. `step`: tensor → the tensor
    from which it takes its values, and the view between (None: a twin)."""

    root: dict[str, str] = field(default_factory=dict)
    step: dict[str, tuple[str, int | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class OnnxGraph:
    """Nodes stand in a topological order; `constants`: name → digest of the content.

    `shapes`: tensor → shape, as far as the file states them; None for an open size.
    """

    inputs: tuple[OnnxInput, ...]
    outputs: tuple[str, ...]
    nodes: tuple[OnnxNode, ...]
    constants: Mapping[str, str] = field(repr=False)
    shapes: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> OnnxGraph:
        return cls(
            inputs=tuple(OnnxInput(i["name"], tuple(i["shape"])) for i in document["inputs"]),
            outputs=tuple(document["outputs"]),
            nodes=tuple(
                OnnxNode(n["name"], n["type"], tuple(n["inputs"]), tuple(n["outputs"]), n["digest"])
                for n in document["nodes"]
            ),
            constants=dict(document["constants"]),
            shapes={name: tuple(shape) for name, shape in document["shapes"].items()},
        )

    @cached_property
    def maker(self) -> Mapping[str, int]:
        """Tensor → the node that makes it."""
        return {tensor: at for at, node in enumerate(self.nodes) for tensor in node.outputs}

    @cached_property
    def _values(self) -> _Values:
        found = _Values()
        identity: dict[object, int] = {}
        seen: dict[str, int] = {}  # tensor → number of what computes it
        first: dict[int, str] = {}
        for name in (graph_input.name for graph_input in self.inputs):
            found.root[name] = name
            seen[name] = identity.setdefault(("input", name), len(identity))
        for name, digest in self.constants.items():
            seen[name] = identity.setdefault(("constant", digest), len(identity))
        for at, node in enumerate(self.nodes):
            read = tuple(seen.get(tensor, -1) for tensor in node.inputs)
            for place, tensor in enumerate(node.outputs):
                key = (node.digest, read, place)
                seen[tensor] = identity.setdefault(key, len(identity))
                if not tensor or not self._varies(node, found.root):
                    continue
                if node.type in VIEWS:
                    if place == 0:
                        found.root[tensor] = found.root[node.inputs[0]]
                        found.step[tensor] = (node.inputs[0], at)
                    continue
                twin = first.setdefault(seen[tensor], tensor)
                found.root[tensor] = twin
                if twin != tensor:
                    found.step[tensor] = (twin, None)
        return found

    @staticmethod
    def _varies(node: OnnxNode, root: Mapping[str, str]) -> bool:
        if node.type in _ABOUT_SHAPES:
            return False
        read = node.inputs[:1] if node.type in VIEWS else node.inputs
        return any(tensor in root for tensor in read)

    @property
    def root(self) -> Mapping[str, str]:
        """Tensor → the value it holds; constants, and what follows from shapes, are not there."""
        return self._values.root

    @cached_property
    def members(self) -> Mapping[str, tuple[str, ...]]:
        """Value → the tensors that hold it, each after the one it takes its values from."""
        found: dict[str, list[str]] = {}
        for tensor, root in self.root.items():
            found.setdefault(root, []).append(tensor)
        return {root: tuple(tensors) for root, tensors in found.items()}

    def views_between(self, start: str, stop: str) -> tuple[int, ...] | None:
        """The views on the way from one tensor of a value to another; None: no way."""
        views: list[int] = []
        while stop != start:
            if stop not in self._values.step:
                return None
            stop, view = self._values.step[stop]
            if view is not None:
                views.insert(0, view)
        return tuple(views)

    def source_of(self, tensor: str) -> str | None:
        """The tensor that it takes its values from through a view or as a twin."""
        return self._values.step.get(tensor, (None,))[0]

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
        found: set[int] = set()
        pending = [tensor for tensor in self.outputs if tensor in self.maker]
        while pending:
            node = self.maker[pending.pop()]
            if node not in found:
                found.add(node)
                pending += [t for t in self.nodes[node].inputs if t in self.maker]
        return frozenset(found)

    @cached_property
    def twin_of(self) -> Mapping[int, int]:
        """Node that computes again what an earlier one does → that one."""
        steps = self._values.step.items()
        return {
            self.maker[tensor]: self.maker[source]
            for tensor, (source, view) in steps
            if view is None
        }

"""An ONNX graph being rewritten: who makes and reads a tensor, constants, new nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Node = Any  # onnx.NodeProto


class Editor:
    """Rules read the graph as it was; what they `make` takes the place of one node at a time."""

    def __init__(self, model: Any) -> None:
        self.graph = model.graph
        self.opset = max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self.maker: Mapping[str, Node] = {
            name: node for node in self.graph.node for name in node.output
        }
        self._readers = Counter(name for node in self.graph.node for name in node.input)
        self._readers.update(value.name for value in self.graph.output)
        self._initializers = {tensor.name: tensor for tensor in self.graph.initializer}
        values = (*self.graph.input, *self.graph.output, *self.graph.value_info)
        self._shapes = {
            value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            for value in values
        }
        self._taken = {*self.maker, *self._initializers, *self._shapes}
        self.made: list[Node] = []
        self._stem = ""

    def begin(self, node: Node) -> None:
        """What is made from now on is called after this node."""
        self.made, self._stem = [], node.name or node.output[0]

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Sizes as inferred; empty where they are not known."""
        if tensor in self._initializers:
            return tuple(self._initializers[tensor].dims)
        return self._shapes.get(tensor, ())

    def is_read_once(self, tensor: str) -> bool:
        return self._readers[tensor] == 1

    def constant(self, tensor: str) -> Array | None:
        """The values of an initializer; None for any other tensor."""
        from onnx import numpy_helper

        found = self._initializers.get(tensor)
        return None if found is None else numpy_helper.to_array(found)

    def scalar(self, tensor: str) -> float | None:
        """The value of a float constant that has one."""
        values = self.constant(tensor)
        if values is None or values.size != 1 or not np.issubdtype(values.dtype, np.floating):
            return None
        return float(values.reshape(-1)[0])

    def made_by(self, tensor: str, kind: str) -> Node | None:
        """The node of that type that makes a tensor which nothing else reads."""
        node = self.maker.get(tensor)
        fits = node is not None and node.op_type == kind and self.is_read_once(tensor)
        return node if fits else None

    def store(self, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """A new initializer."""
        from onnx import numpy_helper

        name = self._free("const")
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        self._initializers[name] = self.graph.initializer[-1]
        return name

    def make(
        self, kind: str, *inputs: str | float, out: str | None = None, **attributes: Any
    ) -> str:
        """A new node; numbers become constants. Its output is called `out`, or anew."""
        from onnx import helper

        read = [self.store(each) if isinstance(each, float) else each for each in inputs]
        out = out or self._free(kind)
        name = f"{self._stem}/{kind}_{len(self.made)}"
        self.made.append(helper.make_node(kind, read, [out], name=name, **attributes))
        return out

    def _free(self, what: str) -> str:
        number = len(self._taken)
        while (name := f"{self._stem}_{what}_{number}") in self._taken:
            number += 1
        self._taken.add(name)
        return name


@dataclass(frozen=True)
class Rule:
    """`apply` puts what it makes in the place of a node, or leaves it and returns False. `what` is
    told to the user; empty: not worth telling."""

    what: str
    apply: Callable[[Editor, Node], bool]


def attribute(node: Node, name: str, default: Any = None) -> Any:
    from onnx import helper

    found = [helper.get_attribute_value(own) for own in node.attribute if own.name == name]
    return found[0] if found else default


def pair_with_scalar(editor: Editor, inputs: Sequence[str]) -> tuple[str, float] | None:
    """The other operand and the number, of two operands of which one is a number."""
    for tensor, other in (tuple(inputs), tuple(reversed(inputs))):
        value = editor.scalar(other)
        if value is not None and editor.constant(tensor) is None:
            return tensor, value
    return None

"""A placing of values → matches of tensors, nodes per op, and reasons for all that is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from splitopt.convert.names.onnx_graph import VIEWS, OnnxGraph
from splitopt.convert.names.record import STRUCTURE, VALUES, Correspondence, Match, OpMatch
from splitopt.convert.names.zz_correspondence_search import REARRANGING, Placing, Table
from splitopt.graph.model import ModelGraph, Op

_ALIKE_DB = 6.0  # sums that differ by one term of a long residual chain come to 8 dB at most
_STILL = frozenset({"Identity", "Dropout", "Cast", "CastLike"})


def named(onnx: OnnxGraph, graph: ModelGraph, table: Table, placing: Placing) -> Correspondence:
    naming = _Naming(onnx, graph, table, placing)
    for tensor in graph.inputs:
        naming.name_of[tensor] = placing.value[tensor]
    for op in graph.ops:
        naming.take(op)
    return Correspondence(
        matches=tuple(naming.matches()),
        ops=tuple(naming.op_matches()),
        unmatched_nodes=tuple(naming.unmatched_nodes()),
        unmatched_ops=tuple(naming.unmatched_ops()),
    )


@dataclass(frozen=True)
class _Naming:
    """`name_of`: TFLite tensor → the ONNX tensor it is called after. `op_of`: node → op."""

    onnx: OnnxGraph
    graph: ModelGraph
    table: Table
    placing: Placing
    name_of: dict[int, str] = field(default_factory=dict)
    op_of: dict[int, int] = field(default_factory=dict)

    def take(self, op: Op) -> None:
        """Names the op's outputs, and gives it the nodes that no earlier op has."""
        read = self.placing.read_by(op)
        for tensor in op.outputs:
            value = self.placing.value.get(tensor)
            if value is None:
                continue
            for node in self.onnx.between(read, value) or ():
                self._claim(node, op)
            start, views = self._name(op, tensor, value)
            self.name_of[tensor] = start
            for view in views:
                self.op_of.setdefault(view, op.index)

    def _claim(self, node: int, op: Op) -> None:
        """The node, or where another op has it, one that computes the same."""
        same = (node, *(twin for twin, first in self.onnx.twin_of.items() if first == node))
        free = [twin for twin in same if twin not in self.op_of]
        if free:
            self.op_of[free[0]] = op.index

    def _name(self, op: Op, tensor: int, value: str) -> tuple[str, tuple[int, ...]]:
        """The ONNX tensor of this value that stands as the TFLite tensor does, and the views on
        the way to it: as far on as possible for an op that rearranges, else the first such."""
        rearranges = op.type in REARRANGING
        start = value
        if rearranges:
            named = [self.name_of.get(t) for t in op.given_inputs]
            start = next((n for n in named if n and self.onnx.root[n] == value), value)
        ways = [(name, self.onnx.views_between(start, name)) for name in self.onnx.members[value]]
        likeness = self.table.get(tensor, {})
        taken = set(self.name_of.values())

        def merit(way: tuple[str, tuple[int, ...]]) -> tuple[bool, float, bool, int, int]:
            name, views = way
            like = likeness[name]
            moved = sum(self.onnx.nodes[view].type not in _STILL for view in views)
            ahead = moved + (like.layout == "same") * len(self.onnx.nodes) if rearranges else 0
            alike_db = round(like.merit_db, 1)
            fresh = rearranges or name not in taken
            return like.same_shape, alike_db, fresh, ahead, -len(views)

        open_ways = [(n, views) for n, views in ways if views is not None and n in likeness]
        return max(open_ways, key=merit, default=(start, ()))

    def matches(self) -> Iterator[Match]:
        """By TFLite tensor; the tensor's own name first, then others that hold the same."""
        others: dict[int, list[str]] = {}
        for name in self.onnx.root:
            tensor = self._tensor_holding(name)
            if tensor is not None and self.name_of[tensor] != name:
                others.setdefault(tensor, []).append(name)
        for tensor in sorted(self.name_of):
            for name in (self.name_of[tensor], *others.get(tensor, ())):
                like = self.table.get(tensor, {}).get(name)
                if like is not None:
                    evidence = VALUES if like.merit_db >= _ALIKE_DB else STRUCTURE
                    yield Match(name, tensor, round(like.sqnr_db, 2), like.layout, evidence)

    def _tensor_holding(self, name: str) -> int | None:
        """The TFLite tensor called so, or after what the ONNX tensor takes its values from."""
        at: str | None = name
        while at is not None:
            if at in self._tensor_called:
                return self._tensor_called[at]
            at = self.onnx.source_of(at)
        value = self.onnx.root[name]
        return next((t for t, placed in self.placing.value.items() if placed == value), None)

    @property
    def _tensor_called(self) -> dict[str, int]:
        return {name: tensor for tensor, name in reversed(self.name_of.items())}

    def op_matches(self) -> Iterator[OpMatch]:
        for op in self.graph.ops:
            nodes = self._nodes_of(op.index)
            if nodes:
                names = tuple(self.onnx.nodes[node].name for node in nodes)
                yield OpMatch(op.index, names, tuple(self._inner_tensors(nodes)))

    def _nodes_of(self, op: int) -> list[int]:
        return sorted(node for node, owner in self.op_of.items() if owner == op)

    def _inner_tensors(self, nodes: list[int]) -> Iterator[str]:
        placed = set(self.placing.value.values())
        for node in nodes:
            for made in self.onnx.nodes[node].outputs:
                if made in self.onnx.root and self.onnx.root[made] not in placed:
                    yield from self._with_views(made)

    def _with_views(self, tensor: str) -> Iterator[str]:
        for name in self.onnx.members[self.onnx.root[tensor]]:
            if self.onnx.views_between(tensor, name) is not None:
                yield name

    def unmatched_nodes(self) -> Iterator[tuple[str, str]]:
        for at, node in enumerate(self.onnx.nodes):
            if at not in self.op_of:
                yield node.name, self._why_no_op(at)

    def _why_no_op(self, at: int) -> str:
        node = self.onnx.nodes[at]
        varying = [tensor for tensor in node.outputs if tensor in self.onnx.root]
        if not varying:
            return "does not depend on the input's values: worked out before the model runs"
        if at not in self.onnx.useful:
            return "no output of the model depends on it"
        if at in self.onnx.twin_of:
            first = self.onnx.nodes[self.onnx.twin_of[at]]
            return f"computes the same as {first.name}, which is computed once"
        if node.type in VIEWS:
            holder = self._tensor_holding(varying[0])
            where = "no tensor holds them" if holder is None else f"tensor {holder} holds them"
            return f"{node.type} passes its values on unchanged; {where}"
        return "no op gives its values, nor those of a node behind it"

    def unmatched_ops(self) -> Iterator[tuple[int, str]]:
        owners = set(self.op_of.values())
        for op in self.graph.ops:
            if op.index not in owners:
                yield op.index, self._why_no_node(op)

    def _why_no_node(self, op: Op) -> str:
        names = [self.name_of[tensor] for tensor in op.outputs if tensor in self.name_of]
        if names and op.type in REARRANGING:
            return f"inserted by the converter: {names[0]} in another layout or scale"
        if names:
            return self._why_shared(op, names[0])
        if not self.placing.read_by(op):
            return "inserted by the converter: does not depend on the input"
        goal = self._next_matched(op)
        if goal is None:
            return "no ONNX tensor is like what it makes"
        node = self.onnx.nodes[self._nodes_of(goal)[0]].name
        return f"inserted by the converter: a step towards {self.graph.op_name(goal)} ({node})"

    def _why_shared(self, op: Op, name: str) -> str:
        node = self.onnx.maker.get(self.onnx.root[name])
        if node is None or self.op_of.get(node) in (None, op.index):
            return f"inserted by the converter: passes {name} on"
        owner = self.graph.op_name(self.op_of[node])
        return f"makes {name} of {self.onnx.nodes[node].name}, which stands with {owner}"

    def _next_matched(self, op: Op) -> int | None:
        """The first op with nodes that follows without another such op between."""
        owners = set(self.op_of.values())
        reached = set(op.outputs)
        for later in self.graph.ops[op.index + 1 :]:
            if reached & set(later.given_inputs):
                if later.index in owners:
                    return later.index
                reached |= set(later.outputs)
        return None

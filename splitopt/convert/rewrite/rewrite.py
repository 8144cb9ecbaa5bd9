"""All rules, applied until none fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from splitopt.convert.rewrite import activations, hard_sigmoid, movers, norms
from splitopt.convert.rewrite.editor import Editor, Node, Rule

_MOST_ROUNDS = 8
Table = Mapping[str, tuple[Rule, ...]]
_TABLES: tuple[Table, ...] = (activations.RULES, hard_sigmoid.RULES, norms.RULES, movers.RULES)


def rewrite(model: Any, infer: Callable[[Any], None]) -> dict[str, int]:
    """Rewrites a model in place; how many of what, for what is worth telling.

    `infer` states the shapes of a model's tensors, again after each round.
    """
    told: Counter[str] = Counter()
    for _ in range(_MOST_ROUNDS):
        applied = _round(model)
        if not applied:
            break
        infer(model)
        told.update(what for what in applied if what)
    return dict(told)


def unfold_group_norms(model: Any, infer: Callable[[Any], None]) -> int:
    """GroupNormalization alone, whose shape onnx does not infer; how many there were."""
    table = {"GroupNormalization": norms.RULES["GroupNormalization"]}
    count = sum(node.op_type in table for node in model.graph.node)
    for _ in range(count):
        infer(model)
        if not _round(model, (table,)):
            break
    return count


def _round(model: Any, tables: Sequence[Table] = _TABLES) -> list[str]:
    """One round over all nodes, what reads a tensor before what makes it: so the last node of a
    pattern is found first, and the rest of it is left without a reader."""
    editor = Editor(model)
    graph = model.graph
    by_output: dict[str, str] = {}
    placed: list[list[Node]] = []
    for node in reversed(graph.node):
        what = _apply(editor, node, tables)
        placed.append([node] if what is None else editor.made)
        if what is not None:
            by_output[node.output[0]] = what
    nodes = _alive([node for group in reversed(placed) for node in group], graph)
    alive = {name for node in nodes for name in node.output}
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
    _drop_unread_constants(graph)
    return [what for output, what in by_output.items() if output in alive]


def _apply(editor: Editor, node: Node, tables: Sequence[Table]) -> str | None:
    """What the first rule that fits is called; None where none does."""
    if node.domain not in ("", "ai.onnx"):
        return None
    for rule in (rule for table in tables for rule in table.get(node.op_type, ())):
        editor.begin(node)
        if rule.apply(editor, node):
            return rule.what
    return None


def _alive(nodes: list[Node], graph: Any) -> list[Node]:
    read = {value.name for value in graph.output}
    kept: list[Node] = []
    for node in reversed(nodes):
        if read.isdisjoint(node.output):
            continue
        read |= {*node.input}
        kept.append(node)
    return kept[::-1]


def _drop_unread_constants(graph: Any) -> None:
    read = {name for node in graph.node for name in node.input} | {v.name for v in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    kept = [type(tensor).FromString(tensor.SerializeToString()) for tensor in kept]
    del graph.initializer[:]
    graph.initializer.extend(kept)

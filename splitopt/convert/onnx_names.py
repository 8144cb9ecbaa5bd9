"""Names in an ONNX model that any converter takes, in the place of the user's.

TensorFlow wants `[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*` of an op and tells names apart without their
case; onnx2tf takes a leading slash in the name of a node, and splits names of tensors at a colon.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

LONGEST = 120
_PLAIN_TENSOR = re.compile(r"[A-Za-z][0-9A-Za-z_]*")
_PLAIN_NODE = re.compile(r"/?[A-Za-z0-9.][0-9A-Za-z_.]*(/[0-9A-Za-z_.]+)*")


def plain_tensors(graph: Any) -> dict[str, str]:
    """Renames tensors, in place; new name → the user's, where they differ."""
    names = {n for node in graph.node for n in (*node.input, *node.output) if n}
    names |= {v.name for v in (*graph.input, *graph.output, *graph.initializer)}
    new = _plain_of(sorted(names), _PLAIN_TENSOR)
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        value.name = new.get(value.name, value.name)
    return {plain: name for name, plain in new.items()}


def plain_nodes(graph: Any) -> dict[str, str]:
    """Renames nodes, in place; new name → what reports call it, where they differ."""
    name_nodes(graph)
    new = _plain_of([node.name for node in graph.node], _PLAIN_NODE)
    for node in graph.node:
        node.name = new.get(node.name, node.name)
    return {plain: name for name, plain in new.items()}


def name_nodes(graph: Any) -> None:
    """Gives every node a name of its own, in place."""
    for node, name in zip(graph.node, unique_names(graph), strict=True):
        node.name = name


def unique_names(graph: Any) -> list[str]:
    """A name for each node, in file order: its own where it has one that no earlier node has, else
    one of its operator and what it makes, as in reports."""
    taken: dict[str, None] = {}
    for node in graph.node:
        made = next((output for output in node.output if output), f"#{len(taken)}")
        name = node.name if node.name and node.name not in taken else f"{node.op_type}:{made}"
        taken[name] = None
    return list(taken)


def owner_of(name: str, given: Container[str]) -> str | None:
    """The user's node that a node is, or in whose place rewriting made it (`owner/Kind_3`)."""
    while name not in given:
        name, slash, _ = name.rpartition("/")
        if not slash:
            return None
    return name


def _plain_of(names: Iterable[str], plain: re.Pattern[str]) -> Mapping[str, str]:
    """Name → its stand-in, for those that are not plain, too long, or alike but for their case."""
    new: dict[str, str] = {}
    taken: set[str] = set()
    odd = []
    for name in names:
        if plain.fullmatch(name) and len(name) <= LONGEST and name.lower() not in taken:
            taken.add(name.lower())
        else:
            odd.append(name)
    for name in odd:
        stem = re.sub(r"^(?=[^A-Za-z])", "n", re.sub(r"[^0-9A-Za-z_]", "_", name))[:LONGEST]
        stand_in, number = stem, 1
        while stand_in.lower() in taken:
            stand_in, number = f"{stem}_{number}", number + 1
        taken.add(stand_in.lower())
        new[name] = stand_in
    return new

"""ONNX operators that the converter maps to what TFLM lacks, written in others.

HardSigmoid becomes RELU_0_TO_1, which TFLM does not register; it has RELU6 and HARD_SWISH.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_HARD_SWISH_OPSET = 14
_CLIP_BY_INPUTS_OPSET = 11


def rewrite_hard_sigmoids(model: Any, opset: int) -> int:
    """How many were rewritten, in place: clip(6·(alpha·x + beta), 0, 6) / 6, or HardSwish."""
    graph = model.graph
    readers: dict[str, int] = {}
    for name in [*(n for node in graph.node for n in node.input), *(v.name for v in graph.output)]:
        readers[name] = readers.get(name, 0) + 1
    taken = {n for node in graph.node for n in (*node.input, *node.output)}
    taken |= {value.name for value in (*graph.initializer, *graph.value_info)}
    gates = {node.output[0]: node for node in graph.node if _is_swish_gate(node)}
    nodes: list[Any] = []
    dropped: set[str] = set()
    for node in graph.node:
        gate = _gate_of(node, gates, readers) if opset >= _HARD_SWISH_OPSET else None
        if gate is not None:
            dropped.add(gate.output[0])
            nodes.append(_hard_swish(node, gate))
        else:
            nodes.append(node)
    kept = [node for node in nodes if node.output[0] not in dropped]
    count: int = sum(node.op_type == "HardSigmoid" for node in graph.node)
    replaced = [
        new
        for number, node in enumerate(kept)
        for new in (
            _with_relu6(graph, node, _free(f"hard_sigmoid_{number}", taken), opset)
            if node.op_type == "HardSigmoid"
            else [node]
        )
    ]
    if count:
        replaced = [type(node).FromString(node.SerializeToString()) for node in replaced]
        del graph.node[:]
        graph.node.extend(replaced)
    return count


def _attributes(node: Any) -> tuple[float, float]:
    """alpha and beta."""
    given = {attribute.name: attribute.f for attribute in node.attribute}
    return given.get("alpha", 0.2), given.get("beta", 0.5)


def _is_swish_gate(node: Any) -> bool:
    if node.op_type != "HardSigmoid":
        return False
    alpha, beta = _attributes(node)
    return abs(alpha - 1 / 6) < 1e-6 and beta == 0.5


def _gate_of(node: Any, gates: dict[str, Any], readers: dict[str, int]) -> Any:
    """The HardSigmoid g of x · g(x), if nothing else reads it; else None."""
    if node.op_type != "Mul":
        return None
    for gate_name, x in (tuple(node.input), tuple(reversed(node.input))):
        gate = gates.get(gate_name)
        if gate is not None and gate.input[0] == x and readers[gate_name] == 1:
            return gate
    return None


def _hard_swish(node: Any, gate: Any) -> Any:
    from onnx import helper

    return helper.make_node("HardSwish", [gate.input[0]], [node.output[0]], name=node.name)


def _with_relu6(graph: Any, node: Any, name: str, opset: int) -> list[Any]:
    from onnx import helper, numpy_helper

    def constant(key: str, value: float) -> str:
        array = np.array(value, dtype=np.float32)
        graph.initializer.append(numpy_helper.from_array(array, f"{name}_{key}"))
        return f"{name}_{key}"

    alpha, beta = _attributes(node)
    if opset >= _CLIP_BY_INPUTS_OPSET:
        bounds = [constant("low", 0.0), constant("high", 6.0)]
        clip = helper.make_node("Clip", [f"{name}_b", *bounds], [f"{name}_c"])
    else:
        clip = helper.make_node("Clip", [f"{name}_b"], [f"{name}_c"], min=0.0, max=6.0)
    made = [
        helper.make_node("Mul", [node.input[0], constant("scale", 6 * alpha)], [f"{name}_a"]),
        helper.make_node("Add", [f"{name}_a", constant("shift", 6 * beta)], [f"{name}_b"]),
        clip,
        helper.make_node("Mul", [f"{name}_c", constant("sixth", 1 / 6)], [node.output[0]]),
    ]
    for number, step in enumerate(made):
        step.name = f"{node.name or name}_{number}"
    return made


def _free(stem: str, taken: set[str]) -> str:
    """A stem that no tensor's name begins with."""
    while any(name.startswith(stem) for name in taken):
        stem += "_"
    return stem

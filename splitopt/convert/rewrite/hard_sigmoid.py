"""HardSigmoid, which converters make RELU_0_TO_1 of: TFLM has RELU6 and HARD_SWISH instead."""

from __future__ import annotations

from splitopt.convert.rewrite.editor import Editor, Node, Rule, attribute

_HARD_SWISH_OPSET = 14
_CLIP_BY_INPUTS_OPSET = 11


def rewrite_hard_swish(editor: Editor, node: Node) -> bool:
    """x · g(x), if nothing else reads the gate g."""
    if editor.opset < _HARD_SWISH_OPSET:
        return False
    for x, other in (tuple(node.input), tuple(reversed(node.input))):
        gate = editor.made_by(other, "HardSigmoid")
        if gate is None or gate.input[0] != x:
            continue
        alpha, beta = _slope(gate)
        if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
            editor.make("HardSwish", x, out=node.output[0])
            return True
    return False


def rewrite_hard_sigmoid(editor: Editor, node: Node) -> bool:
    """clip(6·(alpha·x + beta), 0, 6) / 6."""
    alpha, beta = _slope(node)
    moved = editor.make("Add", editor.make("Mul", node.input[0], 6 * alpha), 6 * beta)
    if editor.opset >= _CLIP_BY_INPUTS_OPSET:
        bounded = editor.make("Clip", moved, 0.0, 6.0)
    else:
        bounded = editor.make("Clip", moved, min=0.0, max=6.0)
    editor.make("Mul", bounded, 1 / 6, out=node.output[0])
    return True


def _slope(node: Node) -> tuple[float, float]:
    return attribute(node, "alpha", 0.2), attribute(node, "beta", 0.5)


RULES: dict[str, tuple[Rule, ...]] = {
    "Mul": (Rule("HardSwish of two nodes", rewrite_hard_swish),),
    "HardSigmoid": (Rule("HardSigmoid", rewrite_hard_sigmoid),),
}

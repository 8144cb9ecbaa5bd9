"""Normalisations that onnx2tf has no operator for, or gets wrong, in means and divisions.

A division by a square root becomes RSQRT, the only form of Sqrt that TFLM has for int8.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from splitopt.convert.rewrite.editor import Array, Editor, Node, Rule, attribute

_AXES_BY_INPUT_OPSET = 18


def rewrite_layer_norm(editor: Editor, node: Node) -> bool:
    """Over more axes than the last, of which onnx2tf takes the first only."""
    x, rank = node.input[0], len(editor.shape(node.input[0]))
    first = attribute(node, "axis", -1) % max(1, rank)
    if not rank or first == rank - 1 or any(node.output[1:]):
        return False
    axes = [*range(first, rank)]
    normal = _normalised(editor, x, axes, float(attribute(node, "epsilon", 1e-5)))
    scale = editor.make("Mul", normal, _of_rank(editor, node.input[1], rank))
    if len(node.input) > len("xs") and node.input[2]:
        editor.make("Add", scale, _of_rank(editor, node.input[2], rank), out=node.output[0])
    else:
        editor.made[-1].output[0] = node.output[0]
    return True


def rewrite_group_norm(editor: Editor, node: Node) -> bool:
    """InstanceNormalization over groups; scale and bias are of groups (opset 18) or channels."""
    x, shape = node.input[0], editor.shape(node.input[0])
    given = [editor.constant(name) for name in node.input[1:3]]
    groups = int(attribute(node, "num_groups", 0))
    if len(shape) < len("NCW") or groups < 1 or any(values is None for values in given):
        return False
    channels = shape[1]
    rank = len(shape)
    scale, bias = (_per_channel(each, channels, rank) for each in given if each is not None)
    merged = editor.make("Reshape", x, editor.store([shape[0], groups, -1], np.int64))
    one, zero = (editor.store(np.full(groups, value)) for value in (1.0, 0.0))
    epsilon = float(attribute(node, "epsilon", 1e-5))
    normal = editor.make("InstanceNormalization", merged, one, zero, epsilon=epsilon)
    back = editor.make("Reshape", normal, editor.store(shape, np.int64))
    scaled = editor.make("Mul", back, editor.store(scale))
    editor.make("Add", scaled, editor.store(bias), out=node.output[0])
    return True


def rewrite_times_reciprocal(editor: Editor, node: Node) -> bool:
    """a · (1/√v) → a/√v."""
    for a, b in (tuple(node.input), tuple(reversed(node.input))):
        inverse = editor.made_by(b, "Reciprocal")
        if inverse is not None and editor.made_by(inverse.input[0], "Sqrt") is not None:
            editor.make("Div", a, inverse.input[0], out=node.output[0])
            return True
    return False


def widen_constant(editor: Editor, node: Node) -> bool:
    """A constant of rank 3 beside images, whose axes onnx2tf turns as if it had none to turn."""
    rank = max(len(editor.shape(name)) for name in node.input)
    ranks = [len(editor.shape(name)) for name in node.input]
    narrow = [
        name
        for name, own in zip(node.input, ranks, strict=True)
        if 1 < own < rank and editor.constant(name) is not None
    ]
    if not narrow:
        return False
    inputs = [_of_rank(editor, name, rank) if name in narrow else name for name in node.input]
    editor.make(node.op_type, *inputs, out=node.output[0])
    return True


def _normalised(editor: Editor, x: str, axes: Sequence[int], epsilon: float) -> str:
    centred = editor.make("Sub", x, _mean(editor, x, axes))
    variance = _mean(editor, editor.make("Mul", centred, centred), axes)
    return editor.make("Div", centred, editor.make("Sqrt", editor.make("Add", variance, epsilon)))


def _mean(editor: Editor, x: str, axes: Sequence[int]) -> str:
    if editor.opset >= _AXES_BY_INPUT_OPSET:
        return editor.make("ReduceMean", x, editor.store(axes, np.int64))
    return editor.make("ReduceMean", x, axes=list(axes))


def _of_rank(editor: Editor, tensor: str, rank: int) -> str:
    """A constant with leading axes of size 1; any other tensor as it is."""
    values = editor.constant(tensor)
    if values is None or values.ndim >= rank:
        return tensor
    return editor.store(values.reshape((1,) * (rank - values.ndim) + values.shape), values.dtype)


def _per_channel(values: Array, channels: int, rank: int) -> Array:
    wide = np.repeat(values, channels // values.size)
    return wide.reshape((1, channels, *(1,) * (rank - 2)))


RULES: dict[str, tuple[Rule, ...]] = {
    "LayerNormalization": (Rule("LayerNormalization", rewrite_layer_norm),),
    "GroupNormalization": (Rule("GroupNormalization", rewrite_group_norm),),
    "Mul": (Rule("Reciprocal of Sqrt", rewrite_times_reciprocal), Rule("", widen_constant)),
    **dict.fromkeys(("Add", "Sub", "Div"), (Rule("", widen_constant),)),
}

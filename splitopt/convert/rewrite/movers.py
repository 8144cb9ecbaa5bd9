"""Nodes that only move values, in ops that TFLM runs on the Cortex-M55, too.

TRANSPOSE of rank 5 and 6, into which channel shuffles and PixelShuffle fall apart, is not among
these; GATHER along channels is, with positions of 32 bits.
"""

from __future__ import annotations

import numpy as np

from splitopt.convert.rewrite.editor import Array, Editor, Node, Rule, attribute


def rewrite_tile(editor: Editor, node: Node) -> bool:
    """Concat of the same tensor, along each axis that is repeated."""
    repeats = editor.constant(node.input[1])
    if repeats is None or repeats.prod() == 1 or repeats.max() > 64:
        return False
    x, axes = node.input[0], [int(axis) for axis in np.flatnonzero(repeats > 1)]
    for axis in axes:
        out = node.output[0] if axis == axes[-1] else None
        x = editor.make("Concat", *[x] * int(repeats[axis]), out=out, axis=axis)
    return True


def rewrite_channel_shuffle(editor: Editor, node: Node) -> bool:
    """Reshape [N, g, C/g, H, W], Transpose of axes 1 and 2, Reshape back."""
    turned = editor.made_by(node.input[0], "Transpose")
    split = None if turned is None else editor.made_by(turned.input[0], "Reshape")
    if turned is None or split is None or split.op_type != "Reshape":
        return False
    x, wide = split.input[0], editor.shape(split.output[0])
    shape, rank = editor.shape(x), len(wide)
    swapped = [0, 2, 1, *range(3, rank)]
    merged = (shape[0], wide[1] * wide[2], *wide[3:]) if rank > len("NgC") else ()
    if merged != shape or editor.shape(node.output[0]) != shape:
        return False
    if [*attribute(turned, "perm", ())] != swapped:
        return False
    order = np.arange(shape[1]).reshape(wide[1], wide[2]).T.reshape(-1)
    editor.make("Gather", x, editor.store(order, np.int32), out=node.output[0], axis=1)
    return True


def rewrite_pixel_shuffle(editor: Editor, node: Node) -> bool:
    """Mode CRD: the channels put in the order of DCR, by the Conv that makes them if it can."""
    x, block = node.input[0], int(attribute(node, "blocksize"))
    shape = editor.shape(x)
    if attribute(node, "mode", b"DCR") != b"CRD" or len(shape) != len("NCHW"):
        return False
    outer = shape[1] // block**2
    order = np.arange(shape[1]).reshape(outer, block**2).T.reshape(-1)
    conv = editor.made_by(x, "Conv")
    weights = None if conv is None else _reordered(editor, conv, order)
    if conv is not None and weights is not None:
        attributes = {own.name: attribute(conv, own.name) for own in conv.attribute}
        x = editor.make("Conv", conv.input[0], *weights, **attributes)
    else:
        x = editor.make("Gather", x, editor.store(order, np.int32), axis=1)
    editor.make("DepthToSpace", x, out=node.output[0], blocksize=block, mode="DCR")
    return True


def _reordered(editor: Editor, conv: Node, order: Array) -> list[str] | None:
    """Weights and bias of a Conv whose outputs come in another order."""
    constants = [editor.constant(name) for name in conv.input[1:]]
    if attribute(conv, "group", 1) != 1 or any(values is None for values in constants):
        return None
    return [editor.store(values[order], values.dtype) for values in constants if values is not None]


def narrow_indices(editor: Editor, node: Node) -> bool:
    """Constant positions of a Gather in 32 bits, which TFLM's GATHER takes."""
    positions = editor.constant(node.input[1])
    if positions is None or positions.dtype != np.int64:
        return False
    read = node.input[0], editor.store(positions, np.int32)
    editor.make("Gather", *read, out=node.output[0], axis=int(attribute(node, "axis", 0)))
    return True


def state_kernel(editor: Editor, node: Node) -> bool:
    """A kernel_shape that is left to the weights, which onnx2tf does not look at."""
    weights = editor.shape(node.input[1])
    if attribute(node, "kernel_shape") is not None or not weights:
        return False
    attributes = {own.name: attribute(node, own.name) for own in node.attribute}
    kernel = [*weights[2:]]
    editor.make(node.op_type, *node.input, out=node.output[0], kernel_shape=kernel, **attributes)
    return True


RULES: dict[str, tuple[Rule, ...]] = {
    "Tile": (Rule("Tile", rewrite_tile),),
    "Reshape": (Rule("channel shuffle", rewrite_channel_shuffle),),
    "DepthToSpace": (Rule("DepthToSpace of mode CRD", rewrite_pixel_shuffle),),
    "Gather": (Rule("", narrow_indices),),
    **dict.fromkeys(("Conv", "ConvTranspose"), (Rule("", state_kernel),)),
}

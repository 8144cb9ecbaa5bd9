"""GELU, Mish and the like in ops that TFLM runs in int8, with no error that int8 could show.

GELU is x·Φ(x), and Φ(x) = sigmoid(x·g(x²)) with g nearly a parabola. Taken for one, with its
argument at most 20, it is off by at most 2.6e-5 in x·Φ(x) for any x: the coefficients are those of
the least largest error. Written as K + C·(t + H)², one tensor lives beside x at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from splitopt.convert.rewrite.editor import Editor, Node, Rule, attribute, pair_with_scalar

_G0, _G1, _G2 = 1.59501568, 0.0740113696, -7.0304557e-4  # g = G0 + G1·t + G2·t²
_MOST_T = 20.0
_ERF_OF = 1 / math.sqrt(2)
_SELU_ALPHA, _SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875
_RELATIVE = 1e-3  # exporters write 1.4142 and the like


def rewrite_gelu(editor: Editor, node: Node) -> bool:
    """Operator Gelu of opset 20."""
    x, out = node.input[0], node.output[0]
    if attribute(node, "approximate", b"none") == b"tanh":
        scale = math.sqrt(8 / math.pi)
        t = editor.make("Min", editor.make("Mul", x, x), _MOST_T)
        gain = editor.make("Add", editor.make("Mul", t, 0.044715 * scale), scale)
        gate = editor.make("Sigmoid", editor.make("Mul", x, gain))
    else:
        gate = _normal_cdf(editor, x)
    editor.make("Mul", x, gate, out=out)
    return True


def rewrite_gelu_of_nodes(editor: Editor, node: Node) -> bool:
    """x·(1 + Erf(x/√2))·0.5, in any order, and the same with a Tanh of anything."""
    if node.op_type == "Div" and editor.scalar(node.input[1]) is None:
        return False
    factors = [*_factors(editor, node)]
    numbers = [factor for factor in factors if isinstance(factor, float)]
    tensors = [factor for factor in factors if isinstance(factor, str)]
    if len(tensors) != 2:
        return False
    for at, factor in enumerate(tensors):
        x, gate = tensors[1 - at], _one_plus(editor, factor)
        if gate is None or (gate.op_type == "Erf" and _operand_of_erf(editor, gate) != x):
            continue
        if gate.op_type == "Erf":
            half = _normal_cdf(editor, x)
        else:
            half = editor.make("Sigmoid", editor.make("Mul", gate.input[0], 2.0))
        scale = 2.0 * math.prod(numbers)
        scaled = x if math.isclose(scale, 1, rel_tol=_RELATIVE) else editor.make("Mul", x, scale)
        editor.make("Mul", scaled, half, out=node.output[0])
        return True
    return False


def rewrite_erf(editor: Editor, node: Node) -> bool:
    """An Erf of its own, off by at most 1.1e-4: 2·Φ(√2·z) - 1 = tanh(z·g(2·z²)/√2)."""
    z, root = node.input[0], math.sqrt(2)
    gain = _parabola(editor, editor.make("Mul", z, z), 2.0, 1 / root)
    editor.make("Tanh", editor.make("Mul", z, gain), out=node.output[0])
    return True


def rewrite_mish(editor: Editor, node: Node) -> bool:
    x = node.input[0]
    editor.make("Mul", x, _tanh_softplus(editor, x), out=node.output[0])
    return True


def rewrite_tanh_of_softplus(editor: Editor, node: Node) -> bool:
    """Mish as older opsets have it."""
    softplus = editor.made_by(node.input[0], "Softplus")
    if softplus is None:
        return False
    _tanh_softplus(editor, softplus.input[0], out=node.output[0])
    return True


def rewrite_celu(editor: Editor, node: Node) -> bool:
    """alpha·elu(x/alpha)."""
    alpha = float(attribute(node, "alpha", 1.0))
    x, out = node.input[0], node.output[0]
    if alpha == 1:
        editor.make("Elu", x, out=out)
    else:
        bent = editor.make("Elu", editor.make("Mul", x, 1 / alpha))
        editor.make("Mul", bent, alpha, out=out)
    return True


def rewrite_elu(editor: Editor, node: Node) -> bool:
    """An Elu of another alpha than 1, which TFLite lacks."""
    alpha = float(attribute(node, "alpha", 1.0))
    if alpha != 1:
        _bent(editor, node, 1.0, alpha)
    return alpha != 1


def rewrite_selu(editor: Editor, node: Node) -> bool:
    alpha = float(attribute(node, "alpha", _SELU_ALPHA))
    gamma = float(attribute(node, "gamma", _SELU_GAMMA))
    _bent(editor, node, gamma, gamma * alpha)
    return True


def _bent(editor: Editor, node: Node, above: float, below: float) -> None:
    """above·relu(x) + below·elu(-relu(-x))."""
    x = node.input[0]
    right = editor.make("Relu", x)
    if above != 1:
        right = editor.make("Mul", right, above)
    left = editor.make("Mul", editor.make("Relu", editor.make("Mul", x, -1.0)), -1.0)
    bent = editor.make("Mul", editor.make("Elu", left), below)
    editor.make("Add", right, bent, out=node.output[0])


def _normal_cdf(editor: Editor, x: str) -> str:
    gain = _parabola(editor, editor.make("Mul", x, x), 1.0, 1.0)
    return editor.make("Sigmoid", editor.make("Mul", x, gain))


def _parabola(editor: Editor, t: str, stretch: float, scale: float) -> str:
    """scale·g(stretch·t)."""
    centre = _G1 / (2 * _G2)
    bounded = editor.make("Min", t, _MOST_T / stretch)
    moved = editor.make("Add", bounded, centre / stretch)
    square = editor.make("Mul", moved, moved)
    bend = editor.make("Mul", square, scale * _G2 * stretch**2)
    return editor.make("Add", bend, scale * (_G0 - _G2 * centre**2))


def _tanh_softplus(editor: Editor, x: str, out: str | None = None) -> str:
    """(1 - u²)/(1 + u²) with u = sigmoid(-x): 1 + eˣ is 1/u."""
    u = editor.make("Sigmoid", editor.make("Mul", x, -1.0))
    square = editor.make("Mul", u, u)
    one = editor.store(1.0)
    above, below = editor.make("Sub", one, square), editor.make("Add", one, square)
    return editor.make("Div", above, below, out=out)


def _factors(editor: Editor, node: Node) -> Iterator[str | float]:
    """What is multiplied: through every Mul, and Div by a number, that nothing else reads."""
    for place, tensor in enumerate(node.input):
        number = editor.scalar(tensor)
        inner = editor.made_by(tensor, "Mul") or editor.made_by(tensor, "Div")
        if number is not None:
            yield 1 / number if place and node.op_type == "Div" else number
        elif inner is not None and (inner.op_type == "Mul" or editor.scalar(inner.input[1])):
            yield from _factors(editor, inner)
        else:
            yield tensor


def _one_plus(editor: Editor, tensor: str) -> Node | None:
    """The Erf or Tanh to which 1 is added."""
    add = editor.made_by(tensor, "Add")
    pair = None if add is None else pair_with_scalar(editor, add.input)
    if pair is None or pair[1] != 1:
        return None
    return editor.made_by(pair[0], "Erf") or editor.made_by(pair[0], "Tanh")


def _operand_of_erf(editor: Editor, erf: Node) -> str | None:
    """The x of Erf(x/√2)."""
    scaled = editor.maker.get(erf.input[0])
    if scaled is None or scaled.op_type not in ("Mul", "Div"):
        return None
    pair = pair_with_scalar(editor, scaled.input)
    if pair is None or (scaled.op_type == "Div" and pair[0] != scaled.input[0]):
        return None
    factor = pair[1] if scaled.op_type == "Mul" else 1 / pair[1]
    return pair[0] if math.isclose(factor, _ERF_OF, rel_tol=_RELATIVE) else None


RULES: dict[str, tuple[Rule, ...]] = {
    "Gelu": (Rule("Gelu", rewrite_gelu),),
    **dict.fromkeys(("Mul", "Div"), (Rule("GELU of several nodes", rewrite_gelu_of_nodes),)),
    "Erf": (Rule("Erf", rewrite_erf),),
    "Mish": (Rule("Mish", rewrite_mish),),
    "Tanh": (Rule("Mish of several nodes", rewrite_tanh_of_softplus),),
    "Celu": (Rule("Celu", rewrite_celu),),
    "Elu": (Rule("Elu of an alpha", rewrite_elu),),
    "Selu": (Rule("Selu", rewrite_selu),),
}

"""Changes to a model through the schema's own objects: each is a file that packs, none is sure to
make sense."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

EXTENTS = (0, 1, 2, 3, 5, 7, 64, 1000, 3000, 100_000, 10**8, 2**31 - 1, -1)
NUMBERS = (-(2**31), -129, -2, -1, 0, 1, 2, 3, 4, 7, 17, 255, 3000, 65_536, 10**6, 2**31 - 1)
REALS = (0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf"), 0.5)
NAMES = ("", "\x1b[2Jgone", "two\nlines", "=cmd()", "../up", "\u202eleft", "n" * 5000, "<b>")
DTYPES = sorted(code for name, code in vars(fb.TensorType).items() if name[0] != "_")
OPS = sorted(code for name, code in vars(fb.BuiltinOperator).items() if name[0] != "_")

Change = Callable[[Any, random.Random], None]


def mutated(model: Any, chance: random.Random) -> None:
    """Changes a fb.ModelT in place, in one to four places."""
    if not model.subgraphs[0].operators:
        return
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        chance.choices(tuple(CHANGES), tuple(CHANGES.values()))[0](model, chance)


def _tensor(model: Any, chance: random.Random) -> Any:
    return chance.choice(model.subgraphs[0].tensors)


def _op(model: Any, chance: random.Random) -> Any:
    return chance.choice(model.subgraphs[0].operators)


def _extent(model: Any, chance: random.Random) -> None:
    tensor = _tensor(model, chance)
    shape = [int(n) for n in (tensor.shape if tensor.shape is not None else [])]
    if shape:
        shape[chance.randrange(len(shape))] = chance.choice(EXTENTS)
    tensor.shape = shape


def _all_extents(model: Any, chance: random.Random) -> None:
    """One extent of every activation."""
    extent, axis = chance.choice(EXTENTS), chance.randrange(4)
    for tensor in model.subgraphs[0].tensors:
        shape = [int(n) for n in (tensor.shape if tensor.shape is not None else [])]
        if axis < len(shape) and not tensor.buffer:
            shape[axis] = extent
            tensor.shape = shape


def _rank(model: Any, chance: random.Random) -> None:
    tensor = _tensor(model, chance)
    shape = [int(n) for n in (tensor.shape if tensor.shape is not None else [])]
    tensor.shape = chance.choice((shape[1:], [1, *shape], [*shape, 1], [], [2] * 9, shape[::-1]))


def _dtype(model: Any, chance: random.Random) -> None:
    _tensor(model, chance).type = chance.choice(DTYPES)


def _all_dtypes(model: Any, chance: random.Random) -> None:
    old, new = _tensor(model, chance).type, chance.choice(DTYPES)
    for tensor in model.subgraphs[0].tensors:
        tensor.type = new if tensor.type == old else tensor.type


def _quantization(model: Any, chance: random.Random) -> None:
    tensor = _tensor(model, chance)
    affine = fb.QuantizationParametersT()
    affine.scale = [chance.choice(REALS) for _ in range(chance.choice((0, 1, 2, 8)))]
    affine.zeroPoint = [chance.choice(NUMBERS) for _ in affine.scale]
    affine.quantizedDimension = chance.choice(NUMBERS)
    tensor.quantization = chance.choice((None, affine))


def _kind(model: Any, chance: random.Random) -> None:
    """A constant becomes an activation, an activation a variable, or data get another length."""
    tensor = _tensor(model, chance)
    match chance.randrange(3):
        case 0:
            tensor.buffer = 0
        case 1:
            tensor.isVariable = not tensor.isVariable
        case _:
            buffer = fb.BufferT()
            buffer.data = np.zeros(chance.choice((0, 1, 4, 16, 64)), np.uint8)
            model.buffers.append(buffer)
            tensor.buffer = len(model.buffers) - 1


def _constant(model: Any, chance: random.Random) -> None:
    """Numbers within a constant of indices."""
    tensor = _tensor(model, chance)
    data = model.buffers[tensor.buffer].data if tensor.buffer < len(model.buffers) else None
    if tensor.type == fb.TensorType.INT32 and data is not None and len(data) >= 4:
        words = np.array(data[: len(data) // 4 * 4], np.uint8).view("<i4").copy()
        words[chance.randrange(len(words))] = chance.choice(NUMBERS)
        model.buffers[tensor.buffer].data = words.view(np.uint8)


def _operand(model: Any, chance: random.Random) -> None:
    op, tensors = _op(model, chance), model.subgraphs[0].tensors
    inputs = [int(n) for n in (op.inputs if op.inputs is not None else [])]
    at = chance.randrange(len(inputs)) if inputs else 0
    match chance.randrange(4):
        case 0:
            inputs = inputs[:at]
        case 1 if inputs:
            inputs[at] = -1
        case 2 if inputs:
            inputs[at] = chance.randrange(len(tensors))
        case _:
            inputs.append(chance.randrange(len(tensors)))
    op.inputs = inputs


def _result(model: Any, chance: random.Random) -> None:
    op, tensors = _op(model, chance), model.subgraphs[0].tensors
    outputs = [int(n) for n in (op.outputs if op.outputs is not None else [])]
    op.outputs = chance.choice((outputs[:-1], [*outputs, chance.randrange(len(tensors))]))


def _type(model: Any, chance: random.Random) -> None:
    code = fb.OperatorCodeT()
    code.builtinCode, code.version = chance.choice(OPS), chance.choice((1, 2, 99))
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.customCode = chance.choice((None, *NAMES)) if code.builtinCode == 32 else None
    model.operatorCodes.append(code)
    _op(model, chance).opcodeIndex = len(model.operatorCodes) - 1


def _option(model: Any, chance: random.Random) -> None:
    options = _op(model, chance).builtinOptions
    fields = [name for name in vars(options) if name[0] != "_"] if options is not None else []
    if not fields:
        return
    name = chance.choice(fields)
    old = getattr(options, name)
    if isinstance(old, bool):
        setattr(options, name, not old)
    elif isinstance(old, float):
        setattr(options, name, chance.choice(REALS))
    elif isinstance(old, int):
        narrow = (0, 1, 2, 3, 4, 17, 127, -1) if _is_byte(name) else NUMBERS
        setattr(options, name, chance.choice(narrow))


def _is_byte(name: str) -> bool:
    return name.lower().startswith(("padding", "fused", "mode", "weights", "outputtype", "lsh"))


def _no_options(model: Any, chance: random.Random) -> None:
    op = _op(model, chance)
    op.builtinOptions, op.builtinOptionsType = None, 0


def _order(model: Any, chance: random.Random) -> None:
    ops = model.subgraphs[0].operators
    match chance.randrange(3):
        case 0:
            chance.shuffle(ops)
        case 1:
            ops.append(copy.copy(chance.choice(ops)))
        case _ if len(ops) > 1:
            ops.pop(chance.randrange(len(ops)))


def _ends(model: Any, chance: random.Random) -> None:
    graph = model.subgraphs[0]
    name = chance.choice(("inputs", "outputs"))
    ends = [int(n) for n in getattr(graph, name)]
    more = chance.randrange(len(graph.tensors))
    setattr(graph, name, chance.choice(([], ends[1:], [*ends, more], [more])))


def _name(model: Any, chance: random.Random) -> None:
    chance.choice((_tensor(model, chance), model.subgraphs[0])).name = chance.choice(NAMES)


def _subgraphs(model: Any, chance: random.Random) -> None:
    model.subgraphs.append(copy.copy(model.subgraphs[0]))


CHANGES: dict[Change, int] = {
    _extent: 10, _all_extents: 4, _rank: 6, _dtype: 5, _all_dtypes: 4, _quantization: 5, _kind: 6,
    _constant: 8, _operand: 10, _result: 3, _type: 6, _option: 14, _no_options: 3, _order: 3,
    _ends: 4, _name: 3, _subgraphs: 1,
}  # fmt: skip

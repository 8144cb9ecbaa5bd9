"""A QUANTIZE op in front of a piece's inputs, for boundaries whose two sides differ in scale."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.graph.packed import pack
from splitopt.pieces.boundary_scales import Side


def requantised(piece: bytes, writers: Mapping[int, Side]) -> bytes:
    """The piece with a QUANTIZE op in front of each input in `writers` (position → the writer's
    scale).

    A new tensor replaces the input, and the op makes the old tensor of it. `piece` is a file that
    splitopt wrote, so it is trusted.
    """
    if not writers:
        return piece
    model = fb.ModelT.InitFromPackedBuf(piece)
    part = model.subgraphs[0]
    code = _quantize_code(model)
    inputs = [int(tensor) for tensor in part.inputs]
    ops = []
    for position, side in sorted(writers.items()):
        own = inputs[position]
        part.tensors.append(_as_written(part.tensors[own], side))
        inputs[position] = len(part.tensors) - 1
        ops.append(_op(code, inputs[position], own))
    part.inputs = np.asarray(inputs, np.int32)
    part.operators = [*ops, *part.operators]
    return pack(model)


def _quantize_code(model: fb.ModelT) -> int:
    code = fb.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = fb.BuiltinOperator.QUANTIZE
    code.version = 2  # int8 to int8
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _as_written(own: fb.TensorT, side: Side) -> fb.TensorT:
    tensor = copy.copy(own)
    tensor.name = own.name + b"_as_written"
    quantization = fb.QuantizationParametersT()
    quantization.scale = np.asarray([side.scale], np.float32)
    quantization.zeroPoint = np.asarray([side.zero_point], np.int64)
    tensor.quantization = quantization
    return tensor


def _op(code: int, source: int, target: int) -> fb.OperatorT:
    op = fb.OperatorT()
    op.opcodeIndex = code
    op.inputs = np.asarray([source], np.int32)
    op.outputs = np.asarray([target], np.int32)
    op.builtinOptionsType = fb.BuiltinOptions.QuantizeOptions
    op.builtinOptions = fb.QuantizeOptionsT()
    return op

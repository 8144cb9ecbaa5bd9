"""The smallest model worth running: one RELU, to see whether an interpreter works at all."""

from __future__ import annotations

import flatbuffers
from ai_edge_litert import schema_py_generated as fb


def relu_model() -> bytes:
    """RELU on float32 [1, 4]."""
    code = fb.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = fb.BuiltinOperator.RELU
    operator = fb.OperatorT()
    operator.inputs, operator.outputs = [0], [1]
    subgraph = fb.SubGraphT()
    subgraph.tensors = [_tensor("x"), _tensor("y")]
    subgraph.operators = [operator]
    subgraph.inputs, subgraph.outputs = [0], [1]
    model = fb.ModelT()
    model.version = 3
    model.operatorCodes, model.subgraphs, model.buffers = [code], [subgraph], [fb.BufferT()]
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tensor(name: str) -> fb.TensorT:
    tensor = fb.TensorT()
    tensor.name, tensor.shape, tensor.type = name, [1, 4], fb.TensorType.FLOAT32
    return tensor

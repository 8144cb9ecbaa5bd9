"""What makes a graph plannable: one maker per tensor, a topological order, every op with the
operands that its kernel reads, shapes that go together, sound scales."""

from __future__ import annotations

from math import isfinite

from splitopt.base.errors import ModelError
from splitopt.base.limits import MODEL_TENSORS_BYTES
from splitopt.graph.model import ModelGraph, TensorKind
from splitopt.graph.op_signatures import check_signature
from splitopt.graph.schema import CUSTOM_OP
from splitopt.graph.shape_inference import check_shapes

_VELA_OP = f"{CUSTOM_OP}:ethos-u"
_INTEGERS = ("INT", "UINT")
_NAME_CHARS = 60
_WITHOUT_OUTPUT = frozenset({"ASSIGN_VARIABLE", "CALL_ONCE"})


def check_graph(graph: ModelGraph) -> None:
    """Raises ModelError unless file order is a topological order of a sound DAG."""
    if not graph.ops:
        raise ModelError("the model has no ops")
    for op in graph.ops:
        if op.type == _VELA_OP:
            raise ModelError(
                f"compiled for the Ethos-U by Vela ({graph.op_name(op.index)}); its memory is "
                "planned already; give splitopt the model from before Vela"
            )
    if not graph.inputs:
        raise ModelError("the model has no inputs")
    if not graph.outputs:
        raise ModelError("the model has no outputs")
    if len(set(graph.inputs)) != len(graph.inputs):
        raise ModelError("the model names one input twice")
    if len(set(graph.outputs)) != len(graph.outputs):
        raise ModelError("the model names one output twice")
    _check_ops(graph)
    for tensor in graph.outputs:
        if tensor not in graph.producer or graph.tensors[tensor].kind is TensorKind.HANDLE:
            raise ModelError(f"output tensor {tensor} is made by no op")
    _check_size(graph)
    for op in graph.ops:
        check_shapes(graph, op)
    _check_scales(graph)
    for called in graph.called:
        check_called(called)


def check_called(graph: ModelGraph) -> None:
    """The same of a subgraph that CALL_ONCE runs: it needs no inputs and no outputs.

    Raises ModelError.
    """
    if "CALL_ONCE" in graph.op_types:
        raise ModelError("a subgraph that CALL_ONCE runs has a CALL_ONCE of its own")
    _check_ops(graph)
    _check_size(graph)
    for op in graph.ops:
        check_shapes(graph, op)


def _check_ops(graph: ModelGraph) -> None:
    made = {tensor for tensor in graph.inputs if graph.tensors[tensor].is_activation}
    for op in graph.ops:
        where = f"{graph.op_name(op.index)}"
        if not op.outputs and op.type not in _WITHOUT_OUTPUT:
            raise ModelError(f"{where} has no output")
        check_signature(graph, op)
        for tensor in op.given_inputs:
            if tensor not in made and not _needs_no_maker(graph, tensor):
                raise ModelError(
                    f"{where} reads tensor {tensor} before any op has made it; "
                    "the file's order of ops is not topological"
                )
        for tensor in op.outputs:
            own = TensorKind.HANDLE if op.type == "VAR_HANDLE" else TensorKind.ACTIVATION
            if tensor in made or graph.tensors[tensor].kind is not own:
                raise ModelError(f"{where} writes tensor {tensor}, which is not its own to make")
            made.add(tensor)


def _check_size(graph: ModelGraph) -> None:
    """What a file claims, before inputs, arenas or rows are made of it."""
    held = [tensor for tensor in graph.tensors if not tensor.is_constant]
    total = sum(tensor.bytes for tensor in held)
    if total > MODEL_TENSORS_BYTES:
        most = max(held, key=lambda tensor: tensor.bytes)
        raise ModelError(
            f"its activations hold {total:,} bytes in all, at most {MODEL_TENSORS_BYTES:,} are "
            f"planned; the largest is tensor {most.index} {most.name[:_NAME_CHARS]!r} "
            f"{list(most.shape)} with {most.bytes:,}; give the model a smaller input"
        )


def _check_scales(graph: ModelGraph) -> None:
    """Of integer activations only: a constant that no kernel scales may carry anything."""
    for tensor in graph.tensors:
        if not (tensor.is_activation and tensor.dtype.name.startswith(_INTEGERS)):
            continue
        for scale in tensor.quantization.scales if tensor.quantization else ():
            if not (isfinite(scale) and scale > 0):
                name = f"tensor {tensor.index} {tensor.name[:_NAME_CHARS]!r}"
                raise ModelError(f"{name} has the scale {scale:g}; want a finite number above 0")


def _needs_no_maker(graph: ModelGraph, tensor: int) -> bool:
    """A constant, a variable, or what is empty and made nowhere: a constant without data."""
    it = graph.tensors[tensor]
    return it.is_constant or it.is_variable or (it.bytes == 0 and tensor not in graph.producer)

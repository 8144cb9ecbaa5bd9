"""Models of several signatures: the subgraph of the one that is meant, as a file of its own.

TFLM allocates every subgraph of a file and runs the first: a signature is planned, and delivered,
alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from ai_edge_litert import schema_py_generated as fb

from splitopt.base.errors import ModelError
from splitopt.base.text import first_few, printable
from splitopt.graph.flatbuffer import Table
from splitopt.graph.model import ModelGraph
from splitopt.graph.packed import aligned_buffer, pack


def chosen_subgraph(model: Table, subgraphs: int, signature: str | None) -> int:
    """The index of the subgraph of `signature`, or of the only one that there is to run.

    Raises ModelError for a choice that is not made, or that the file does not have.
    """
    if not subgraphs:
        raise ModelError("the model has no subgraph")
    named = {table.text(2): table.scalar(4, "I") for table in model.tables(7)}
    names = first_few([repr(printable(name)) for name in named]) or "none"
    if signature is not None:
        if signature not in named:
            wanted = printable(signature)
            raise ModelError(f"model.signature {wanted!r} is none of its signatures ({names})")
        chosen = named[signature]
    else:
        meant = {*named.values()} or {0}
        if len(meant) > 1:
            first = printable(next(iter(named)))
            raise ModelError(
                f"{len(named)} signatures ({names}), which are models of their own; choose one in "
                f"a job, such as model.signature: {first}"
            )
        [chosen] = meant
    if chosen >= subgraphs:
        raise ModelError(f"a signature names subgraph {chosen} of {subgraphs}")
    return chosen


def called_subgraphs(graph: ModelGraph, chosen: int, subgraphs: int) -> tuple[int, ...]:
    """Indices of the file's subgraphs that a CALL_ONCE of the chosen one runs, rising.

    Raises ModelError for one that is not there, or is the chosen one itself.
    """
    found = set()
    for op in graph.ops:
        if op.type == "CALL_ONCE":
            index = int(op.options.get("initSubgraphIndex", 0))
            if not 0 <= index < subgraphs or index == chosen:
                where = graph.op_name(op.index)
                raise ModelError(f"{where} runs subgraph {index} of {subgraphs}, not one of others")
            found.add(index)
    return tuple(sorted(found))


def alone(data: bytes, subgraph: int, called: Sequence[int] = ()) -> bytes:
    """The file with one of its subgraphs, which the reader has checked, those that it calls once,
    and the constants that they hold; tensors and buffers keep their indices."""
    source = fb.Model.GetRootAs(data)
    kept = [fb.SubGraphT.InitFromObj(source.Subgraphs(k)) for k in (subgraph, *called)]
    held = {tensor.buffer for own in kept for tensor in own.tensors or ()}
    for op in kept[0].operators or ():
        if op.builtinOptionsType == fb.BuiltinOptions.CallOnceOptions:
            at = called.index(op.builtinOptions.initSubgraphIndex)
            op.builtinOptions.initSubgraphIndex = 1 + at
    codes = range(source.OperatorCodesLength())
    model = fb.ModelT()
    model.version, model.description = source.Version(), source.Description()
    model.operatorCodes = [fb.OperatorCodeT.InitFromObj(source.OperatorCodes(c)) for c in codes]
    model.buffers = [
        aligned_buffer(source.Buffers(b).DataAsNumpy() if _has_data(source, b, held) else b"")
        for b in range(source.BuffersLength())
    ]
    model.subgraphs = kept
    return pack(model)


def _has_data(source: fb.Model, buffer: int, held: set[int]) -> bool:
    return buffer in held and source.Buffers(buffer).DataLength() > 0

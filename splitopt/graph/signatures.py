"""Models of several signatures: the subgraph of the one that is meant, as a file of its own.

TFLM allocates every subgraph of a file and runs the first: a signature is planned, and delivered,
alone.
"""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as fb

from splitopt.base.errors import ModelError
from splitopt.base.text import first_few, printable
from splitopt.graph.flatbuffer import Table
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


def alone(data: bytes, subgraph: int) -> bytes:
    """The file with one of its subgraphs, which the reader has checked, and the constants that it
    holds; tensors and buffers keep their indices."""
    source = fb.Model.GetRootAs(data)
    kept = fb.SubGraphT.InitFromObj(source.Subgraphs(subgraph))
    held = {tensor.buffer for tensor in kept.tensors or ()}
    codes = range(source.OperatorCodesLength())
    model = fb.ModelT()
    model.version, model.description = source.Version(), source.Description()
    model.operatorCodes = [fb.OperatorCodeT.InitFromObj(source.OperatorCodes(c)) for c in codes]
    model.buffers = [
        aligned_buffer(source.Buffers(b).DataAsNumpy() if _has_data(source, b, held) else b"")
        for b in range(source.BuffersLength())
    ]
    model.subgraphs = [kept]
    return pack(model)


def _has_data(source: fb.Model, buffer: int, held: set[int]) -> bool:
    return buffer in held and source.Buffers(buffer).DataLength() > 0

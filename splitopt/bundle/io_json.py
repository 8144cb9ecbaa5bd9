"""The ends of an integer model in plan.json and in words, for the application that feeds it."""

from __future__ import annotations

from collections.abc import Iterator

from splitopt.base.text import printable
from splitopt.bundle.schema.io import Io, IoEnd
from splitopt.convert.integer_io import End, IntegerIo
from splitopt.graph.model import ModelGraph

_FED = "{integer} = round(x / {scale:.9g}) + {zero}, halves away from zero, clipped to {integer}."
_READ = "x = {scale:.9g} * ({integer} - {zero})."
_REBIASED = "uint8 = {integer} + 128."


def io_document(io: IntegerIo) -> Io:
    """Every input and output in the model's order, changed or not, and what was dropped."""
    return Io(
        inputs=tuple(_end(io.graph, end) for end in io.inputs),
        outputs=tuple(_end(io.graph, end) for end in io.outputs),
        dropped=io.dropped_names,
        kept=io.kept,
    )


def _end(graph: ModelGraph, end: End) -> IoEnd:
    tensor = graph.tensors[end.tensor]
    affine = tensor.quantization
    return IoEnd(
        name=end.name,
        tensor=end.tensor,
        shape=tensor.shape,
        dtype=tensor.dtype.name,
        scale=None if affine is None else affine.scales[0],
        zero_point=None if affine is None else affine.zero_points[0],
        was=end.was or tensor.dtype.name,
    )


def io_lines(io: Io) -> Iterator[str]:
    """What an application has to do instead of the QUANTIZE and DEQUANTIZE that were dropped."""
    if not io.dropped:
        reasons = "; ".join(io.kept) or "every input and output is an integer already"
        yield f"Note: model.io: int8 changed nothing: {reasons}."
        return
    yield f"model.io: int8 dropped {', '.join(io.dropped)}: the application does their work."
    for what, ends, rule in (("Input", io.inputs, _FED), ("Output", io.outputs, _READ)):
        for end in ends:
            if end.is_changed:
                meaning = _REBIASED if end.was == "UINT8" else rule
                yield f"{what} {_named(end)} for {end.was}: " + meaning.format(
                    integer=end.dtype.lower(), scale=end.scale, zero=end.zero_point
                )
    yield from (f"Note: {reason}." for reason in io.kept)


def _named(end: IoEnd) -> str:
    return f"{printable(end.name)!r} {list(end.shape)} is {end.dtype}"

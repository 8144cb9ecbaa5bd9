"""Loops of ops that move values and compute none."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from math import prod

from splitopt.arena.kernel import OpView
from splitopt.base.units import ceil_div
from splitopt.cost.kernel_terms import KernelTerms, kernel_name, runs


def copy(view: OpView) -> KernelTerms:
    """One copy of all bytes."""
    return KernelTerms(view.op.type, (1, *_memcpy(view.output.bytes)))


def _memcpy(size_bytes: int) -> tuple[int, int, int, int]:
    """newlib's loops of 64, 16, 4 and 1 bytes in one copy."""
    return size_bytes // 64, size_bytes % 64 // 16, size_bytes % 16 // 4, size_bytes % 4


def _copies(sizes: Iterable[tuple[int, int]]) -> tuple[float, ...]:
    """Copies in all and their loops, of (how many copies, bytes of each)."""
    rows = [(count, *(count * part for part in _memcpy(size))) for count, size in sizes]
    return tuple(map(sum, zip(*rows, strict=True)))


def _alignment(sizes: Iterable[int]) -> str:
    """Copies to addresses that are not whole words take other ways."""
    parts = {size % 4 for size in sizes}
    return "of bytes" if parts & {1, 3} else "of half words" if 2 in parts else ""


def pad(view: OpView) -> KernelTerms:
    source, result = view.input(0), view.output
    shape, padded = ((1,) * (4 - len(s)) + s for s in (source.shape, result.shape))
    batch, rows, columns, channels = shape
    if source.dtype.name != "INT8":
        return KernelTerms(kernel_name(view), _pad_by_value(view))
    lines, filled = batch * rows, ceil_div(result.bytes - source.bytes, 16)
    if channels != padded[3]:
        copies = lines * columns
        terms = 1, lines, copies, copies * ceil_div(channels, 16), filled
        return KernelTerms(kernel_name(view, "of channels"), terms)
    terms = 1, batch, lines, lines * ceil_div(columns * channels, 16), filled
    return KernelTerms(kernel_name(view), terms)


def _pad_by_value(view: OpView) -> tuple[float, ...]:
    """The reference kernel asks of each value, axis by axis, whether it is padding."""
    source, result = view.input(0), view.output
    rank = len(result.shape)
    ahead = [prod(result.shape[: k + 1]) for k in range(rank)]
    inside = [prod(source.shape[: k + 1]) for k in range(rank)]
    last = result.shape[-1]
    lines, pixels = (ahead[-3] if rank > 2 else 1), (ahead[-2] if rank > 1 else 1)
    rows_kept = prod(source.shape[:-2]) * (prod(result.shape[-2:]) if rank > 1 else 1)
    columns_kept = inside[-2] * last if rank > 1 else 0
    return 1, lines, pixels, result.elements, rows_kept, columns_kept, source.elements


def concatenation(view: OpView) -> KernelTerms:
    axis = view.option("axis") % len(view.output.shape)
    outer = runs(view.output, axis)
    chunks = [tensor.bytes // outer for tensor in view.inputs]
    terms = 1, outer, len(chunks), *_copies((outer, chunk) for chunk in chunks)
    return KernelTerms(kernel_name(view, _alignment(chunks)), terms)


def split(view: OpView) -> KernelTerms:
    """SPLIT and SPLIT_V: runs of values are copied one value at a time."""
    results = [view.graph.tensors[tensor] for tensor in view.op.outputs]
    source = view.input(1 if view.op.type == "SPLIT" else 0)
    differing = [
        k for k, extent in enumerate(source.shape) if any(r.shape[k] != extent for r in results)
    ]
    outer = prod(source.shape[: differing[0]]) if differing else 1
    elements = sum(tensor.elements for tensor in results)
    return KernelTerms(kernel_name(view), (1, outer, outer * len(results), elements))


def slices(view: OpView) -> KernelTerms:
    """SLICE and STRIDED_SLICE write row by row of the last axis."""
    result = view.output
    rows = result.elements // result.shape[-1] if result.shape else 1
    planes = rows // result.shape[-2] if len(result.shape) > 1 else 1
    terms = (
        1,
        planes,
        rows,
        result.elements,
        rows * (result.shape[-1] * result.dtype.bytes_of(1) // 16),
    )
    return KernelTerms(kernel_name(view), terms)


def transpose(view: OpView) -> KernelTerms:
    """By the output's last axis, which is written in one loop; CMSIS-NN has a way of its own for
    int8 where only the last two axes change places, and one for all other orders."""
    result, rank = view.output, len(view.output.shape)
    if view.input(0).dtype.name == "INT8":
        return _transpose_int8(view)
    rows = result.elements // result.shape[-1]
    planes = rows // result.shape[-2] if rank > 1 else 1
    cubes = planes // result.shape[-3] if rank > 2 else 1
    name = kernel_name(view, f"of rank {rank}")
    return KernelTerms(name, (1, result.elements, rows, planes, cubes))


def _transpose_int8(view: OpView) -> KernelTerms:
    shape, result = view.input(0).shape, view.output.shape
    order = _integers(view, 1)
    rank = len(shape)
    if list(order[:-2]) == list(range(rank - 2)) and rank in (2, 4):
        outer = prod(shape[:-2])
        columns = outer * shape[-1]
        terms = 1, outer, columns, columns * ceil_div(shape[-2], 8)
        return KernelTerms(kernel_name(view, "of the last axes"), terms)
    rows = prod(shape[:-1])
    planes = prod(shape[:-2])
    return KernelTerms(kernel_name(view), (1, planes, rows, prod(result)))


def _integers(view: OpView, position: int) -> tuple[int, ...]:
    """The values of a constant input of INT32. Raises ValueError where there are none."""
    tensor = view.input(position)
    if tensor.dtype.name != "INT32" or not tensor.is_constant:
        raise ValueError(f"input {position} is not a constant of integers")
    return struct.unpack(f"<{tensor.elements}i", tensor.data)


def resize(view: OpView) -> KernelTerms:
    batch, rows, columns, channels = view.output.shape
    lines = batch * rows
    pixels = lines * columns
    if view.op.type == "RESIZE_NEAREST_NEIGHBOR":
        size = channels * view.output.dtype.bytes_of(1)
        name = kernel_name(view, _alignment([size]))
        return KernelTerms(name, (1, lines, *_copies([(pixels, size)])))
    return KernelTerms(kernel_name(view), (1, rows, columns, lines, pixels, pixels * channels))

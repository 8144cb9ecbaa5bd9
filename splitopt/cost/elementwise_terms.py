"""Loops of ops that compute each value by itself, of reductions and of normalisations."""

from __future__ import annotations

from itertools import zip_longest
from math import prod

from splitopt.arena.kernel import OpView
from splitopt.base.units import ceil_div
from splitopt.cost.kernel_terms import KernelTerms, kernel_name
from splitopt.graph.model import Tensor


def unary(view: OpView) -> KernelTerms:
    """One result for each value."""
    result = view.output.dtype.name
    changed = "" if result == view.input(0).dtype.name else f"to {result} from"
    return KernelTerms(kernel_name(view, changed), (1, view.output.elements))


def per_row(view: OpView) -> KernelTerms:
    """Rows of the last axis, each by itself."""
    rows = view.output.elements // view.output.shape[-1]
    return KernelTerms(kernel_name(view), (1, rows, view.output.elements))


def binary(view: OpView) -> KernelTerms:
    """Two tensors of one shape, or one of them repeated along some axes."""
    first, second = view.input(0), view.input(1)
    count, name = view.output.elements, first.dtype.name
    is_helium = name == "INT8" and view.op.type in ("MAXIMUM", "MINIMUM")
    if first.shape == second.shape:
        lanes = 16 if is_helium else 4 if view.op.type in _FOUR_AT_ONCE and name != "FLOAT32" else 1
        return KernelTerms(kernel_name(view), (1, ceil_div(count, lanes)))
    if is_helium:
        return KernelTerms(kernel_name(view, "broadcast"), _helium_runs(first, second))
    pattern = _broadcast(first.shape, second.shape)
    starts, rest = [], count
    for _, extent in pattern[:3]:
        rest //= extent
        starts.append(rest)
    starts += [1] * (3 - len(starts))
    variant = "broadcast" if pattern[0][0] == "both" else "broadcast inner"
    owners = [pattern[0][0] == owner for owner in ("first", "second")]
    inner = (part * owns for part in (count, starts[0]) for owns in owners)
    terms = 1, count, *starts, *inner
    return KernelTerms(kernel_name(view, variant), terms)


def _helium_runs(first: Tensor, second: Tensor) -> tuple[float, ...]:
    """arm_maximum_s8: the longest runs in which no input, or one that is a scalar, is repeated."""
    a, b = ((1,) * (4 - len(t.shape)) + t.shape for t in (first, second))
    both = [max(x, y) for x, y in zip(a, b, strict=True)]
    for axis in range(4):
        plain = a[axis:] == b[axis:]
        if plain or 1 in (prod(a[axis:]), prod(b[axis:])):
            break
    outer, loops = prod(both[:axis]), prod(both[:axis]) * ceil_div(prod(both[axis:]), 16)
    is_deep = axis > 2
    lines = prod(both[:2]) if is_deep else 0
    shallow, deep = (outer, 0) if not is_deep else (0, outer)
    counts = shallow, deep, loops
    return 1, *(n * plain for n in counts), *(n * (not plain) for n in counts), lines


_FOUR_AT_ONCE = frozenset({"ADD", "MUL"})


def _broadcast(first: tuple[int, ...], second: tuple[int, ...]) -> list[tuple[str, int]]:
    """(which input has values of its own there, extent), from the inside out; neighbouring axes of
    one kind are one, as TFLM's ReduceDimensionsForBroadcast has it."""
    found: list[tuple[str, int]] = []
    for a, b in zip_longest(reversed(first), reversed(second), fillvalue=1):
        if a == b == 1:
            continue
        kind = "both" if a == b else "first" if b == 1 else "second"
        if found and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1] * max(a, b))
        else:
            found.append((kind, max(a, b)))
    return found or [("both", 1)]


def per_pixel(view: OpView) -> KernelTerms:
    """PRELU: one result for each value, in loops over four axes."""
    *outer, channels = view.output.shape
    pixels = prod(outer)
    lines = pixels // outer[-1] if outer else 1
    return KernelTerms(kernel_name(view), (1, lines, pixels, pixels * channels))


def reduction(view: OpView) -> KernelTerms:
    source, result = view.input(0), view.output
    axes, values = view.input(1).elements, source.elements
    rows = values // source.shape[-1]
    if view.op.type == "MEAN" and source.dtype.name == "FLOAT32" and _over_an_image(view):
        batch, height, _, channels = source.shape
        over_lines = 1, result.elements, batch * channels * height, values
        return KernelTerms(kernel_name(view, "over an image"), over_lines)
    planes = rows // source.shape[-2] if len(source.shape) > 1 else 1
    terms = 1, values, values * axes, result.elements, rows, planes
    return KernelTerms(kernel_name(view), terms)


def _over_an_image(view: OpView) -> bool:
    """Rows and columns of a tensor of four axes, which are kept as 1: a loop of its own."""
    source, result = view.input(0).shape, view.output.shape
    return (
        bool(view.options.get("keepDims"))
        and len(source) == 4
        and result == (source[0], 1, 1, source[3])
        and view.input(1).elements == 2
    )


def recurrent_filter(view: OpView) -> KernelTerms:
    """SVDF: a product over features, and one over the memory of each filter."""
    source, features, times = view.input(0), view.input(1), view.input(2)
    batch, filters, depth, memory = source.shape[0], *features.shape, times.shape[1]
    per_filter = batch * filters
    lanes, times_lanes = (1, 1) if source.dtype.name == "FLOAT32" else (16, 8)
    return KernelTerms(
        kernel_name(view, weights=times),
        (
            1, batch, per_filter, per_filter * ceil_div(depth, lanes),
            per_filter * ceil_div(memory, times_lanes), ceil_div(per_filter * memory, lanes),
            view.output.elements,
        ),
    )  # fmt: skip


def lstm(view: OpView) -> KernelTerms:
    """UNIDIRECTIONAL_SEQUENCE_LSTM: each step has a product with the input and one with the state
    for each gate, then element-wise ops. CMSIS-NN leaves out the state of the first step, zero."""
    source, weights = view.input(0), view.input(2)
    units, depth = weights.shape
    first, second, _ = source.shape
    is_major = bool(view.options.get("timeMajor"))
    steps, batch = (first, second) if is_major else (second, first)
    lanes = _LANES.get(source.dtype.name, 1)
    calls = steps * batch
    with_state = calls - batch if lanes > 1 else calls
    quads, rest = divmod(units, 4)
    vectors = calls * ceil_div(depth, lanes) + with_state * ceil_div(units, lanes)
    products = quads * (calls + with_state), quads * vectors, rest * (calls + with_state)
    terms = 1, batch, steps if is_major else calls, calls, with_state, calls * units
    return KernelTerms(kernel_name(view), (*terms, *products, rest * vectors))


_LANES = {"INT8": 16, "INT16": 8}


def batch_matmul(view: OpView) -> KernelTerms:
    """Each row of the first matrix with each column of the second; matrices are turned round
    before, where their values do not lie in that order."""
    first, second = view.input(0), view.input(1)
    is_turned = bool(view.options.get("adjX")), not view.options.get("adjY")
    *outer, rows, columns = view.output.shape
    batch = prod(outer)
    depth = first.shape[-2] if is_turned[0] else first.shape[-1]
    vectors = ceil_div(depth, _LANES.get(first.dtype.name, 1))
    quads, rest = divmod(columns, 4)
    moved = []
    for turned, tensor in zip(is_turned, (first, second), strict=True):
        lines = [tensor.elements // extent for extent in tensor.shape[-2:]]
        moved += [turned, turned * batch, *(turned * part for part in (*lines, tensor.elements))]
    parts = quads > 0, quads, quads * vectors, rest > 0, rest, rest * vectors
    each = 1, rows, *(rows * part for part in parts), *parts
    terms = 1, *(batch * part for part in each), *moved
    return KernelTerms(
        kernel_name(view, "" if first.dtype == second.dtype else "of two types"), terms
    )

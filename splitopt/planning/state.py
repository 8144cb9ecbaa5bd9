"""Models that keep state between inferences, and the segments that would lose it.

State lies in the persistent part of an arena: variable tensors, as SVDF and LSTM have them, and
the resource variables that VAR_HANDLE names. AllocateTensors sets both to their first values. Only
a piece that is resident, or the model in one piece, which is built once, keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from splitopt.arena.resource_kernels import RESOURCE_OPS, variable_names
from splitopt.base.text import first_few
from splitopt.graph.model import ModelGraph
from splitopt.planning.switching import Switching
from splitopt.solvers.partition.option_pool import Mask


def stateful_ops(graph: ModelGraph) -> tuple[int, ...]:
    """Ops that need what an earlier inference left, or leave something for a later one."""
    variables = {tensor.index for tensor in graph.variables}
    return tuple(
        op.index
        for op in graph.ops
        if op.type in RESOURCE_OPS or not variables.isdisjoint(op.touched)
    )


def cuts_that_part_state(graph: ModelGraph) -> tuple[int, ...]:
    """Cuts with ops of one variable on both sides, the CALL_ONCE that sets it counted in: two
    pieces would each have a variable of their own."""
    ops: dict[int | str, list[int]] = {}
    variables = {tensor.index for tensor in graph.variables}
    for op in graph.ops:
        found: list[int | str] = list(variables.intersection(op.touched))
        found += variable_names(graph, op) if op.type in RESOURCE_OPS else ()
        for name in found:
            ops.setdefault(name, []).append(op.index)
    parted = {cut for own in ops.values() for cut in range(own[0] + 1, own[-1] + 1)}
    return tuple(sorted(parted))


def segments_without_state(graph: ModelGraph) -> Mask:
    """Matrix [start, stop]: true for each segment that has no op with state."""
    n, stateful = len(graph.ops), stateful_ops(graph)
    before = np.zeros(n + 1, dtype=np.int64)
    before[np.asarray(stateful, dtype=np.int64) + 1] = 1
    before = np.cumsum(before)
    free: Mask = before[None, :] == before[:, None]
    return free


def segments_of_whole_variables(graph: ModelGraph) -> Mask:
    """Matrix [start, stop]: true for each segment that has all ops of a variable or none, for every
    variable."""
    ends = np.ones(len(graph.ops) + 1, dtype=bool)
    ends[list(cuts_that_part_state(graph))] = False
    whole: Mask = ends[:, None] & ends[None, :]
    return whole


def segments_without_loss(graph: ModelGraph, *, is_resident: bool) -> Mask:
    """Matrix [start, stop]: false for each segment whose piece would lose its state. Ops with state
    may be in pieces that stay, and in the model in one piece."""
    if is_resident:
        return segments_of_whole_variables(graph)
    kept = segments_without_state(graph)
    kept[0, len(graph.ops)] = True
    return kept


def where_state_needs_it(graph: ModelGraph, switching: Switching) -> Switching:
    """The ways of pieces for questions about cuts by themselves: built again, but that of a model
    with state they stay, if that is among these ways."""
    return Switching(may_reside=switching.may_reside and bool(stateful_ops(graph)))


def state_note(graph: ModelGraph, *, may_reside: bool) -> str:
    """Which segments cannot be pieces of their own, and why, as a sentence or two; empty where
    every segment can, in any way."""
    stateful = stateful_ops(graph)
    if not stateful:
        return ""
    names = first_few([graph.op_name(op) for op in stateful])
    keeps = f"{names} {'keeps' if len(stateful) == 1 else 'keep'} state between inferences"
    if not may_reside:
        return (
            f"The model stays in one piece, built once: {keeps}, which a piece that is built again "
            "or restored at each inference would lose; segments with such an op were left out, as "
            "no piece may be resident here (pieces.switching, route: pieces, or the board's abi)."
        )
    note = f"{keeps}: a piece with such an op runs whole, on all rows, and is resident."
    if parted := cuts_that_part_state(graph):
        note += (
            f" Cuts before {_spans(parted)} were left out: ops of one variable, and the CALL_ONCE "
            "that sets it, stay in one piece."
        )
    return note


def _spans(cuts: Iterable[int]) -> str:
    """`ops 1 to 7 and 9`, of ascending numbers."""
    spans: list[list[int]] = []
    for cut in cuts:
        if spans and spans[-1][1] == cut - 1:
            spans[-1][1] = cut
        else:
            spans.append([cut, cut])
    words = [f"{a}" if a == b else f"{a} to {b}" for a, b in spans]
    return f"{'ops' if len(words) > 1 or ' ' in words[0] else 'op'} {first_few(words)}"

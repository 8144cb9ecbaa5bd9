"""Models that keep state between inferences, and the segments that would lose it.

State lies in the persistent part of an arena: variable tensors, as SVDF and LSTM have them, and
the resource variables that VAR_HANDLE names. AllocateTensors sets both to their first values.
"""

from __future__ import annotations

import numpy as np

from splitopt.arena.resource_kernels import RESOURCE_OPS
from splitopt.base.text import first_few
from splitopt.graph.model import ModelGraph
from splitopt.solvers.partition.option_pool import Mask


def stateful_ops(graph: ModelGraph) -> tuple[int, ...]:
    """Ops that need what an earlier inference left, or leave something for a later one."""
    variables = {tensor.index for tensor in graph.variables}
    return tuple(
        op.index
        for op in graph.ops
        if op.type in RESOURCE_OPS or not variables.isdisjoint(op.touched)
    )


def segments_without_loss(graph: ModelGraph) -> Mask:
    """Matrix [start, stop]: false for each segment whose piece would lose its state.

    Every piece of a plan of several is built again, or restored as it was at start-up, at each
    inference; the model in one piece is built once. Ops with state can be in that one only.
    """
    n, stateful = len(graph.ops), stateful_ops(graph)
    before = np.zeros(n + 1, dtype=np.int64)
    before[np.asarray(stateful, dtype=np.int64) + 1] = 1
    before = np.cumsum(before)
    kept: Mask = before[None, :] == before[:, None]
    kept[0, n] = True
    return kept


def state_note(graph: ModelGraph) -> str:
    """Which segments cannot be pieces of their own, and why, as a sentence; empty where every
    segment can."""
    stateful = stateful_ops(graph)
    if not stateful:
        return ""
    names = first_few([graph.op_name(op) for op in stateful])
    keeps = "keeps" if len(stateful) == 1 else "keep"
    return (
        f"The model stays in one piece, built once: {names} {keeps} state between inferences, "
        "which a piece that is built again or restored at each inference would lose; segments with "
        "such an op were left out."
    )

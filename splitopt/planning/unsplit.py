"""What the plan is compared with: the unsplit model, and cuts as people choose them by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from splitopt.arena.replay import Arena, replay
from splitopt.base.units import ceil_div, plural
from splitopt.cost.allocate import allocate_insn
from splitopt.cost.costs import InvokeEstimate, estimate_invoke
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import whole_model
from splitopt.planning.build_plan import plan_of_pieces
from splitopt.planning.request import Deadline, PlanRequest
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.state import stateful_ops
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.plan import plan_cost

_LAYOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """The unsplit model on the same target."""

    arena: Arena
    ram_bytes: int
    allocate_insn: int
    invoke: InvokeEstimate

    @property
    def share_insn(self) -> int:
        """What added time is a share of: Invoke, of the ops that have an estimate."""
        return max(1, self.invoke.insn)


@dataclass(frozen=True, slots=True)
class HandCuts:
    """Cuts that need no optimiser, judged by the same figures."""

    name: str
    cuts: tuple[int, ...]
    peak_ram_bytes: int
    added_insn: int


def unsplit(table: SegmentTable) -> Baseline:
    """Arena, RAM and instructions of the model without cuts."""
    graph, segment = table.graph, whole_model(table.graph)
    arena = replay(graph, segment, table.memories, table.rules.abi)
    return Baseline(
        arena=arena,
        ram_bytes=arena.size_bytes + table.headroom_bytes,
        allocate_insn=allocate_insn(graph, segment, arena.buffers, table.costs.allocate),
        invoke=estimate_invoke(table.costs, graph, 0, len(graph.ops)),
    )


def by_hand(
    table: SegmentTable, pieces: int, request: PlanRequest, deadline: Deadline | None = None
) -> tuple[HandCuts, ...]:
    """Cuts as people choose them, for comparison: none; equal op counts; greedy by file size, as
    the automatic split of onnx2tf does it. Of a model that keeps state: none.

    The name says so where the cuts break the request's limits on cuts and pieces. Behind the
    deadline, their layouts are those of quick attempts.
    """
    deadline = deadline or Deadline(math.inf)
    if stateful_ops(table.graph):
        return (_judged(table, "no cut", [], request, deadline),)
    n = len(table.graph.ops)
    pieces = min(max(pieces, 2), n)
    weights = _constant_bytes(table.graph)
    by_size = weight_cuts(weights, ceil_div(sum(weights), pieces))
    return (
        _judged(table, "no cut", [], request, deadline),
        _judged(table, "{} of equal op counts", equal_cuts(n, pieces), request, deadline),
        _judged(table, "{} by file size, greedily", by_size, request, deadline),
    )


def equal_cuts(n: int, pieces: int) -> list[int]:
    """Cuts of n ops into that many pieces whose op counts differ by one at most."""
    return [n * k // pieces for k in range(1, pieces)]


def weight_cuts(weights: Sequence[int], limit: int) -> list[int]:
    """Cuts before each op that would take the weight of its piece past the limit."""
    cuts, filled = [], 0
    for op, weight in enumerate(weights):
        if op and filled + weight > limit:
            cuts.append(op)
            filled = 0
        filled += weight
    return cuts


def _judged(
    table: SegmentTable, name: str, cuts: list[int], request: PlanRequest, deadline: Deadline
) -> HandCuts:
    """`name` has a place for the number of pieces."""
    segments = list(pairwise([0, *cuts, len(table.graph.ops)]))
    name = name.format(plural(len(segments), "piece"))
    most = request.goal.max_segments
    few_enough = most is None or len(segments) <= most
    if not few_enough or not all(request.allowed[segment] for segment in segments):
        name += " (outside the job's limits)"
    pieces = [table.figures(*segment) for segment in segments]
    layout = SolveParams(time_limit_s=min(_LAYOUT_S, deadline.left_s))
    cost = plan_cost(plan_of_pieces(table, pieces, params=layout))
    return HandCuts(name, tuple(cuts), cost.peak, cost.added)


def _constant_bytes(graph: ModelGraph) -> list[int]:
    """Bytes of constants per op: what onnx2tf's automatic split weighs."""
    return [
        sum(graph.tensors[t].bytes for t in op.given_inputs if graph.tensors[t].is_constant)
        for op in graph.ops
    ]

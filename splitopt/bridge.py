"""The only translator of meaning: graph and job → solver's instance; solver's plan → SplitPlan."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from solvers.outcome import Outcome, Status
from solvers.params import SolveParams
from solvers.partition import check, cpsat, dp
from solvers.partition.baselines import equal_cuts, plan_of_cuts, weight_cuts
from solvers.partition.boundary import Boundary
from solvers.partition.cost import plan_cost
from solvers.partition.instance import Objective, Option, PartitionInstance
from solvers.partition.plan import PartitionPlan
from splitopt.baseline import HandCuts, constant_bytes, estimate_invoke
from splitopt.bounds import has_both_ends
from splitopt.errors import UsageError
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import BoundaryCandidate, boundary_candidates
from splitopt.job import Job, integer_weights
from splitopt.plan import BoundaryPlacement, Infeasible, PlannedSegment, SplitPlan
from splitopt.pruning import Goal, Mask, Pruner
from splitopt.segment_table import SegmentTable
from splitopt.units import ARENA_ALIGNMENT, align_up, ceil_div, plural

MAX_OPS = 1500
Progress = Callable[[str], None]


@dataclass(frozen=True)
class PlanRequest:
    """What to minimise, under what, with which cuts; the solver's words."""

    goal: Goal
    allowed: Mask
    params: SolveParams

    def without_capacity(self) -> PlanRequest:
        return replace(self, goal=replace(self.goal, capacity=None))


@dataclass(frozen=True)
class CutNames:
    """Names beside those of the graph's own tensors: of cuts, and of what no cut can reach."""

    cuts: Mapping[str, int] = field(default_factory=dict)
    fused: Mapping[str, int] = field(default_factory=dict)


def request_of(graph: ModelGraph, job: Job, names: CutNames | None = None) -> PlanRequest:
    """Raises UsageError for cuts that the model does not have."""
    spec = job.spec
    ram_weight, cost_weight = integer_weights(spec.objective)
    goal = Goal(
        ram_weight=ram_weight,
        cost_weight=cost_weight,
        capacity=job.budget_bytes,
        max_cost=spec.objective.max_added_insn,
        max_segments=spec.pieces.max,
    )
    solve = spec.solve
    params = SolveParams(solve.time_limit_s, solve.seed, solve.workers)
    return PlanRequest(goal, allowed_segments(graph, job, names), params)


def allowed_segments(graph: ModelGraph, job: Job, names: CutNames | None = None) -> Mask:
    """[start, stop] is true where both ends may be cuts (or ends of the model), and a piece is."""
    n = len(graph.ops)
    if n > MAX_OPS:
        raise UsageError(f"{job.model_path}: {n} ops; at most {MAX_OPS} are planned")
    cut = job.spec.cut
    ends = np.ones(n + 1, dtype=bool)

    def positions(cuts: Sequence[int | str], key: str) -> list[int]:
        where = f"{job.file}: $.cut.{key}"
        return [_cut_position(graph, c, names or CutNames(), where) for c in cuts]

    if cut.allow is not None:
        ends[1:n] = False
        ends[positions(cut.allow, "allow")] = True
    ends[positions(cut.forbid, "forbid")] = False
    allowed: Mask = np.triu(ends[:, None] & ends[None, :], 1) & has_both_ends(graph)
    return allowed


def _cut_position(graph: ModelGraph, cut: int | str, names: CutNames, where: str) -> int:
    """A cut by op index, or after the op that makes the tensor of that name."""
    n = len(graph.ops)
    if isinstance(cut, int):
        if not 1 <= cut < n:
            raise UsageError(f"{where}: got {cut}, want 1 to {n - 1} (the cut before that op)")
        return cut
    own: dict[str, list[int]] = {}
    for tensor, maker in graph.producer.items():
        own.setdefault(graph.tensors[tensor].name, []).append(maker + 1)
    if cut not in names.cuts and len(own.get(cut, ())) > 1:
        raise UsageError(
            f"{where}: several tensors are named {cut!r}; give the cut's op: {own[cut]}"
        )
    known = {**{name: cuts[0] for name, cuts in own.items()}, **names.cuts}
    if cut in names.fused and cut not in known:
        op = graph.op_name(names.fused[cut])
        raise UsageError(f"{where}: {cut!r} was fused into {op}; no cut can pass there")
    if cut not in known:
        near = difflib.get_close_matches(cut, known, n=1, cutoff=0.3)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"{where}: no op makes a tensor named {cut!r}{hint}")
    if known[cut] >= n:
        raise UsageError(f"{where}: {cut!r} is made by the last op; nothing is left to cut off")
    return known[cut]


class Planner:
    """Plans one model on one board; the segment table serves every question asked of it."""

    def __init__(self, table: SegmentTable, progress: Progress = lambda _: None) -> None:
        self.table = table
        self._progress = progress
        self._candidates = boundary_candidates(table.graph)
        self._boundaries = tuple(_boundary(table.graph, c) for c in self._candidates)

    def plan(self, request: PlanRequest) -> SplitPlan | Infeasible | Outcome[PartitionPlan]:
        """An optimal (or at least feasible) plan, or Infeasible with the least feasible budget.

        Where time ran out without a plan, the solver's outcome (UNKNOWN) comes back as it is.
        """
        outcome, instance = self.solve(request)
        if outcome.status is Status.INFEASIBLE:
            return self._explain_infeasible(request)
        if outcome.plan is None:
            return outcome
        check.check_plan(instance, outcome.plan, outcome.cost)
        return self._split_plan(outcome, request)

    def solve(self, request: PlanRequest) -> tuple[Outcome[PartitionPlan], PartitionInstance]:
        """The optimum over all segments, proved on those that pruning left.

        Pruning judges plans by their loads. A plan whose layout needs more than its load is
        dearer than pruning assumed: then segments up to its real value are taken in again.
        """
        pruner = self._pruner(request)
        kept = pruner.kept()
        outcome, instance = self._solve_kept(kept, request)
        if kept and not self._is_settled(outcome, pruner):
            wider = pruner.kept_within(outcome.cost)
            if len(wider) > len(kept):
                return self._widen(outcome, instance, wider, request)
        return outcome, instance

    def _is_settled(self, outcome: Outcome[PartitionPlan], pruner: Pruner) -> bool:
        """Whether the answer over the kept segments is the answer over all."""
        if outcome.plan is None:
            return outcome.status is not Status.INFEASIBLE
        cost = plan_cost(outcome.plan)
        return pruner.assumed(outcome.cost or 0, cost.segments, cost.copied_bytes)

    def _widen(
        self,
        first: Outcome[PartitionPlan],
        instance: PartitionInstance,
        wider: Sequence[tuple[int, int]],
        request: PlanRequest,
    ) -> tuple[Outcome[PartitionPlan], PartitionInstance]:
        """Solves over more segments; the first plan stays, unproved, where time runs out."""
        second, wider_instance = self._solve_kept(wider, request)
        if second.plan is None and first.plan is not None:
            return replace(first, status=Status.FEASIBLE, bound=second.bound or 0), instance
        return second, wider_instance

    def instance(self, kept: Sequence[tuple[int, int]], goal: Goal) -> PartitionInstance:
        """The solver's instance over these segments, all figures exact.

        Raises UsageError where the objective's weights take its sums out of 64 bits.
        """
        options = tuple(self._option(start, stop) for start, stop in kept)
        try:
            return PartitionInstance(
                n=len(self.table.graph.ops),
                options=options,
                boundaries=self._boundaries,
                capacity=goal.capacity,
                objective=Objective(goal.ram_weight, goal.cost_weight, goal.max_cost),
                max_segments=goal.max_segments,
            )
        except ValueError as error:
            raise UsageError(f"$.objective: weights too large for this model ({error})") from error

    def by_hand(self, pieces: int, request: PlanRequest) -> tuple[HandCuts, ...]:
        """No cut; equal op counts; greedy by file size, as onnx2tf's automatic split does it.

        A name says so where the cuts break the request's limits on cuts and pieces.
        """
        graph = self.table.graph
        n = len(graph.ops)
        pieces = min(max(pieces, 2), n)
        weights = constant_bytes(graph)
        by_size = weight_cuts(weights, ceil_div(sum(weights), pieces))
        return (
            self._judge("no cut", [], request),
            self._judge("{} of equal op counts", equal_cuts(n, pieces), request),
            self._judge("{} by file size, greedily", by_size, request),
        )

    def _judge(self, way: str, cuts: list[int], request: PlanRequest) -> HandCuts:
        """`way` is a name with a place for the number of pieces."""
        segments = list(pairwise([0, *cuts, len(self.table.graph.ops)]))
        name = way.format(plural(len(segments), "piece"))
        if not _keeps_limits(segments, request):
            name += " (outside the job's limits)"
        plan = plan_of_cuts(self.instance(segments, Goal(ram_weight=1, cost_weight=0)), cuts)
        cost = plan_cost(plan)
        return HandCuts(name, tuple(cuts), cost.peak, cost.added)

    def _pruner(self, request: PlanRequest) -> Pruner:
        self._progress("bounding segments")
        table = self.table
        return Pruner(
            table.ram_bound,
            table.added_bound,
            table.boundary.copied,
            request.allowed,
            lambda start, stop: (table.ram(start, stop), table.figures(start, stop).added_insn),
            request.goal,
        )

    def _solve_kept(
        self, kept: Sequence[tuple[int, int]], request: PlanRequest
    ) -> tuple[Outcome[PartitionPlan], PartitionInstance]:
        self._progress(f"replaying TFLM's planner on {len(kept)} segments")
        instance = self.instance(kept, request.goal)
        self._progress("choosing cuts (CP-SAT)")
        return cpsat.solve(instance, request.params), instance

    def _option(self, start: int, stop: int) -> Option:
        figures = self.table.figures(start, stop)
        return Option(
            start=start,
            stop=stop,
            arena_bytes=figures.arena_bytes,
            cost=figures.added_insn,
            copied_bytes=figures.copied_bytes,
        )

    def _split_plan(self, outcome: Outcome[PartitionPlan], request: PlanRequest) -> SplitPlan:
        return self.described(
            outcome.found,
            request.goal,
            outcome.status,
            cost=outcome.cost or 0,
            bound=outcome.bound or 0,
            solve_s=outcome.wall_s,
        )

    def described(
        self,
        plan: PartitionPlan,
        goal: Goal,
        status: Status,
        *,
        cost: int,
        bound: int,
        solve_s: float,
    ) -> SplitPlan:
        """The solver's plan in the words of the model."""
        return SplitPlan(
            status=status,
            segments=tuple(self._segment(k, option) for k, option in enumerate(plan.options)),
            placements=self._placements(plan),
            peak_ram_bytes=plan.layout.region_bytes,
            added_insn=plan_cost(plan).added,
            cost=cost,
            bound=bound,
            goal=goal,
            solve_s=solve_s,
        )

    def relaid(self, plan: SplitPlan, segments: Sequence[PlannedSegment]) -> SplitPlan:
        """The plan's cuts with other pieces in their places: layout, peak and sums are theirs.

        Status, cost and bound stay those of the choice of cuts.
        """
        options = tuple(
            Option(
                start=segment.start,
                stop=segment.stop,
                arena_bytes=segment.figures.arena_bytes,
                cost=segment.added_insn,
                copied_bytes=segment.figures.copied_bytes,
            )
            for segment in segments
        )
        instance = PartitionInstance(
            n=len(self.table.graph.ops),
            options=options,
            boundaries=self._boundaries,
            capacity=None,
            objective=Objective(plan.goal.ram_weight, plan.goal.cost_weight, None),
            max_segments=None,
        )
        laid_out = plan_of_cuts(instance, [segment.start for segment in segments[1:]])
        check.check_plan(instance, laid_out, None)
        return replace(
            plan,
            segments=tuple(segments),
            placements=self._placements(laid_out),
            peak_ram_bytes=laid_out.layout.region_bytes,
            added_insn=plan_cost(laid_out).added,
        )

    def _placements(self, plan: PartitionPlan) -> tuple[BoundaryPlacement, ...]:
        return tuple(
            BoundaryPlacement(
                tensor=self._candidates[p.boundary].tensor,
                offset=p.offset,
                size_bytes=p.size,
                first_segment=p.first_segment,
                last_segment=p.last_segment,
            )
            for p in plan.layout.placements
        )

    def _segment(self, index: int, option: Option) -> PlannedSegment:
        figures = self.table.figures(option.start, option.stop)
        at, loads = (option.start, option.stop), self.table.boundary
        return PlannedSegment(
            index=index,
            figures=figures,
            through_bytes=int(loads.through[at]),
            in_bytes=int(loads.read_last[at]),
            out_bytes=int(loads.made[at]),
            invoke_insn=estimate_invoke(self.table.costs, self.table.graph, *at).insn,
        )

    def _explain_infeasible(self, request: PlanRequest) -> Infeasible:
        """The least budget with a plan, every other limit kept; proved by CP-SAT."""
        self._progress("finding the smallest feasible budget")
        goal = replace(request.goal, ram_weight=1, cost_weight=0, capacity=None)
        outcome, _ = self.solve(replace(request, goal=goal))
        least = None if outcome.plan is None else self._split_plan(outcome, request)
        return Infeasible(request.goal, least)


def dp_outcome(planner: Planner, request: PlanRequest) -> Outcome[PartitionPlan]:
    """The dynamic programme's answer over every allowed segment: the oracle, without pruning."""
    kept = [(int(start), int(stop)) for start, stop in np.argwhere(request.allowed)]
    return dp.solve(planner.instance(kept, request.goal), request.params)


def _keeps_limits(segments: Sequence[tuple[int, int]], request: PlanRequest) -> bool:
    """Those on cuts and pieces; how far RAM and time keep theirs is in the figures."""
    most = request.goal.max_segments
    few_enough = most is None or len(segments) <= most
    return few_enough and all(request.allowed[segment] for segment in segments)


def _boundary(graph: ModelGraph, candidate: BoundaryCandidate) -> Boundary:
    size = align_up(graph.tensors[candidate.tensor].bytes, ARENA_ALIGNMENT)
    return Boundary(size, candidate.maker, candidate.readers)

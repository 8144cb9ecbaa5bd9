"""The only translator of meaning: graph and job → solver's instance; solver's plan → SplitPlan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from splitopt.arena.check import check_head
from splitopt.base.errors import UsageError
from splitopt.base.units import ARENA_ALIGNMENT, align_up, ceil_div, plural
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import BoundaryCandidate, boundary_candidates
from splitopt.planning.option_bounds import option_bounds
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import SegmentFigures, SegmentOption
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import BoundaryPlacement, Infeasible, PlannedSegment, SplitPlan
from splitopt.planning.unsplit import HandCuts, constant_bytes
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.partition import check, cpsat, dp
from splitopt.solvers.partition.baselines import equal_cuts, plan_of_cuts, weight_cuts
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.cost import plan_cost
from splitopt.solvers.partition.instance import Objective, Option, PartitionInstance
from splitopt.solvers.partition.lazy_pruning import Goal, OptionName, Pruner
from splitopt.solvers.partition.plan import Layout, PartitionPlan
from splitopt.tiling.check import check_bands

Progress = Callable[[str], None]


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
        wider: Sequence[OptionName],
        request: PlanRequest,
    ) -> tuple[Outcome[PartitionPlan], PartitionInstance]:
        """Solves over more ways; the first plan stays, unproved, where time runs out."""
        second, wider_instance = self._solve_kept(wider, request)
        if second.plan is None and first.plan is not None:
            return replace(first, status=Status.FEASIBLE, bound=second.bound or 0), instance
        return second, wider_instance

    def instance(self, kept: Sequence[OptionName], goal: Goal) -> PartitionInstance:
        """The solver's instance over these ways, all figures exact.

        Raises UsageError where the objective's weights take its sums out of 64 bits.
        """
        ways = [way for name in kept for way in self.table.ways(*name)]
        return self._instance(tuple(map(_option, ways)), goal)

    def _instance(self, options: tuple[Option, ...], goal: Goal) -> PartitionInstance:
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
        options = tuple(
            _piece_option(self.table.figures(start, stop), 0) for start, stop in segments
        )
        plan = plan_of_cuts(self._instance(options, Goal(ram_weight=1, cost_weight=0)), cuts)
        cost = plan_cost(plan)
        return HandCuts(name, tuple(cuts), cost.peak, cost.added)

    def _pruner(self, request: PlanRequest) -> Pruner:
        self._progress("bounding segments and bands")
        return self.pruner(request)

    def pruner(self, request: PlanRequest) -> Pruner:
        """The allowed ways under bounds; exact figures come from the table."""
        table = self.table

        def exact(start: int, stop: int, variant: int) -> list[tuple[int, int]]:
            loads = table.boundary.load_in_bands if variant else table.boundary.load
            outside = int(loads[start, stop])
            ways = table.ways(start, stop, variant)
            return [(way.arena_bytes + outside, way.added_insn) for way in ways]

        bounds = option_bounds(table, request.allowed)
        return Pruner(bounds, len(table.graph.ops), exact, request.goal)

    def _solve_kept(
        self, kept: Sequence[OptionName], request: PlanRequest
    ) -> tuple[Outcome[PartitionPlan], PartitionInstance]:
        self._progress(f"replaying TFLM's planner on {len(kept)} pieces")
        instance = self.instance(kept, request.goal)
        self._progress("choosing cuts, bands and offline plans (CP-SAT)")
        return cpsat.solve(instance, request.params), instance

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
        """The solver's plan in the words of the model: one segment of it may need two pieces.

        Where an offline plan was not proved to be the best, neither is this one.
        """
        ways = [self._way(option) for option in plan.options]
        for way in ways:
            self._check(way)
        unproved = goal.ram_weight * self.table.unproved_bytes
        if status is Status.OPTIMAL and unproved:
            status = Status.FEASIBLE
        return SplitPlan(
            status=status,
            segments=tuple(self._segments(ways, plan.layout)),
            placements=self._placements(plan, [len(way.pieces) for way in ways]),
            peak_ram_bytes=plan.layout.region_bytes,
            added_insn=plan_cost(plan).added,
            cost=cost,
            bound=bound - unproved,
            goal=goal,
            solve_s=solve_s,
        )

    def relaid(self, plan: SplitPlan, segments: Sequence[PlannedSegment]) -> SplitPlan:
        """The plan's cuts with other pieces in their places: layout, peak and sums are theirs.

        Status, cost and bound stay those of the choice of cuts.
        """
        options = tuple(
            _piece_option(segment.figures, segment.requantise_insn) for segment in segments
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
            segments=tuple(
                replace(segment, arena_offset=laid_out.layout.arena_offset(k))
                for k, segment in enumerate(segments)
            ),
            placements=self._placements(laid_out, [1] * len(segments)),
            peak_ram_bytes=laid_out.layout.region_bytes,
            added_insn=plan_cost(laid_out).added,
        )

    def _placements(
        self, plan: PartitionPlan, pieces: Sequence[int]
    ) -> tuple[BoundaryPlacement, ...]:
        """`pieces`: how many each of the solver's segments has."""
        firsts = list(accumulate(pieces, initial=0))
        return tuple(
            BoundaryPlacement(
                tensor=self._candidates[p.boundary].tensor,
                offset=p.offset,
                size_bytes=p.size,
                first_segment=firsts[p.first_segment],
                last_segment=firsts[p.last_segment + 1] - 1,
            )
            for p in plan.layout.placements
        )

    def _way(self, option: Option) -> SegmentOption:
        assert isinstance(option.key, int), "keys are those of ways"
        ways = self.table.ways(option.start, option.stop, option.key // 2)
        return next(way for way in ways if way.key == option.key)

    def _check(self, way: SegmentOption) -> None:
        """Every band that is kept is right, and no two buffers of an offline plan share bytes."""
        if way.bands is not None:
            at = way.segment.start, way.segment.stop
            pieces = [(piece.rows or {}, piece.executions) for piece in way.pieces]
            check_bands(self.table.graph, *at, pieces)
        for piece in way.pieces:
            if piece.has_offline_plan:
                check_head(piece.arena)

    def _segments(self, ways: Sequence[SegmentOption], layout: Layout) -> Iterator[PlannedSegment]:
        loads = self.table.boundary
        pieces = [(k, way, figures) for k, way in enumerate(ways) for figures in way.pieces]
        for index, (k, way, figures) in enumerate(pieces):
            segment = figures.segment
            at = (segment.start, segment.stop)
            in_bytes, out_bytes = loads.ends(*at, in_bands=way.bands is not None)
            yield PlannedSegment(
                index=index,
                figures=figures,
                through_bytes=int(loads.through[at]),
                in_bytes=in_bytes,
                out_bytes=out_bytes,
                arena_offset=layout.arena_offset(k),
            )

    def _explain_infeasible(self, request: PlanRequest) -> Infeasible:
        """The least budget with a plan, every other limit kept; proved by CP-SAT."""
        self._progress("finding the smallest feasible budget")
        goal = replace(request.goal, ram_weight=1, cost_weight=0, capacity=None)
        outcome, _ = self.solve(replace(request, goal=goal))
        least = None if outcome.plan is None else self._split_plan(outcome, request)
        return Infeasible(request.goal, least)


def dp_outcome(planner: Planner, request: PlanRequest) -> Outcome[PartitionPlan]:
    """The dynamic programme's answer over every way of every allowed segment: the oracle, without
    pruning."""
    bounds = option_bounds(planner.table, request.allowed)
    columns = bounds.starts, bounds.stops, bounds.variants
    kept = [(int(a), int(b), int(v)) for a, b, v in zip(*columns, strict=True)]
    return dp.solve(planner.instance(kept, request.goal), request.params)


def _keeps_limits(segments: Sequence[tuple[int, int]], request: PlanRequest) -> bool:
    """Those on cuts and pieces; how far RAM and time keep theirs is in the figures."""
    most = request.goal.max_segments
    few_enough = most is None or len(segments) <= most
    return few_enough and all(request.allowed[segment] for segment in segments)


def _boundary(graph: ModelGraph, candidate: BoundaryCandidate) -> Boundary:
    size = align_up(graph.tensors[candidate.tensor].bytes, ARENA_ALIGNMENT)
    return Boundary(size, candidate.maker, candidate.readers, candidate.is_output)


def _option(way: SegmentOption) -> Option:
    return Option(
        start=way.segment.start,
        stop=way.segment.stop,
        arena_bytes=way.arena_bytes,
        cost=way.added_insn,
        copied_bytes=way.copied_bytes,
        key=way.key,
        apart=way.bands is not None,
    )


def _piece_option(figures: SegmentFigures, more_insn: int) -> Option:
    """A piece on all rows, `more_insn` on top of what it adds."""
    return Option(
        start=figures.segment.start,
        stop=figures.segment.stop,
        arena_bytes=figures.arena_bytes,
        cost=figures.added_insn + more_insn,
        copied_bytes=figures.copied_bytes,
    )

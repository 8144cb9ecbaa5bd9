"""From an open model to the optimum over its cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from solvers.outcome import Outcome
from splitopt.arena.rules import target_rules
from splitopt.baseline import Baseline, HandCuts, unsplit
from splitopt.bridge import Planner, PlanRequest, request_of
from splitopt.convert.correspondence import Correspondence
from splitopt.cost.costs import Costs, parse_costs
from splitopt.cut_limits import CutNames
from splitopt.errors import ToolError
from splitopt.graph.model import ModelGraph
from splitopt.job import Job
from splitopt.limits import Floor, floor_of, limiting_sentence
from splitopt.model_source import ModelSource
from splitopt.onnx_names import cut_names, fused_away
from splitopt.plan import Infeasible, SplitPlan
from splitopt.refusals import infeasible, refuse_stateful
from splitopt.segment_table import CUTS_ALONE, Liberties, SegmentTable

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """A model on its target, before any cut is chosen. `names`: of the ONNX model it came from."""

    graph: ModelGraph
    names: Correspondence | None
    table: SegmentTable
    baseline: Baseline

    @cached_property
    def floor(self) -> Floor:
        return floor_of(self.table)

    def request(self, job: Job) -> PlanRequest:
        """Raises UsageError for cuts that the model does not have."""
        known = CutNames(cut_names(self.graph, self.names), fused_away(self.names))
        return request_of(self.graph, job, known)


def prepare(job: Job, source: ModelSource) -> Prepared:
    """Raises ModelError for a model that keeps state."""
    table = SegmentTable(
        source.graph,
        target_rules(job.board.abi),
        headroom_bytes=job.board.headroom_bytes,
        zero_arena=job.spec.pieces.zero_arena,
        costs=job_costs(job),
        liberties=liberties_of(job),
    )
    baseline = unsplit(table)
    refuse_stateful(job, source.graph, baseline)
    return Prepared(source.graph, source.names, table, baseline)


def liberties_of(job: Job) -> Liberties:
    """Pieces that are converted one by one can be cut alone. Two heights make two pieces of one
    segment, so a limit on pieces rules them out."""
    pieces = job.spec.pieces
    if job.spec.route == "pieces":
        return CUTS_ALONE
    return Liberties(
        bands=pieces.bands,
        two_heights=pieces.bands and pieces.max is None,
        offline_plans=pieces.offline_plans,
    )


def job_costs(job: Job) -> Costs:
    """The cost table that the job names, or the built-in one. Raises UsageError."""
    return parse_costs(job.cost_table_text, f"{job.file}: $.cost_table")


@dataclass(frozen=True)
class Planned:
    """Everything that is known before pieces are written."""

    graph: ModelGraph
    table: SegmentTable
    planner: Planner
    plan: SplitPlan
    baseline: Baseline
    by_hand: tuple[HandCuts, ...]

    @property
    def limit(self) -> str:
        return limiting_sentence(self.graph, self.table, self.plan)


def plan_job(
    job: Job,
    source: ModelSource,
    progress: Progress = lambda _: None,
    segments: npt.NDArray[np.bool_] | None = None,
) -> Planned:
    """Chooses the cuts of the job's model, out of `segments` where given ([start, stop] is true).

    Raises SplitoptError.
    """
    prepared = prepare(job, source)
    planner = Planner(prepared.table, progress)
    request = prepared.request(job)
    if segments is not None:
        request = replace(request, allowed=request.allowed & segments)
    answer = planner.plan(request)
    if isinstance(answer, Infeasible):
        raise infeasible(job, prepared.table, answer)
    if isinstance(answer, Outcome):
        raise ToolError(
            f"{job.file}: no plan was found within {job.spec.solve.time_limit_s:g} s, and none was "
            "ruled out; raise solve.time_limit_s"
        )
    by_hand = planner.by_hand(len(answer.segments), request)
    return Planned(prepared.graph, prepared.table, planner, answer, prepared.baseline, by_hand)

"""From an open model to the optimum over its cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from splitopt.base.errors import ToolError
from splitopt.config.job import Job
from splitopt.convert.cut_names import cut_names, fused_away
from splitopt.convert.names.record import Correspondence
from splitopt.convert.open_model import ModelSource
from splitopt.graph.model import ModelGraph
from splitopt.planning.allowed_cuts import CutNames
from splitopt.planning.job_table import segment_options
from splitopt.planning.lower_bound import Floor, floor_of, limiting_sentence
from splitopt.planning.planner import Planner
from splitopt.planning.refusals import infeasible, refuse_stateful
from splitopt.planning.request import PlanRequest, request_of
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.planning.unsplit import Baseline, HandCuts, by_hand, unsplit
from splitopt.solvers.outcome import Outcome

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
    table = segment_options(job, source.graph)
    baseline = unsplit(table)
    refuse_stateful(job, source.graph, baseline)
    return Prepared(source.graph, source.names, table, baseline)


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
    return Planned(
        graph=prepared.graph,
        table=prepared.table,
        planner=planner,
        plan=answer,
        baseline=prepared.baseline,
        by_hand=by_hand(prepared.table, len(answer.segments), request),
    )

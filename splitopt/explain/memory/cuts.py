"""What cuts can save at all: each single one, every set of them, and without the job's limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from splitopt.base.errors import UsageError
from splitopt.base.json_input import load_json
from splitopt.bundle.open import OpenBundle
from splitopt.config.job import (
    CutSpec,
    Job,
    JobSpec,
    ModelFile,
    ObjectiveSpec,
    PiecesSpec,
    SolveSpec,
)
from splitopt.convert.cut_names import cut_names, fused_away
from splitopt.convert.names.record import Correspondence
from splitopt.planning.allowed_cuts import CutNames
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest, request_of
from splitopt.planning.segment_bounds import has_both_ends
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan

SHOWN_CUTS = 10
_SOLVE_S = 20.0


@dataclass(frozen=True)
class SingleCut:
    """The peak of two pieces, cut before this op, and what crosses the cut."""

    before_op: int
    peak_ram_bytes: int
    boundary_bytes: int


@dataclass(frozen=True)
class SingleCuts:
    """All cuts by themselves: `best` are the lowest peaks, `useless` counts what saves nothing."""

    best: tuple[SingleCut, ...]
    possible: int
    useless: int


@dataclass(frozen=True)
class LeastPeak:
    """The lowest peak that was found under some limits; `proved`: nothing lower exists."""

    peak_ram_bytes: int
    cuts: tuple[int, ...]
    proved: bool


@dataclass(frozen=True)
class LiftedLimit:
    """What one of the job's own limits costs: the least peak under all of them, less without it.

    `setting` is the key in the job file.
    """

    setting: str
    saved_bytes: int
    least: LeastPeak


@dataclass(frozen=True)
class Reachable:
    """The least peak of any set of cuts, of those the job allows, and what each limit costs.

    `allowed` is None where the job's cuts name tensors that are not known any more.
    """

    free: LeastPeak
    allowed: LeastPeak | None
    lifted: tuple[LiftedLimit, ...]


def single_cuts(table: SegmentTable, unsplit_bytes: int) -> SingleCuts:
    """Replays only what a bound does not rule out already."""
    n = len(table.graph.ops)
    possible = has_both_ends(table.graph)
    cuts = [c for c in range(1, n) if possible[0, c] and possible[c, n]]
    found = []
    for cut in cuts:
        sides = (0, cut), (cut, n)
        if max(int(table.ram_bound[side]) for side in sides) >= unsplit_bytes:
            continue
        peak = max(table.ram(*side) for side in sides)
        if peak < unsplit_bytes:
            crossing = int(table.boundary.load[cut, n])
            found.append(SingleCut(cut, peak, crossing))
    best = sorted(found, key=lambda c: (c.peak_ram_bytes, c.boundary_bytes, c.before_op))
    return SingleCuts(tuple(best[:SHOWN_CUTS]), len(cuts), len(cuts) - len(found))


def peak_as_cut(bundle: OpenBundle, planner: Planner) -> int | None:
    """The peak of the plan's own cuts with a checked layout; None where none was found in time."""
    request = _request(bundle)
    allowed = np.zeros_like(request.allowed)
    for piece in bundle.pieces:
        allowed[piece.segment.start, piece.segment.stop] = True
    found = _least(planner, replace(request, allowed=allowed & request.allowed))
    return None if found is None else found.peak_ram_bytes


def reachable(
    bundle: OpenBundle, planner: Planner, progress: Callable[[str], None]
) -> Reachable | None:
    """None where no plan was found in time."""
    progress("looking for the least peak of any cuts")
    free = _least(planner, _request(bundle))
    if free is None:
        return None
    settings = bundle.plan.job.settings
    narrow: dict[str, dict[str, Any]] = {}
    if settings.pieces.max is not None:
        narrow["pieces.max"] = {"pieces": PiecesSpec(zero_arena=settings.pieces.zero_arena)}
    if settings.cut.allow is not None:
        narrow["cut.allow"] = {"cut": CutSpec(forbid=settings.cut.forbid)}
    if settings.cut.forbid:
        narrow["cut.forbid"] = {"cut": CutSpec(allow=settings.cut.allow)}
    if settings.objective.max_added_insn is not None:
        narrow["objective.max_added_insn"] = {"objective": _PEAK}
    if not narrow:
        return Reachable(free, free, ())
    asked = {
        "cut": settings.cut,
        "pieces": settings.pieces,
        "objective": _PEAK.model_copy(update={"max_added_insn": settings.objective.max_added_insn}),
    }
    try:
        allowed = _least(planner, _request(bundle, **asked))
        if allowed is None:
            return Reachable(free, None, ())
        lifted = []
        for setting, change in narrow.items():
            least = _least(planner, _request(bundle, **{**asked, **change}))
            if least is not None:
                saved = allowed.peak_ram_bytes - least.peak_ram_bytes
                lifted.append(LiftedLimit(setting, saved, least))
    except UsageError:
        return Reachable(free, None, ())
    return Reachable(free, allowed, tuple(lifted))


_PEAK = ObjectiveSpec(minimise="peak_ram")


def least_peak_request(bundle: OpenBundle) -> PlanRequest:
    """The least peak of the bundle's model, none of the job's limits kept."""
    return _request(bundle)


def _request(bundle: OpenBundle, **settings: Any) -> PlanRequest:
    """A question for the planner: least peak under these settings, whatever the budget."""
    plan = bundle.plan
    spec = JobSpec(
        model=ModelFile(path=plan.model.path),
        board=plan.board,
        solve=SolveSpec(time_limit_s=_SOLVE_S),
        **{"objective": _PEAK, **settings},
    )
    file = Path(plan.job.path)
    job = Job(plan.job.name, file, spec, plan.board, bundle.model_path)
    names = _cut_names(bundle) if settings else None
    request = request_of(bundle.graph, job, names)
    return replace(request, goal=replace(request.goal, capacity=None))


def _least(planner: Planner, request: PlanRequest) -> LeastPeak | None:
    answer = planner.plan(request)
    if not isinstance(answer, SplitPlan):
        return None
    cuts = answer.cuts
    return LeastPeak(answer.peak_ram_bytes, cuts, answer.status.name == "OPTIMAL")


def _cut_names(bundle: OpenBundle) -> CutNames | None:
    """The ONNX names that cuts may have, from the bundle's own record; None without one."""
    try:
        names = Correspondence.from_dict(load_json(bundle.folder / "correspondence.json"))
        return CutNames(cut_names(bundle.graph, names), fused_away(names))
    except (UsageError, ValueError, LookupError, TypeError, AttributeError):
        return None

"""What cuts can save in a run: each by itself, any set of them, and without the job's limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from splitopt.base.errors import UsageError
from splitopt.base.text import first_few
from splitopt.base.units import format_bytes, plural
from splitopt.bundle.open import OpenBundle, correspondence_of, cost_table_of
from splitopt.bundle.schema.explain import (
    LiftedLimit,
    Reachable,
    Remedy,
    SingleCut,
    SingleCuts,
)
from splitopt.bundle.schema.explain import LowestPeak as PeakEntry
from splitopt.config.job import Job
from splitopt.config.job_keys import CutSpec, JobSpec, ModelFile, PiecesSpec, SolveSpec
from splitopt.config.objective import ObjectiveSpec
from splitopt.convert.cut_names import cut_names, fused_away
from splitopt.explain.memory.float_ends import float_end_remedy
from splitopt.explain.subject import without_limits
from splitopt.graph.model import ModelGraph
from splitopt.planning.allowed_cuts import CutNames
from splitopt.planning.job_table import Pricing, priced_segments, pricing_of, switching_of
from splitopt.planning.lowest_peak import LowestPeak, lowest_peak
from splitopt.planning.planner import Planner
from splitopt.planning.request import Deadline, PlanRequest, request_of
from splitopt.planning.segment import CUTS_ONLY, Techniques
from splitopt.planning.segment_bounds import has_both_ends
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.state import segments_without_loss, where_state_needs_it

_SHOWN_CUTS = 10
SOLVE_S = 20.0
_LEAST_SHARE = 0.02


def single_cuts(table: SegmentTable, unsplit_bytes: int) -> SingleCuts:
    """Replays only what a bound does not rule out already."""
    n = len(table.graph.ops)
    possible = has_both_ends(table.graph) & segments_without_loss(table.graph, is_resident=False)
    cuts = [c for c in range(1, n) if possible[0, c] and possible[c, n]]
    found = []
    for cut in cuts:
        sides = (0, cut), (cut, n)
        if max(int(table.ram_bound[side]) for side in sides) >= unsplit_bytes:
            continue
        peak = max(table.ram(*side) for side in sides)
        if peak < unsplit_bytes:
            crossing = int(table.boundary.load[cut, n])
            found.append(SingleCut(before_op=cut, peak_ram_bytes=peak, boundary_bytes=crossing))
    best = sorted(found, key=lambda c: (c.peak_ram_bytes, c.boundary_bytes, c.before_op))
    useless = len(cuts) - len(found)
    return SingleCuts(best=tuple(best[:_SHOWN_CUTS]), possible=len(cuts), useless=useless)


def job_of(bundle: OpenBundle) -> Job:
    """What the bundle's job asked of cuts and pieces, on its board; costs: see `planner_of`."""
    plan, settings = bundle.plan, bundle.plan.job.settings
    spec = JobSpec(
        model=ModelFile(path=plan.model.path),
        board=plan.board,
        objective=settings.objective,
        pieces=settings.pieces,
        cut=settings.cut,
        solve=SolveSpec(time_limit_s=SOLVE_S),
    )
    file = bundle.folder / "plan.json"
    return Job(plan.job.name, file, spec, plan.board, bundle.model_path)


def planner_of(bundle: OpenBundle, techniques: Techniques) -> Planner:
    """With the costs that the run was planned with. Raises UsageError for a broken cost table."""
    return Planner(priced_segments(bundle.graph, _pricing(bundle, techniques)))


def _pricing(bundle: OpenBundle, techniques: Techniques) -> Pricing:
    table, where = cost_table_of(bundle)
    settings = bundle.plan.job.settings.pieces
    switching = switching_of(bundle.plan.board, settings.switching)
    stays = where_state_needs_it(bundle.graph, switching)
    pricing = pricing_of(job_of(bundle), replace(techniques, switching=stays))
    return replace(pricing, cost_table=table, cost_table_from=where)


def float_ends(bundle: OpenBundle, after: int, deadline: Deadline) -> Iterator[Remedy]:
    """What float inputs and outputs cost the run's model. Raises as `planner_of`."""
    job = without_limits(job_of(bundle))

    def price(graph: ModelGraph) -> SegmentTable:
        return priced_segments(graph, _pricing(bundle, CUTS_ONLY))

    return float_end_remedy(bundle.graph, job, price, after, after, deadline)


def free_request(bundle: OpenBundle) -> PlanRequest:
    """The lowest peak of the bundle's model, none of the job's limits kept."""
    return request_of(bundle.graph, without_limits(job_of(bundle))).without_capacity()


def peak_as_cut(bundle: OpenBundle, planner: Planner, deadline: Deadline) -> int | None:
    """The peak of the plan's own cuts with a checked layout; None where none was found in time."""
    request = free_request(bundle)
    allowed = np.zeros_like(request.allowed)
    for piece in bundle.pieces:
        allowed[piece.segment.start, piece.segment.stop] = True
    found = planner.plan(replace(request, allowed=allowed & request.allowed), deadline)
    return found.peak_ram_bytes if isinstance(found, SplitPlan) else None


def reachable(
    bundle: OpenBundle, planner: Planner, free: LowestPeak, deadline: Deadline
) -> Reachable:
    """How low the peak gets without the job's limits, with all of them, and without each one of
    them.

    `free`: the lowest peak of any cuts.
    """
    settings = bundle.plan.job.settings
    pieces, cut, objective = settings.pieces, settings.cut, settings.objective
    narrow: dict[str, dict[str, Any]] = {}
    if pieces.max is not None:
        narrow["pieces.max"] = {"pieces": PiecesSpec(zero_arena=pieces.zero_arena)}
    if cut.allow is not None:
        narrow["cut.allow"] = {"cut": CutSpec(forbid=cut.forbid)}
    if cut.forbid:
        narrow["cut.forbid"] = {"cut": CutSpec(allow=cut.allow)}
    peak = ObjectiveSpec(minimise="smallest")
    if objective.max_added_insn is not None:
        narrow["objective.max_added_insn"] = {"objective": peak}
    best = PeakEntry.model_validate(free, from_attributes=True)
    if not narrow:
        return Reachable(free=best, allowed=best, lifted=())
    limited = peak.model_copy(update={"max_added_insn": objective.max_added_insn})
    try:
        own = deadline.share(1 / (1 + len(narrow)))
        allowed = _lowest(bundle, planner, {"objective": limited}, own)
        lifted = [
            LiftedLimit(
                setting=setting,
                saved_bytes=allowed.peak_ram_bytes - least.peak_ram_bytes,
                least=least,
            )
            for setting, change in narrow.items()
            if allowed
            and (least := _lowest(bundle, planner, {"objective": limited, **change}, own.again()))
        ]
    except UsageError:
        return Reachable(free=best, allowed=None, lifted=())
    return Reachable(free=best, allowed=allowed, lifted=tuple(lifted))


def _lowest(
    bundle: OpenBundle, planner: Planner, settings: dict[str, Any], deadline: Deadline
) -> PeakEntry | None:
    """Under the job's limits but for these settings. Raises UsageError for cuts of no name."""
    job = job_of(bundle)
    job = replace(job, spec=job.spec.model_copy(update=settings))
    request = request_of(bundle.graph, job, _cut_names(bundle))
    most = job.spec.objective.max_added_insn
    found = lowest_peak(planner, request, max_cost=most, is_priced=False, deadline=deadline)
    if isinstance(found, str):
        return None
    return PeakEntry.model_validate(found, from_attributes=True)


def _cut_names(bundle: OpenBundle) -> CutNames | None:
    """The ONNX names that cuts may have, from the bundle's own record; None without one."""
    try:
        names = correspondence_of(bundle)
        return CutNames(cut_names(bundle.graph, names), fused_away(names))
    except (UsageError, LookupError, TypeError):  # indices and names are not checked
        return None


def limit_remedies(
    bundle: OpenBundle, reach: Reachable | None, after: int, *, as_planned: bool
) -> Iterator[Remedy]:
    """What the job's own limits and weights cost, each by itself, where that is worth saying."""
    if reach is None or reach.free.peak_ram_bytes >= after:
        return
    for code, saved, sentence, next_step in _limits(bundle, reach, after, as_planned=as_planned):
        if saved >= _LEAST_SHARE * after:
            share = f"{format_bytes(saved)}, {100 * saved / after:.1f} % of the peak"
            yield Remedy(
                code=code,
                size_bytes=saved,
                worth_bytes=saved,
                sentence=f"{sentence} ({share})",
                next_step=next_step,
            )


def _limits(
    bundle: OpenBundle, reach: Reachable, after: int, *, as_planned: bool
) -> Iterator[tuple[str, int, str, str]]:
    """Code, bytes saved, sentence, next step."""
    allowed, free = reach.allowed, reach.free.peak_ram_bytes
    for lifted in reach.lifted:
        least = lifted.least
        yield (
            lifted.setting,
            lifted.saved_bytes,
            f"the job's {lifted.setting}: without it cuts reach "
            f"{format_bytes(least.peak_ram_bytes)} in {plural(least.pieces, 'piece')}",
            f"loosen {lifted.setting} (cuts before ops {first_few(least.cuts) or 'none'})",
        )
    if allowed is None:
        return
    if reach.lifted and not any(x.saved_bytes > 0 for x in reach.lifted):
        yield (
            "job_limits",
            allowed.peak_ram_bytes - free,
            f"the job's limits together: without them cuts reach {format_bytes(free)}",
            f"loosen {', '.join(x.setting for x in reach.lifted)} together",
        )
    saved, least_bytes = after - allowed.peak_ram_bytes, format_bytes(allowed.peak_ram_bytes)
    if as_planned and bundle.plan.route == "whole":
        minimise = bundle.plan.job.settings.objective.minimise
        yield (
            "objective",
            saved,
            f"the job minimises {minimise!r}: the lowest peak under its limits is {least_bytes}",
            "set objective.minimise: smallest, or lower budget_bytes, at the price of more "
            "instructions per inference",
        )
    elif as_planned:
        yield (
            "route",
            saved,
            "route: pieces cuts only where the ONNX model can be cut, too; cuts of the int8 model "
            f"reach {least_bytes}",
            "use route: whole, which can cut between any two ops",
        )

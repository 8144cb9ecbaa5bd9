"""Where the RAM of one model goes on one board, and how low it can get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from splitopt.arena.replay import Arena
from splitopt.base.progress import Progress, within
from splitopt.base.text import printable
from splitopt.base.units import format_bytes
from splitopt.base.version import VERSION
from splitopt.bundle.folder import sha256_of
from splitopt.bundle.io_json import io_document
from splitopt.bundle.left_out import cause_text
from splitopt.bundle.schema.explain import BoardFit, ModelExplanation
from splitopt.bundle.schema.explain import LowestPeak as PeakEntry
from splitopt.config.job import Job
from splitopt.convert.open_model import ModelSource
from splitopt.explain.boards import Need, board_fits
from splitopt.explain.fit import CheapestFit, cheapest_fit
from splitopt.explain.memory.facts import memory_facts, where_text
from splitopt.explain.memory.float_ends import float_end_remedy
from splitopt.explain.memory.pieces import piece_of, planned_pieces
from splitopt.explain.memory.single_op_bound import explained_bound
from splitopt.explain.memory.streamable import streamable
from splitopt.explain.memory.unsplit_ram import (
    largest,
    load_by_op,
    longest_lived,
    ram_of,
    tensor_facts,
)
from splitopt.graph.model import ModelGraph
from splitopt.planning.job_table import segment_options, switching_of
from splitopt.planning.lowest_peak import BY_ROWS, STAYS, LowestPeak, lowest_peak, lowest_peaks
from splitopt.planning.planner import Planner
from splitopt.planning.request import Deadline, request_of
from splitopt.planning.segment import CUTS_ONLY, Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.state import state_note, where_state_needs_it
from splitopt.planning.switching import REBUILT
from splitopt.planning.unsplit import Baseline, unsplit

_OWN, _FIT, _INTEGER_ENDS = 0.5, 0.8, 0.5
"""How much of the time goes into the lowest peaks on the job's own board, of what is left into the
cheapest plan that fits it, then into the model with integers at its ends; the rest is for boards of
another ABI."""


def explain_model(
    job: Job, source: ModelSource, progress: Progress = lambda _: None
) -> ModelExplanation:
    """Where the RAM of a job's model goes, how low it can get with each technique, and which boards
    it fits.

    `job` has no limits of its own (see `subject_of`). Raises UsageError for a model of more ops
    than are planned.
    """
    graph, board = source.graph, job.board
    deadline = Deadline(job.spec.solve.time_limit_s)
    progress("replaying TFLM's memory planner")
    switching = switching_of(board, job.spec.pieces.switching)
    price = partial(segment_options, job, techniques=_cuts_only(job, graph))
    table = price(graph)
    baseline = unsplit(table)
    ram = ram_of(baseline.arena, board.headroom_bytes)
    made = [table]
    least, peaks, no_cuts = _lowest(job, table, baseline, deadline.share(_OWN), progress, made)
    fit = cheapest_fit(job, made[-1], deadline.share(_FIT), progress)
    saved = 0 if least is None else max(0, ram.ram_bytes - least.peak_ram_bytes)
    cut_bytes, own = ram.ram_bytes - saved, deadline.share(_INTEGER_ENDS)
    bound = explained_bound(segment_options(job, graph), switching)
    whole = piece_of(table, 0, (0, len(graph.ops)), baseline.arena, bound_op=bound.op)
    facts = memory_facts(
        table,
        baseline,
        bound,
        planned_pieces(table, least.plan, bound.op) if least is not None and saved else (whole,),
        least,
        peaks,
        now=(whole,),
        budget_bytes=job.budget_bytes,
        peak_bytes=ram.ram_bytes,
        limits=float_end_remedy(graph, job, price, ram.ram_bytes, cut_bytes, own),
        switching=switching,
    )
    lowest = min(ram.ram_bytes, _need(ram.ram_bytes, least, peaks).split_bytes or ram.ram_bytes)
    apart = (BY_ROWS, STAYS) if board.memories else (BY_ROWS,)  # of other boards
    need = _need(ram.ram_bytes, least, peaks, apart)
    where = where_text(facts)
    reach = no_cuts if least is None else _reach(least, peaks, saved, lowest, where)
    note = f" {'' if least is None else state_note(graph, may_reside=True)}".rstrip()
    return ModelExplanation(
        **dict(facts),
        splitopt=VERSION,
        verdict=f"{printable(job.model_path.name)} needs {format_bytes(ram.ram_bytes)} unsplit; "
        f"{reach} It {_fit(job, ram.ram_bytes, cut_bytes, lowest, fit)}.{note}",
        **_about(job, source),
        ram=ram,
        **_alive(graph, baseline.arena, bound.op),
        least=None if least is None else PeakEntry.model_validate(least, from_attributes=True),
        no_cuts=no_cuts,
        saved_bytes=saved,
        lowest_bytes=lowest,
        **fit.facts,
        streamable=streamable(graph),
        boards=_boards(job, graph, need, deadline, progress),
    )


def _cuts_only(job: Job, graph: ModelGraph) -> Techniques:
    switching = switching_of(job.board, job.spec.pieces.switching)
    return replace(CUTS_ONLY, switching=where_state_needs_it(graph, switching))


def _alive(graph: ModelGraph, arena: Arena, bound_op: int) -> dict[str, Any]:
    """What is in the head of the unsplit model, and when most is: of several such ops, at that of
    the single-op bound."""
    loads = load_by_op(arena.buffers, len(graph.ops))
    peak_op = bound_op if loads[bound_op] == max(loads) else loads.index(max(loads))
    tensors = tensor_facts(graph, arena.buffers, peak_op)
    return {
        "peak_op": peak_op,
        "peak_op_name": graph.op_name(peak_op),
        "load_by_op": loads,
        "longest_lived": longest_lived(tensors),
        "largest": largest(tensors),
    }


def _about(job: Job, source: ModelSource) -> dict[str, Any]:
    """What was explained."""
    graph = source.graph
    return {
        "model": printable(job.model_path.name),
        "path": printable(str(job.model_path)),
        "sha256": sha256_of(graph.source),
        "file_bytes": len(graph.source),
        "ops": len(graph.ops),
        "tensors": len(graph.tensors),
        "board": job.board.name,
        "abi": job.board.abi,
        "io": None if source.io is None else io_document(source.io),
    }


def _boards(
    job: Job, graph: ModelGraph, need: Need, deadline: Deadline, progress: Progress
) -> tuple[BoardFit, ...]:
    progress("trying the known boards")
    headroom, split = job.board.headroom_bytes, need.split_bytes
    bare = Need(need.unsplit_bytes - headroom, None if split is None else split - headroom)
    known = {str(job.board.abi): bare}
    return board_fits(job.file.parent, partial(_need_of, job, graph, known, deadline, progress))


def _lowest(
    job: Job,
    table: SegmentTable,
    baseline: Baseline,
    deadline: Deadline,
    progress: Progress,
    made: list[SegmentTable],
) -> tuple[LowestPeak | None, tuple[LowestPeak, ...], str]:
    """The best cuts, the lowest peaks by technique, and why there are none: a model that keeps
    state can be explained, too, but is cut only where pieces may stay. `made`: takes the tables of
    what jobs may use."""
    graph = table.graph
    request = request_of(graph, job).without_capacity()
    switching = table.techniques.switching
    if not switching.may_reside and (note := state_note(graph, may_reside=False)):
        return None, (), note
    planner = Planner(table, within(progress, "planning: the lowest peak of any cuts"))
    cuts = lowest_peak(planner, request, deadline=deadline.share(1 / 2))
    if isinstance(cuts, str):
        return None, (), cuts
    so_far = f"planning: cuts reach {format_bytes(cuts.peak_ram_bytes)}"

    def planner_of(techniques: Techniques) -> Planner:
        nonlocal table
        if techniques.switching == REBUILT:
            techniques = replace(techniques, switching=switching)
        table = table.under(techniques)
        if not techniques.input_by_rows:
            made.append(table)
        kind = "bands" if techniques.bands else "offline plans"
        kind = "streams" if techniques.streams else kind
        return Planner(table, within(progress, f"{so_far}; with {kind}"))

    stays = switching_of(job.board, job.spec.pieces.switching).all_inside()
    peaks = lowest_peaks(cuts, planner_of, request, baseline.invoke.whole, deadline, stays)
    return cuts, peaks, ""


def _reach(
    least: LowestPeak, peaks: Sequence[LowestPeak], saved: int, lowest: int, where: str
) -> str:
    """How low cuts get, and how low any plan gets; `where` boundary tensors lie then."""
    sure = "proved" if least.is_proved else f"unproved: {cause_text(least.unfinished).lower()}"
    below = format_bytes(least.peak_ram_bytes)
    words = f"no set of cuts alone gets {f'below {below}' if saved else 'lower'}{where} ({sure})"
    if len(peaks) <= 1:
        return f"{words}; streams, bands and offline plans were not looked at."
    if lowest < peaks[0].peak_ram_bytes:
        reach = [peak for peak in peaks if peak.peak_ram_bytes == lowest]
        best = next((peak for peak in reach if not peak.code.endswith("_within")), reach[0])
        return f"{words}, but plans {best.name} get down to {format_bytes(lowest)}."
    if peaks[-1].code not in ("streams", STAYS, BY_ROWS):
        return f"{words}, and plans {peaks[-1].name} get no lower; the rest was not looked at."
    is_sure = peaks[-1].code == BY_ROWS and all(peak.is_proved for peak in peaks)
    sure = "proved" if is_sure else "unproved"
    return f"{words}, and neither streams, bands nor offline plans get lower ({sure})."


def _fit(
    job: Job, unsplit_bytes: int, cut_bytes: int, lowest_bytes: int, found: CheapestFit
) -> str:
    budget, board = job.budget_bytes, f"the {format_bytes(job.budget_bytes)} of {job.board.name}"
    if job.spec.budget_bytes is not None:
        board = f"the job's budget of {format_bytes(budget)}"
    if unsplit_bytes <= budget:
        return f"fits {board} unsplit"
    if cut_bytes <= budget:
        return f"fits {board} when it is cut"
    if lowest_bytes <= budget:
        return f"fits {board} when it is cut and runs by rows or under offline plans"
    if found.entry is not None:
        return f"fits {board} when it is split and uses memories beside the main SRAM"
    if found.is_open:
        return f"may fit {board}: no plan that does was found in time, and none was ruled out"
    return f"does not fit {board}"


def _need(
    unsplit_bytes: int,
    least: LowestPeak | None,
    peaks: Sequence[LowestPeak],
    apart: Sequence[str] = (BY_ROWS,),
) -> Need:
    """`apart`: codes of peaks that do not count."""
    if least is None:
        return Need(unsplit_bytes, None)
    own = (peak for peak in peaks if peak.code not in apart)
    return Need(unsplit_bytes, min(p.peak_ram_bytes for p in (least, *own)))


def _need_of(
    job: Job,
    graph: ModelGraph,
    known: dict[str, Need],
    deadline: Deadline,
    progress: Progress,
    abi: str,
) -> Need:
    """Planned again for another ABI; each once."""
    if abi not in known:
        board = job.board.model_copy(update={"abi": abi, "headroom_bytes": 0})
        there = replace(job, board=board)
        table = segment_options(there, graph, _cuts_only(there, graph))
        baseline = unsplit(table)
        least, peaks, _ = _lowest(there, table, baseline, deadline, within(progress, abi), [])
        known[abi] = _need(baseline.ram_bytes, least, peaks)
    return known[abi]

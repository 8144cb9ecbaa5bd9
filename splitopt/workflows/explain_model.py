"""splitopt explain MODEL: all facts of one model on one board."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from splitopt.base.errors import ModelError
from splitopt.base.text import printable
from splitopt.bundle.folder import sha256_of
from splitopt.config.job import Job
from splitopt.convert.open_model import ModelSource
from splitopt.explain.boards import Need, board_fits
from splitopt.explain.memory.floor import floor_fact
from splitopt.explain.memory.live_ram import load_by_op, ram_of
from splitopt.explain.memory.tensors import largest, longest_lived, tensor_facts
from splitopt.explain.memory.zz_levers import levers
from splitopt.explain.model import ModelFacts
from splitopt.graph.model import ModelGraph
from splitopt.planning.job_table import segment_options
from splitopt.planning.lowest_peak import Rung, ladder
from splitopt.planning.planner import Planner
from splitopt.planning.refusals import refuse_stateful
from splitopt.planning.request import request_of
from splitopt.planning.segment import CUTS_ONLY, Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.unsplit import Baseline, unsplit
from splitopt.planning.zz_least import LeastPeak, least_peak

Progress = Callable[[str], None]


def facts_of(job: Job, source: ModelSource, progress: Progress = lambda _: None) -> ModelFacts:
    """`job`: one without limits of its own (`subject_of`).

    Raises UsageError for a model of more ops than are planned.
    """
    graph, board = source.graph, job.board
    progress("replaying TFLM's memory planner")
    table = _table(job, graph, board.abi, board.headroom_bytes)
    baseline = unsplit(table)
    ram, loads = ram_of(baseline.arena, board.headroom_bytes), _loads(graph, baseline)
    peak_op = loads.index(max(loads))
    progress("looking for the least peak of any cuts")
    found = _least_peak(job, table, baseline)
    least = found if isinstance(found, LeastPeak) else None
    floor = floor_fact(table)
    progress("looking for the least peak with bands and offline plans")
    rungs = _ladder(job, table, baseline) if least is not None else ()
    tensors = tensor_facts(graph, baseline.arena.buffers, peak_op)
    progress("trying the known boards")
    known: dict[str, Need] = {board.abi: _need(ram.ram_bytes, least, rungs, board.headroom_bytes)}
    return ModelFacts(
        model=printable(job.model_path.name),
        path=printable(str(job.model_path)),
        sha256=sha256_of(graph.source),
        file_bytes=len(graph.source),
        ops=len(graph.ops),
        tensors=len(graph.tensors),
        board=board.name,
        abi=board.abi,
        budget_bytes=job.budget_bytes,
        ram=ram,
        invoke_insn=baseline.invoke.insn,
        peak_op=peak_op,
        peak_op_name=graph.op_name(peak_op),
        load_by_op=loads,
        longest_lived=longest_lived(tensors),
        largest=largest(tensors),
        floor=floor,
        least=least,
        no_cuts="" if isinstance(found, LeastPeak) else found,
        ladder=rungs,
        levers=levers(ram, least, rungs, floor),
        boards=board_fits(job.file.parent, partial(_need_of, job, graph, known)),
    )


def _table(
    job: Job, graph: ModelGraph, abi: str, headroom_bytes: int, techniques: Techniques = CUTS_ONLY
) -> SegmentTable:
    changed = {"abi": abi, "headroom_bytes": headroom_bytes}
    there = replace(job, board=job.board.model_copy(update=changed))
    return segment_options(there, graph, techniques)


def _loads(graph: ModelGraph, baseline: Baseline) -> tuple[int, ...]:
    return load_by_op(baseline.arena.buffers, len(graph.ops))


def _least_peak(job: Job, table: SegmentTable, baseline: Baseline) -> LeastPeak | str:
    """A model that keeps state has facts, too, but no cuts."""
    try:
        refuse_stateful(job, table.graph, baseline)
    except ModelError as error:
        return f"It cannot be cut: {str(error).removeprefix(f'{job.model_path}: ')}."
    return least_peak(Planner(table), table.graph, job)


def _ladder(job: Job, table: SegmentTable, baseline: Baseline) -> tuple[Rung, ...]:
    graph, abi, headroom = table.graph, table.rules.abi.name, table.headroom_bytes

    def planner_of(techniques: Techniques) -> Planner:
        return Planner(_table(job, graph, abi, headroom, techniques))

    return ladder(planner_of, request_of(graph, job), baseline.invoke.insn)


def _need(
    ram_bytes: int, least: LeastPeak | None, rungs: tuple[Rung, ...], headroom_bytes: int
) -> Need:
    split = None
    if least is not None:
        reached = [least.peak_ram_bytes, *(rung.peak_ram_bytes for rung in rungs)]
        split = min(reached) - headroom_bytes
    return Need(ram_bytes - headroom_bytes, split)


def _need_of(job: Job, graph: ModelGraph, known: dict[str, Need], abi: str) -> Need:
    """Planned again for another ABI; each once."""
    if abi not in known:
        table = _table(job, graph, abi, 0)
        baseline = unsplit(table)
        found = _least_peak(job, table, baseline)
        least = found if isinstance(found, LeastPeak) else None
        rungs = _ladder(job, table, baseline) if least is not None else ()
        known[abi] = _need(baseline.ram_bytes, least, rungs, 0)
    return known[abi]

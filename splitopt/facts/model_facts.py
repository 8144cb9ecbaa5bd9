"""All facts of one model on one board, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from splitopt import __version__
from splitopt.arena.rules import target_rules
from splitopt.baseline import Baseline, unsplit
from splitopt.bridge import Planner, request_of
from splitopt.bundle import sha256_of
from splitopt.diagnosis.opened import printable
from splitopt.errors import ModelError
from splitopt.facts.boards import BoardFit, Need, board_fits
from splitopt.facts.floor import FloorFact, floor_fact
from splitopt.facts.least import LeastPeak, least_peak
from splitopt.facts.levers import Lever, levers
from splitopt.facts.ram import Ram, load_by_op, ram_of
from splitopt.facts.tensors import TensorFact, largest, longest_lived, tensor_facts
from splitopt.graph.model import ModelGraph
from splitopt.job import Job
from splitopt.ladder import Rung, ladder, rung_lines
from splitopt.model_source import ModelSource
from splitopt.planning import job_costs
from splitopt.refusals import refuse_stateful
from splitopt.segment_table import CUTS_ALONE, Liberties, SegmentTable
from splitopt.units import format_bytes

SCHEMA_VERSION = 1
Progress = Callable[[str], None]


@dataclass(frozen=True)
class ModelFacts:
    """What `splitopt explain MODEL` says. `peak_op`: where most is alive in the unsplit model.

    `least` is None where `no_cuts` says why there is none; then `ladder` is empty. The ladder's
    last rung is the least of all plans.
    """

    model: str
    path: str
    sha256: str
    file_bytes: int
    ops: int
    tensors: int
    board: str
    abi: str
    budget_bytes: int
    ram: Ram
    invoke_insn: int
    peak_op: int
    peak_op_name: str
    load_by_op: tuple[int, ...]
    longest_lived: tuple[TensorFact, ...]
    largest: tuple[TensorFact, ...]
    floor: FloorFact
    least: LeastPeak | None
    no_cuts: str
    ladder: tuple[Rung, ...]
    levers: tuple[Lever, ...]
    boards: tuple[BoardFit, ...]

    @property
    def is_exact(self) -> bool:
        return not self.ram.estimates and (self.least is None or self.least.exact)

    @property
    def saved_bytes(self) -> int:
        """What the best cuts save; 0 where none do."""
        least = self.ram.ram_bytes if self.least is None else self.least.peak_ram_bytes
        return max(0, self.ram.ram_bytes - least)

    @property
    def lowest_bytes(self) -> int:
        """The least peak of any plan, or the unsplit model's where none is known."""
        return min(
            [self.ram.ram_bytes - self.saved_bytes, *(r.peak_ram_bytes for r in self.ladder)]
        )

    @property
    def ladder_lines(self) -> tuple[str, ...]:
        """How far plans get, liberty by liberty, each with its price."""
        return tuple(rung_lines(self.ladder, self.ram.ram_bytes, self.invoke_insn))

    @property
    def verdict(self) -> str:
        """Two sentences: before, the least of any cuts and of any plan; whether it fits."""
        unsplit_bytes, budget = self.ram.ram_bytes, self.budget_bytes
        if self.least is None:
            reach = self.no_cuts
        else:
            sure = "proved" if self.least.is_proved else "unproved: time ran out"
            least = format_bytes(self.least.peak_ram_bytes)
            reach = (
                f"no set of cuts gets below {least} ({sure})"
                if self.saved_bytes
                else f"no set of cuts gets lower ({sure})"
            )
            reach += self._below_cuts()
        if unsplit_bytes <= budget:
            fit = f"fits the {format_bytes(budget)} of {self.board} unsplit"
        elif unsplit_bytes - self.saved_bytes <= budget:
            fit = f"fits the {format_bytes(budget)} of {self.board} when it is cut"
        elif self.lowest_bytes <= budget:
            how = "cut and runs in bands or under offline plans"
            fit = f"fits the {format_bytes(budget)} of {self.board} when it is {how}"
        else:
            fit = f"does not fit the {format_bytes(budget)} of {self.board}"
        return f"{self.model} needs {format_bytes(unsplit_bytes)} unsplit; {reach} It {fit}."

    def _below_cuts(self) -> str:
        """The rest of a sentence on the least of any cuts."""
        if not self.ladder:
            return "."
        if self.lowest_bytes < self.ram.ram_bytes - self.saved_bytes:
            return f", but bands and offline plans get down to {format_bytes(self.lowest_bytes)}."
        sure = "proved" if all(rung.is_proved for rung in self.ladder) else "unproved"
        return f", and neither bands nor offline plans get lower ({sure})."

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "splitopt": __version__,
            **asdict(self),
            "verdict": self.verdict,
            "exact": self.is_exact,
            "saved_bytes": self.saved_bytes,
            "ladder_lines": self.ladder_lines,
            "boards": [
                {**asdict(fit), "verdict": fit.verdict, "fits_unsplit": fit.fits_unsplit}
                | {"fits_split": fit.fits_split}
                for fit in self.boards
            ],
        }


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
    job: Job, graph: ModelGraph, abi: str, headroom_bytes: int, liberties: Liberties = CUTS_ALONE
) -> SegmentTable:
    return SegmentTable(
        graph,
        target_rules(abi),
        headroom_bytes=headroom_bytes,
        zero_arena=job.spec.pieces.zero_arena,
        costs=job_costs(job),
        liberties=liberties,
    )


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

    def planner_of(liberties: Liberties) -> Planner:
        return Planner(_table(job, graph, abi, headroom, liberties))

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

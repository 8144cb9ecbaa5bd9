"""All facts of one model on one board, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from splitopt import __version__
from splitopt.arena.rules import target_rules
from splitopt.baseline import Baseline, unsplit
from splitopt.bridge import Planner
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
from splitopt.model_source import ModelSource
from splitopt.planning import job_costs
from splitopt.refusals import refuse_stateful
from splitopt.segment_table import SegmentTable
from splitopt.units import format_bytes

SCHEMA_VERSION = 1
Progress = Callable[[str], None]


@dataclass(frozen=True)
class ModelFacts:
    """What `splitopt explain MODEL` says. `peak_op`: where most is alive in the unsplit model.

    `least` is None where `no_cuts` says why there is none.
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
    peak_op: int
    peak_op_name: str
    load_by_op: tuple[int, ...]
    longest_lived: tuple[TensorFact, ...]
    largest: tuple[TensorFact, ...]
    floor: FloorFact
    least: LeastPeak | None
    no_cuts: str
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
    def verdict(self) -> str:
        """Two sentences: before, the least of any cuts, and whether the board has room."""
        unsplit_bytes, budget = self.ram.ram_bytes, self.budget_bytes
        if self.least is None:
            reach = self.no_cuts
        else:
            sure = "proved" if self.least.is_proved else "unproved: time ran out"
            least = format_bytes(self.least.peak_ram_bytes)
            reach = (
                f"no set of cuts gets below {least} ({sure})."
                if self.saved_bytes
                else f"no set of cuts gets lower ({sure})."
            )
        if unsplit_bytes <= budget:
            fit = f"fits the {format_bytes(budget)} of {self.board} unsplit"
        elif unsplit_bytes - self.saved_bytes <= budget:
            fit = f"fits the {format_bytes(budget)} of {self.board} when it is cut"
        else:
            fit = f"does not fit the {format_bytes(budget)} of {self.board}"
        return f"{self.model} needs {format_bytes(unsplit_bytes)} unsplit; {reach} It {fit}."

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "splitopt": __version__,
            **asdict(self),
            "verdict": self.verdict,
            "exact": self.is_exact,
            "saved_bytes": self.saved_bytes,
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
    tensors = tensor_facts(graph, baseline.arena.buffers, peak_op)
    progress("trying the known boards")
    known: dict[str, Need] = {board.abi: _need(ram.ram_bytes, least, board.headroom_bytes)}
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
        peak_op=peak_op,
        peak_op_name=graph.op_name(peak_op),
        load_by_op=loads,
        longest_lived=longest_lived(tensors),
        largest=largest(tensors),
        floor=floor,
        least=least,
        no_cuts="" if isinstance(found, LeastPeak) else found,
        levers=levers(ram, least, floor),
        boards=board_fits(job.file.parent, partial(_need_of, job, graph, known)),
    )


def _table(job: Job, graph: ModelGraph, abi: str, headroom_bytes: int) -> SegmentTable:
    zero = job.spec.pieces.zero_arena
    costs = job_costs(job)
    rules = target_rules(abi)
    return SegmentTable(graph, rules, headroom_bytes=headroom_bytes, zero_arena=zero, costs=costs)


def _loads(graph: ModelGraph, baseline: Baseline) -> tuple[int, ...]:
    return load_by_op(baseline.arena.buffers, len(graph.ops))


def _least_peak(job: Job, table: SegmentTable, baseline: Baseline) -> LeastPeak | str:
    """A model that keeps state has facts, too, but no cuts."""
    try:
        refuse_stateful(job, table.graph, baseline)
    except ModelError as error:
        return f"It cannot be cut: {str(error).removeprefix(f'{job.model_path}: ')}."
    return least_peak(Planner(table), table.graph, job)


def _need(ram_bytes: int, least: LeastPeak | None, headroom_bytes: int) -> Need:
    split = None if least is None else least.peak_ram_bytes - headroom_bytes
    return Need(ram_bytes - headroom_bytes, split)


def _need_of(job: Job, graph: ModelGraph, known: dict[str, Need], abi: str) -> Need:
    """Planned again for another ABI; each once."""
    if abi not in known:
        table = _table(job, graph, abi, 0)
        baseline = unsplit(table)
        found = _least_peak(job, table, baseline)
        least = found if isinstance(found, LeastPeak) else None
        known[abi] = _need(baseline.ram_bytes, least, 0)
    return known[abi]

"""explain.json of a model, explain.json of a run, and diagnosis.json, which a run writes of itself.

`splitopt explain` fills these models, and everything that reads the files gets them typed.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from splitopt.bundle.schema.common import (
    Count,
    Document,
    Index,
    Line,
    Long,
    Op,
    Shape,
    Signed,
    Text,
    Unfinished,
)
from splitopt.bundle.schema.explain_v1 import upgraded
from splitopt.bundle.schema.io import Io
from splitopt.bundle.schema.outputs import Outputs
from splitopt.bundle.schema.outside import HeldOutside
from splitopt.bundle.schema.streamable import Streamable
from splitopt.bundle.schema.switching import SwitchingWorth

PEAK_PARTS = frozenset(
    {"floor_op", "live_set", "fragmentation", "tail", "kept", "boundary", "headroom", "padding"}
)
"""Codes of remedies that are parts of the piece that sets the peak, and what resident ones keep."""


class LiveTensor(Shape):
    """Something that is in RAM while an op runs. `tensor` is None for scratch."""

    tensor: Index | None
    name: Text
    size_bytes: Count
    role: Line


class SingleOpBound(Shape):
    """The op that needs most RAM, in whichever piece it is: no set of cuts gets below it.

    `least_ram_bytes`: what every piece with the op needs on all rows, headroom included.
    `alive`: the largest first; `held_start`, `held_stop`: the ops that the first of them is alive
    at. `next_op` sets the bound, at `next_ram_bytes`, when these ops are left out.
    """

    op: Op
    name: Text
    least_ram_bytes: Count
    live_bytes: Count
    alive: tuple[LiveTensor, ...]
    held_start: Op
    held_stop: Op
    next_op: Text | None
    next_ram_bytes: Count


class LowestPeak(Shape):
    """The lowest peak RAM with some techniques, and the cheapest plan that was found to reach it.

    `bands`: executions of its banded pieces; `streams`: pieces that make one row at a time.
    `rebuild_insn` (AllocateTensors and construction) is part of `added_insn`; both are estimates
    for one inference. `is_proved`: no plan of this kind gets lower; `is_cheapest`: proved, none
    that reaches it adds less. `unfinished`: what was not looked at, where this is not proved.
    """

    code: Line
    name: Line
    peak_ram_bytes: Count
    cuts: tuple[Op, ...]
    pieces: Count
    bands: Count
    streams: Count = 0
    added_insn: Signed
    rebuild_insn: Signed
    is_proved: bool
    is_cheapest: bool
    unfinished: Unfinished | None = None


class Piece(Shape):
    """RAM of one piece, in parts that add up to `ram_bytes`; it holds ops [start, stop).

    `live_bytes`: the most that is alive in the head at once, while `peak_op` runs; None is the
    index of an op that the model does not have. `padding_bytes`: what the arena needs beyond head
    and tail to prepare and to be aligned. `kept_bytes`: of a resident piece, what it keeps in the
    region for good, beside `ram_bytes`; it has no tail in its arena. `bands`: how many times it
    runs on rows of its inputs; 0 for a piece that runs once, on all. `groups`: of a stream, else 0;
    `interpreters_bytes`: of all of them but one. `largest_held`: of a stream or of bands, the
    largest buffer that is alive while `peak_op` runs; it holds some rows of a tensor. `as_planned`:
    the file needs what the plan's own piece does.
    """

    index: Op
    start: Op
    stop: Op
    peak_op: Text
    peak_op_index: Op | None
    live_bytes: Count
    fragmentation_bytes: Count
    head_bytes: Count
    tail_bytes: Count
    padding_bytes: Count
    interpreters_bytes: Count = 0
    headroom_bytes: Count
    arena_bytes: Count
    through_bytes: Count
    in_bytes: Count
    out_bytes: Count
    boundary_bytes: Count
    ram_bytes: Count
    kept_bytes: Count = 0
    bands: Count
    groups: Count = 0
    largest_held: LiveTensor | None = None
    as_planned: bool
    exact: bool


class Remedy(Shape):
    """Something that the peak comes from, and what can be done about it.

    `size_bytes`: the part of the peak that goes to it. `worth_bytes`: changing it alone lowers the
    peak by at most so much. `code` is stable, for programs.
    """

    code: Line
    size_bytes: Count
    worth_bytes: Count
    sentence: Long
    next_step: Long


class SingleCut(Shape):
    """The peak of two pieces, cut before this op, and the bytes that cross the cut."""

    before_op: Op
    peak_ram_bytes: Count
    boundary_bytes: Count


class SingleCuts(Shape):
    """All cuts by themselves: `best` are the lowest peaks, `useless` counts what saves nothing."""

    best: tuple[SingleCut, ...]
    possible: Count
    useless: Count


class LiftedLimit(Shape):
    """What one of the job's own limits costs. `setting` is its key in the job file."""

    setting: Line
    saved_bytes: Signed
    least: LowestPeak


class Reachable(Shape):
    """The lowest peak of any cuts, of those that the job allows, and what each limit costs.

    `allowed` is None where the job's cuts name tensors that are not known any more.
    """

    free: LowestPeak
    allowed: LowestPeak | None
    lifted: tuple[LiftedLimit, ...]


class Memory(Shape):
    """What the explanation of a model's RAM and that of a run's have in common. In bytes.

    `invoke_insn`: estimated; null where an op has no estimate. `floor`: the single-op bound.
    `pieces`: of the run; of a model, those of the best cuts.
    `lowest_peaks`: by technique, as far as time went; empty where that was not asked for.
    `unused_memories`: those beside the main SRAM that may hold boundary tensors or inputs. Lowest
    peaks and best cuts keep these in the main SRAM; the single-op bound holds for all places.
    """

    budget_bytes: Count
    invoke_insn: Count | None
    floor: SingleOpBound
    pieces: tuple[Piece, ...]
    lowest_peaks: tuple[LowestPeak, ...]
    lowest_peak_lines: tuple[Text, ...]
    remedies: tuple[Remedy, ...]
    unused_memories: tuple[Line, ...] = ()
    exact: bool

    @property
    def causes(self) -> tuple[Remedy, ...]:
        """What the peak comes from: the job's own limits, then the parts by size."""
        held = [remedy for remedy in self.remedies if remedy.size_bytes]
        return tuple(sorted(held, key=lambda r: (r.code in PEAK_PARTS, -r.size_bytes)))


class RunMemory(Memory):
    """Peak RAM before and after, what it is made of, and what cuts can reach.

    `reachable` is None where no plan was found in time.
    """

    verdict: Long
    before_bytes: Count
    after_bytes: Count
    saved_bytes: Signed
    unsplit_tail_bytes: Count
    single_cuts: SingleCuts
    reachable: Reachable | None


class RamPart(Shape):
    """A part of the unsplit model's RAM; below 0 where the tail needs less than it counts."""

    code: Line
    name: Line
    size_bytes: Signed


class Ram(Shape):
    """The unsplit model's RAM: the minimum arena rounded up to 16, and headroom.

    `arena_used_bytes` is TFLM's own figure, which can be too small for an arena.
    `temporary_bytes`: how far up temporary data reach while AllocateTensors runs, from the low end.
    `parts` add up to `ram_bytes`.
    """

    ram_bytes: Count
    head_bytes: Count
    peak_load_bytes: Count
    fragmentation_bytes: Count
    tail_bytes: Count
    temporary_bytes: Count
    arena_used_bytes: Count
    arena_min_bytes: Count
    headroom_bytes: Count
    parts: tuple[RamPart, ...]
    estimates: tuple[Text, ...]


class TensorFact(Shape):
    """An activation that takes up RAM while ops [start, stop) run; `made_by` is None for inputs.

    `at_peak`: it is alive at the op where most is.
    """

    tensor: Index
    name: Text
    shape: tuple[Index, ...]
    dtype: Line
    size_bytes: Count
    made_by: Op | None
    start: Op
    stop: Op
    at_peak: bool


Verdict = Literal["fits unsplit", "fits split", "does not fit", "does not fit its main SRAM alone"]
"""Of a model on a board."""


class BoardFit(Shape):
    """What the model needs of a board's main SRAM, headroom included; `split_bytes` is None without
    cuts. What boards have beside it is left out."""

    board: Line
    budget_bytes: Count
    headroom_bytes: Count
    unsplit_bytes: Count
    split_bytes: Count | None
    verdict: Verdict


class ModelExplanation(Memory, Document):
    """explain.json of a model on a board. `peak_op`: where most is alive in the unsplit model.

    `not_run`: why TFLM does not run the model on this machine, empty where it does.
    `least` is None where `no_cuts` says why the model has none; then there are no lowest peaks.
    `streamable`: null in files that were written before there were streams.
    `fit`: the cheapest plan within the budget; null where none was found, and `is_fit_open`
    where none was ruled out, either. `fit_outside`: what it has of boundary tensors beside the main
    SRAM. `switching`: what of its price resident and restored pieces spare; null where it has one
    piece that is built once.
    `io`: what `model.io: int8` of a job made of the model's ends, before it was looked at.
    `is_interrupted`: Ctrl-C ended the planning; lowest peaks are the best until then.
    `asked`: the model or job and the options, as words of a command line.
    """

    is_interrupted: bool = False
    asked: Long = ""
    not_run: Long = ""
    verdict: Long
    model: Text
    path: Text
    sha256: Line
    file_bytes: Count
    ops: Op
    tensors: Count
    board: Line
    abi: Line
    ram: Ram
    peak_op: Op
    peak_op_name: Text
    load_by_op: tuple[Count, ...]
    longest_lived: tuple[TensorFact, ...]
    largest: tuple[TensorFact, ...]
    least: LowestPeak | None
    no_cuts: Text
    saved_bytes: Count
    lowest_bytes: Count
    fit: LowestPeak | None = None
    fit_outside: tuple[HeldOutside, ...] = ()
    is_fit_open: bool = False
    switching: SwitchingWorth | None = None
    boards: tuple[BoardFit, ...]
    streamable: Streamable | None = None
    io: Io | None = None


class RunExplanation(Document):
    """explain.json of a run, and diagnosis.json, where outputs are judged if they are suspect."""

    run_dir: Text = ""
    job: Text = ""
    model: Text = ""
    board: Line = ""
    has_faults: bool = False
    outputs: Outputs | None
    memory: RunMemory

    @model_validator(mode="before")
    @classmethod
    def _from_version_1(cls, data: Any) -> Any:
        is_old = isinstance(data, dict) and data.get("schema_version") == 1
        return upgraded(data) if is_old else data

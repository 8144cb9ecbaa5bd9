"""plan.json: what was asked, the pieces, where boundary tensors lie, and what it all costs.

Sizes in bytes, `_insn` in instructions, cost and bound in the objective's integers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from splitopt.bundle.schema.common import (
    MOST_OPS,
    Count,
    Document,
    Index,
    Line,
    Map,
    Number,
    Offset,
    Op,
    Open,
    Sha256,
    Shape,
    Signed,
    Status,
    Text,
    Texts,
    Unfinished,
)
from splitopt.bundle.schema.conversion import Agreement, Conversion, Routes
from splitopt.bundle.schema.io import Io
from splitopt.bundle.schema.stream import RolledPair, Stream
from splitopt.config.board import MAX_RAM_BYTES, Board
from splitopt.config.conversion import CalibrationSpec, PreprocessSpec
from splitopt.config.job_keys import (
    CutSpec,
    PiecesSpec,
    SolveSpec,
    VerifySpec,
)
from splitopt.config.objective import ObjectiveSpec

Bytes = Annotated[int, Field(gt=0, le=2**40)]
RouteName = Literal["whole", "pieces"]
PlanStatus = Literal["OPTIMAL", "FEASIBLE"]
Switching = Literal["rebuild", "resident", "restore"]
Place = Annotated[int, Field(ge=0, lt=2**32 - 1, multiple_of=16)]


class Settings(Open):
    """The keys of the job, defaults filled in, but for the board."""

    model: Map = Field(default={})
    calibration: CalibrationSpec | None = None
    preprocess: PreprocessSpec = PreprocessSpec()
    convert: Map = Field(default={})
    route: RouteName = "whole"
    budget_bytes: Annotated[int, Field(gt=0, le=MAX_RAM_BYTES)] | None = None
    objective: ObjectiveSpec = ObjectiveSpec()
    pieces: PiecesSpec = PiecesSpec()
    cut: CutSpec = CutSpec()
    solve: SolveSpec = SolveSpec()
    verify: VerifySpec = VerifySpec()
    cost_table: Text | None = None
    target: Any = "host"
    out: Text = "results"


class Job(Shape):
    name: Text
    path: Text
    settings: Settings


class Model(Shape):
    """The int8 model that was planned."""

    path: Text
    sha256: Sha256
    bytes: Count
    ops: Annotated[int, Field(ge=1, le=MOST_OPS)]
    tensors: Count


class Objective(Shape):
    minimise: Line
    ram_weight: Number | None = None
    insn_weight: Number | None = None
    cost: int | float
    bound: int | float
    gap: Number


class AddedParts(Shape):
    """What `added_insn` is made of."""

    rebuild_insn: Signed
    copy_insn: Signed
    recomputed_insn: Signed
    restore_insn: Signed = 0
    read_insn: Signed = 0


PRICE_PARTS = {
    "recomputed_insn": "rows computed again or one by one",
    "copy_insn": "copies",
    "rebuild_insn": "AllocateTensors and construction",
    "restore_insn": "restored pieces",
    "read_insn": "tails of resident pieces in slower memory",
}
"""Field of `AddedParts` → what it is, in words."""


class Baseline(Shape):
    """The unsplit model on the same board."""

    head_bytes: Count
    tail_bytes: Count
    arena_used_bytes: Count
    arena_min_bytes: Count
    ram_bytes: Count
    estimated_allocate_insn: Count
    estimated_invoke_insn: Count
    ops_without_invoke_estimate: Texts
    exact: bool


class Choice(Shape):
    """A plan that the run could have written, by what it aims at; one of them is the plan itself
    (`is_written`). `flash_bytes`: of its pieces' files."""

    aim: Line
    is_written: bool = False
    status: PlanStatus
    peak_ram_bytes: Bytes
    added_insn: Signed
    pieces: Op
    streamed: Op = 0
    cuts: tuple[Op, ...] = ()
    flash_bytes: Count | None = None


class HandCuts(Shape):
    """A plan by a rule of thumb, to compare with."""

    name: Text
    cuts: tuple[Op, ...] = ()
    peak_ram_bytes: Count
    added_insn: Signed


class SingleOpBound(Shape):
    """The single-op bound: no set of cuts on all rows needs less RAM."""

    op: Op
    type: Line
    live_bytes: Count | None = None
    least_ram_bytes: Count


class Span(Shape):
    """Rows of a tensor; of an output, `from_row` of the piece's own."""

    tensor: Index
    row: Index
    rows: Annotated[int, Field(ge=1, lt=2**31)]
    from_row: Index = 0


Spans = Annotated[tuple[Span, ...], Field(min_length=1, max_length=64)]


class BandRun(Shape):
    """One execution of a banded piece: rows that are copied in, and rows that are kept."""

    inputs: Spans
    outputs: Spans


Tensors = Annotated[tuple[Index, ...], Field(min_length=1, max_length=MOST_OPS)]


class Memory(Shape):
    """A memory beside the main SRAM. `bytes`: what plans may use of it, from its planned start on;
    `used_bytes`: what this plan does. `written`: at any time, or at start-up only (MRAM, flash)."""

    name: Line
    bytes: Offset
    used_bytes: Offset
    written: Literal["always", "start_up"]


class Segment(Shape):
    """Ops [start, stop) as one piece. What describes its file is null where none was written.

    `bands`: its executions, each on some rows; null for a piece that runs once, on all rows.
    `stream`: of a segment that makes one row at a time; its files are those of the groups, and
    `piece_bytes` is their sum. `rolled`: its ends that may share bytes.
    `input_by_rows`: inputs of the model are handed over row by row; they are no part of `in_bytes`.
    `stored_bytes`: of a piece that is restored, the image of its tail and interpreters, in the
    memory `stored_in` at `stored_offset`, a multiple of 16; copying it back takes `restore_insn`.
    `kept_bytes`: of a resident piece, what stays for ever: its persistent arena of
    `persistent_bytes` and its interpreters; in the memory `kept_in` at `kept_offset`, or, where
    that is null, in the region; `arena_bytes` is then its non-persistent arena, and `ram_bytes`
    has no kept bytes. `estimated_read_insn`: what a slower memory adds to each inference.
    """

    index: Op
    start: Op
    stop: Annotated[int, Field(ge=1, le=MOST_OPS)]
    inputs: Tensors
    outputs: Tensors
    switching: Switching = "rebuild"
    stored_bytes: Offset = 0
    stored_in: Line | None = None
    stored_offset: Place = 0
    restore_insn: Count = 0
    kept_bytes: Offset = 0
    kept_in: Line | None = None
    kept_offset: Place = 0
    persistent_bytes: Offset = 0
    estimated_read_insn: Count = 0
    bands: Annotated[tuple[BandRun, ...], Field(min_length=1, max_length=MOST_OPS)] | None = None
    stream: Stream | None = None
    rolled: Annotated[tuple[RolledPair, ...], Field(max_length=64)] = ()
    input_by_rows: bool = False
    offline_plan: bool = False
    head_bytes: Count
    tail_bytes: Count
    arena_used_bytes: Count
    arena_min_bytes: Count
    arena_bytes: Offset
    arena_offset: Offset = 0
    through_bytes: Count
    in_bytes: Count
    out_bytes: Count
    ram_bytes: Count
    estimated_allocate_insn: Count
    estimated_added_insn: Signed
    estimated_invoke_insn: Count
    estimated_recomputed_insn: Signed = 0
    copied_bytes: Count = 0
    exact: bool
    piece: Text | None = None
    piece_bytes: Count | None = None
    sha256: Sha256 | None = None
    onnx_nodes: Texts = ()


class Boundary(Shape):
    """Where a boundary tensor lies: in the region, or in a `memory` beside the main SRAM.
    `in_place`: in the arenas of the two pieces that make and read it, where nothing is copied, and
    no other bytes are taken. `onnx_tensor` is there for models that were converted, and null for a
    tensor that has no ONNX counterpart."""

    tensor: Index
    name: Text
    offset: Offset
    size: Count
    first_segment: Op
    last_segment: Op
    in_place: bool = False
    memory: Line | None = None
    onnx_tensor: Text | None = None


class Layout(Shape):
    region_bytes: Offset
    boundary: tuple[Boundary, ...]


class Plan(Document):
    """plan.json. Pieces of a plan in a sweep have no files.

    On route `pieces`, status, cost and bound are those of choosing cuts on the whole int8 model.
    """

    job: Job
    model: Model
    board: Board
    budget_bytes: Annotated[int, Field(gt=0, le=MAX_RAM_BYTES)]
    route: RouteName
    status: PlanStatus
    objective: Objective
    unfinished: Unfinished | None = None
    peak_ram_bytes: Bytes
    peak_with_input_bytes: Bytes | None = None
    """Of the same pieces, with the model's input held whole where it comes by rows."""
    added_insn: Signed
    added_parts: AddedParts | None = None
    first_insn: Signed = 0
    """Of start-up, where pieces are resident or restored: to build these and to save the latter;
    `added_insn` is that of each inference."""
    memories: Annotated[tuple[Memory, ...], Field(max_length=16)] = ()
    exact: bool
    estimated_ops: Texts
    baseline: Baseline
    by_hand: tuple[HandCuts, ...]
    choices: Annotated[tuple[Choice, ...], Field(max_length=8)] = ()
    floor: SingleOpBound
    segments: Annotated[tuple[Segment, ...], Field(min_length=1, max_length=MOST_OPS)]
    layout: Layout
    piece_bytes: Count | None
    piece_overhead_bytes: Signed | None
    io: Io | None = None
    conversion: Conversion | None = None
    contract: tuple[Agreement, ...] = ()
    notes: Texts = ()
    routes: Routes | None = None
    proof: Status | None = None
    """Of the pieces against the model on this machine; null for plans without pieces."""

    @property
    def kept_bytes(self) -> int:
        """What resident pieces keep in the main SRAM, for good."""
        return sum(segment.kept_bytes for segment in self.segments if segment.kept_in is None)

    def boundary_bytes(self, memory: str) -> int:
        """What boundary tensors take of a memory beside the main SRAM."""
        own = [entry for entry in self.layout.boundary if entry.memory == memory]
        ends = [entry.offset + entry.size for entry in own]
        return max(ends, default=0) - min((entry.offset for entry in own), default=0)

    @property
    def largest_arena_bytes(self) -> int:
        return max(segment.arena_bytes for segment in self.segments)

    @property
    def invoke_insn(self) -> int | None:
        """Of the unsplit model, estimated; None where one of its ops has no estimate."""
        has_all = not self.baseline.ops_without_invoke_estimate
        return self.baseline.estimated_invoke_insn if has_all else None

    @property
    def is_unsplit(self) -> bool:
        """Whether its one piece runs once, on all rows, as TFLM plans the whole model, its tail in
        the same arena."""
        own = self.segments[0]
        is_changed = own.bands is not None or own.stream is not None or own.offline_plan
        is_changed |= own.switching == "resident"
        return len(self.segments) == 1 and not is_changed

    @property
    def limiting(self) -> Segment:
        """The piece whose RAM is the peak; the first, where several are."""
        return max(self.segments, key=lambda segment: segment.ram_bytes)

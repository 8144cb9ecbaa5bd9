"""A split plan in terms of the user's model: segments, bytes, and where boundary tensors lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from splitopt.planning.segment import SegmentFigures
from splitopt.planning.unfinished import Unfinished
from splitopt.solvers.outcome import Status
from splitopt.solvers.partition.instance import Goal
from splitopt.tiling.rolled import RolledPair


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a piece that is restored has its image: `bytes` at `offset` of a memory; `insn` of
    copying it back, `first_insn` of building and saving it at start-up."""

    memory: str
    offset: int
    bytes: int
    insn: int
    first_insn: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a resident piece has what stays for ever: `bytes` at `offset` of a memory, None for the
    region; of them `persistent_bytes` of arena, the rest interpreters. `first_insn`: of building
    it at start-up; `insn`: what reading a slower memory adds to each inference (estimated)."""

    memory: str | None
    offset: int
    bytes: int
    persistent_bytes: int
    first_insn: int
    insn: int = 0


@dataclass(frozen=True, slots=True)
class UsedMemory:
    """A memory beside the main SRAM, with what a plan may use of it and what it does. Of that,
    `boundary_bytes` for boundary tensors, of which `load_bytes` are alive at once."""

    name: str
    bytes: int
    used_bytes: int
    written: Literal["always", "start_up"]
    boundary_bytes: int = 0
    load_bytes: int = 0


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    """One piece of a plan, with its share of the boundary buffer in bytes.

    A segment that runs in bands of two heights has two pieces, one after the other.

    `arena_offset`: where in the region its arena begins. `requantise_insn`: what QUANTIZE ops in
    front of its piece add to each inference (estimated). `rolled`: inputs and outputs that share
    bytes while it runs, which saves `rolled_bytes`. `by_rows`: inputs of the model are handed over
    to it row by row, and are no part of `in_bytes`. `stored`, `kept`: both None where it is rebuilt
    at each inference; kept bytes are no part of `ram_bytes`. `outside_insn`: what its copies take
    more where boundary tensors lie in slower memories (estimated).
    """

    index: int
    figures: SegmentFigures
    through_bytes: int
    in_bytes: int
    out_bytes: int
    requantise_insn: int = 0
    arena_offset: int = 0
    rolled: tuple[RolledPair, ...] = ()
    rolled_bytes: int = 0
    by_rows: bool = False
    stored: Stored | None = None
    kept: Kept | None = None
    outside_insn: int = 0

    @property
    def start(self) -> int:
        return self.figures.segment.start

    @property
    def stop(self) -> int:
        return self.figures.segment.stop

    @property
    def is_banded(self) -> bool:
        """Whether it runs several times, each time on a range of rows."""
        return bool(self.figures.executions)

    @property
    def invoke_insn(self) -> int:
        """Estimated instructions of all its executions, requantising excluded."""
        return self.figures.invoke_insn - self.requantise_insn

    @property
    def added_insn(self) -> int:
        rebuilt = self.figures.added_insn + self.requantise_insn + self.outside_insn
        built_once = self.stored or self.kept
        if built_once is None:
            return rebuilt
        return rebuilt - self.figures.rebuild_insn + built_once.insn

    @property
    def is_apart(self) -> bool:
        """Whether it reads its inputs while it makes its outputs."""
        return self.is_banded or self.figures.stream is not None

    @property
    def piece_names(self) -> tuple[str, ...]:
        """Its file; of a stream, one for each group."""
        stream = self.figures.stream
        if stream is None:
            return (f"{self.index:02d}.tflite",)
        return tuple(f"{self.index:02d}-{g:02d}.tflite" for g in range(len(stream.stream.groups)))

    @property
    def ram_bytes(self) -> int:
        return self.figures.arena_bytes + self.boundary_bytes

    @property
    def boundary_bytes(self) -> int:
        """Bytes of boundary tensors while it runs. Rows are read while others are written, so
        inputs and outputs of a banded or streamed piece share no bytes but those of rolled ends."""
        ends = self.in_bytes, self.out_bytes
        return self.through_bytes + (sum(ends) - self.rolled_bytes if self.is_apart else max(ends))


@dataclass(frozen=True, slots=True)
class BoundaryPlacement:
    """A boundary tensor's place, kept for segments first..last, both included: in the region, or in
    a `memory` beside the main SRAM. `in_place`: it lies in the arenas of both segments, and nothing
    is copied."""

    tensor: int
    offset: int
    size_bytes: int
    first_segment: int
    last_segment: int
    in_place: bool = False
    memory: str | None = None


@dataclass(frozen=True)
class SplitPlan:
    """A checked plan. `cost` and `bound` are in the goal's scaled integers; `notes` says what
    was left out of the choice, `unfinished` what was not looked at in time; None where the plan is
    proved. `peak_with_input_bytes`: with the model's input held whole, where it comes by
    rows."""

    status: Status
    segments: tuple[PlannedSegment, ...]
    placements: tuple[BoundaryPlacement, ...]
    peak_ram_bytes: int
    peak_with_input_bytes: int
    added_insn: int
    cost: int
    bound: int
    goal: Goal
    solve_s: float
    memories: tuple[UsedMemory, ...] = ()
    notes: tuple[str, ...] = ()
    unfinished: Unfinished | None = None

    @property
    def kept_bytes(self) -> int:
        """What resident pieces keep in the main SRAM: the peak is the largest RAM and this."""
        kept = (segment.kept for segment in self.segments)
        return sum(own.bytes for own in kept if own is not None and own.memory is None)

    @property
    def copy_insn(self) -> int:
        return sum(s.figures.copy_insn + s.outside_insn for s in self.segments)

    @property
    def copied_bytes(self) -> int:
        return sum(segment.figures.copied_bytes for segment in self.segments)

    @property
    def recomputed_insn(self) -> int:
        """What bands compute more than once."""
        return sum(segment.figures.recomputed_insn for segment in self.segments)

    @property
    def first_insn(self) -> int:
        """Of start-up, where pieces are resident or restored."""
        once = (segment.stored or segment.kept for segment in self.segments)
        return sum(own.first_insn for own in once if own)

    @property
    def restore_insn(self) -> int:
        """Of copying images back."""
        return sum(segment.stored.insn for segment in self.segments if segment.stored)

    @property
    def read_insn(self) -> int:
        """What reading kept tails in slower memories adds, estimated."""
        return sum(segment.kept.insn for segment in self.segments if segment.kept)

    @property
    def rebuild_insn(self) -> int:
        """AllocateTensors, construction, and zeroing if on, of all pieces."""
        requantise = sum(segment.requantise_insn for segment in self.segments)
        others = self.copy_insn + self.recomputed_insn + self.restore_insn + self.read_insn
        return self.added_insn - others - requantise

    @property
    def gap(self) -> float:
        return (self.cost - self.bound) / max(1, abs(self.cost))

    @property
    def cuts(self) -> tuple[int, ...]:
        """Ops before which it cuts, rising; between the two pieces of one segment is no cut."""
        return tuple(sorted({segment.start for segment in self.segments} - {0}))

    @property
    def exact(self) -> bool:
        return all(segment.figures.arena.exact for segment in self.segments)

    @property
    def limiting_segment(self) -> PlannedSegment:
        """The segment whose RAM is the peak (the first, where several are)."""
        return max(self.segments, key=lambda segment: segment.ram_bytes)


@dataclass(frozen=True)
class Infeasible:
    """No plan fits; `least` is the plan of the smallest budget that has one.

    It is None where no budget has one, or, where `is_searched` is false, none was found in time.
    """

    goal: Goal
    least: SplitPlan | None
    is_searched: bool = True

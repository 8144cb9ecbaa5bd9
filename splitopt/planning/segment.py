"""One segment and the options it can run by, each with its bytes and instructions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from splitopt.arena.quick_replay import ArenaFigures, ArenaRequest
from splitopt.arena.replay import Arena
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.segments import Segment
from splitopt.planning.cut_nodes import COPIED, IN_PLACE, Ends
from splitopt.planning.switching import REBUILT, Switching
from splitopt.tiling.plan import BandPlan, Execution
from splitopt.tiling.rolled import RolledPair
from splitopt.tiling.streams.placement import PlacedStream
from splitopt.tiling.streams.stage_arena import stage_arena

STREAMED = 1 << 20
"""The first key of a segment's streams; see SegmentTable.option."""


@dataclass(frozen=True)
class SegmentFigures:
    """Exact figures of one piece that is rebuilt at each inference.

    `arena_bytes` is what the runner grants: the minimum arena rounded up to 16, plus headroom.
    `added_insn` holds AllocateTensors, construction, copies in and out, what bands compute more
    than once, and zeroing if on; `rebuild_insn` of it are construction and AllocateTensors, 0 where
    it is built once. `image_bytes`, and, of a resident piece, `kept_bytes` and `read_bytes`, and
    `never_rebuilt`: see `planning.switching`. `invoke_insn`: of all its executions. `left`: which
    of its ends are left in place, see `planning.cut_nodes`.
    `executions`, `rows` (of its activations) and `recomputed_insn` are empty or 0 for a piece that
    runs once on all rows. `request` is what the arena is replayed from. `stream`: the groups of a
    segment that makes one row at a time, which share the arena; then there is no request.
    """

    request: ArenaRequest | None = field(repr=False, compare=False)
    segment: Segment
    memory: ArenaFigures
    arena_bytes: int
    allocate_insn: int
    invoke_insn: int
    added_insn: int
    copied_bytes: int
    copy_insn: int = 0
    recomputed_insn: int = 0
    rebuild_insn: int = 0
    image_bytes: int = 0
    kept_bytes: int = 0
    read_bytes: int = 0
    never_rebuilt: bool = False
    left: Ends = COPIED
    executions: tuple[Execution, ...] = ()
    rows: Mapping[int, int] | None = None
    stream: PlacedStream | None = None

    @cached_property
    def arena(self) -> Arena:
        """The arena, buffer by buffer; of a stream, that which all its groups share."""
        if self.stream is not None:
            placed = self.stream
            return stage_arena(placed.stream, placed.offsets, placed.arena)
        assert self.request is not None, "pickled figures have their arena"
        return self.request.replayed()

    @property
    def has_offline_plan(self) -> bool:
        return self.memory.is_pinned

    @property
    def is_streamed(self) -> bool:
        return self.stream is not None

    @property
    def persistent_bytes(self) -> int:
        """Of a resident piece: its persistent arena."""
        return align_up(self.memory.tail_bytes, ARENA_ALIGNMENT)

    def __getstate__(self) -> dict[str, Any]:
        """Pickled with the arena, but without the model that it is replayed from."""
        return {**self.__dict__, "arena": self.arena, "request": None}


@dataclass(frozen=True, slots=True)
class SegmentOption:
    """One option to run a segment: on all rows in one piece, in bands by one piece or two, or as a
    stream.

    `key` tells apart the options of one segment. `rolled`: its ends that may share bytes.
    `by_rows`: it is handed the model's inputs row by row, if nobody else reads them.
    """

    key: int
    pieces: tuple[SegmentFigures, ...]
    bands: BandPlan | None
    rolled: tuple[RolledPair, ...] = ()
    by_rows: bool = False

    @property
    def segment(self) -> Segment:
        return self.pieces[0].segment

    @property
    def stream(self) -> PlacedStream | None:
        return self.pieces[0].stream

    @property
    def left(self) -> Ends:
        return self.pieces[0].left

    @property
    def is_apart(self) -> bool:
        """Whether it reads its inputs while it makes its outputs, row by row or band by band."""
        return self.bands is not None or self.stream is not None

    @property
    def arena_bytes(self) -> int:
        return max(piece.arena_bytes for piece in self.pieces)

    @property
    def kept_insn(self) -> int:
        """What it adds however its pieces begin."""
        return sum(piece.added_insn - piece.rebuild_insn for piece in self.pieces)

    @property
    def copied_bytes(self) -> int:
        return sum(piece.copied_bytes for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Techniques:
    """What a plan may use beyond cuts. `two_heights`: two pieces for one segment. `streams`: one
    row at a time. `rolled_ends`: bands and streams whose ends share bytes. `input_by_rows`: streams
    are handed the model's input row by row. `in_place`: pieces with offline plans that read a
    boundary tensor where another one made it. `switching`: how pieces may begin."""

    bands: bool = True
    two_heights: bool = True
    offline_plans: bool = True
    streams: bool = True
    rolled_ends: bool = True
    input_by_rows: bool = False
    in_place: bool = True
    switching: Switching = REBUILT

    @property
    def may_leave_in_place(self) -> bool:
        """Whether pieces may find an input in their arena, which AllocateTensors would write over:
        where they may be resident or restored."""
        may_stay = self.switching.may_reside or self.switching.may_restore
        return self.in_place and self.offline_plans and may_stay

    def is_alike(self, other: Techniques, key: int) -> bool:
        """Whether options of this key are the same under both."""
        if key >= IN_PLACE:
            return True
        same_places = self.switching.outside.kinds == other.switching.outside.kinds
        same_rolls = self.rolled_ends == other.rolled_ends and (same_places or not self.rolled_ends)
        if key >= STREAMED:
            return same_rolls and self.input_by_rows == other.input_by_rows
        same_plans = key % 2 == 0 or self.offline_plans == other.offline_plans
        same_bands = same_rolls and self.two_heights == other.two_heights
        return same_plans and (key <= 1 or same_bands)


CUTS_ONLY = Techniques(
    bands=False, two_heights=False, offline_plans=False, streams=False, rolled_ends=False
)

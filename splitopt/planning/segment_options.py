"""Every segment's options to run: bounds of all at once, exact figures when asked for.

What a piece is follows here: its graph, copies and Invoke; its exact price from `pricing`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import cached_property, partial

from splitopt.arena.offline import best_offline_plan
from splitopt.arena.rules import TargetRules
from splitopt.cost.costs import Costs, built_in, estimate_invoke
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import crossing_bytes, segment_of, whole_model
from splitopt.planning.all_rows_bounds import AllRowsBounds
from splitopt.planning.band_options import BandTable
from splitopt.planning.cut_nodes import IN_PLACE, CutNodes, ends_of, left_tensors
from splitopt.planning.outside import Outside
from splitopt.planning.pricing import Piece, Pricer
from splitopt.planning.segment import CUTS_ONLY, STREAMED, SegmentFigures, SegmentOption, Techniques
from splitopt.planning.stream_options import StreamTable
from splitopt.planning.switching import OUTSIDE, Choice
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.option_pool import Mask, OptionName, OptionPool
from splitopt.tiling.plan import BandPlan
from splitopt.tiling.resized import resized
from splitopt.tiling.rolled import RolledPair, rolled_pairs
from splitopt.tiling.schedule import copied_bytes, executions_of, heights_of, kept_rows
from splitopt.tiling.streams.stream import Stream

_BUILDING = 0.4
"""How much of the time may go into finding bands."""


class SegmentTable(AllRowsBounds):
    """The segments [start, stop) of one model for one target; what was replayed is kept."""

    def __init__(
        self,
        graph: ModelGraph,
        rules: TargetRules,
        *,
        headroom_bytes: int = 0,
        zero_arena: bool = False,
        costs: Costs | None = None,
        techniques: Techniques = CUTS_ONLY,
    ) -> None:
        super().__init__(
            graph, rules, costs or built_in(), headroom_bytes, zero_arena, techniques.switching
        )
        self.techniques = techniques
        self.unproved_bytes = 0
        """The most that the head of an offline plan lies above what is proved of it."""
        self.last_pool: tuple[Mask, OptionPool] | None = None
        """Of the segments that were allowed last."""
        self.checked: dict[int, SegmentOption] = {}
        """Options, by identity, whose bands and offline plans were found to be right."""
        self._figures: dict[tuple[int, int], SegmentFigures] = {}
        self._streams: dict[OptionName, SegmentFigures | None] = {}
        self._options: dict[OptionName, SegmentOption | None] = {}
        self._resident: dict[int, tuple[SegmentFigures, SegmentFigures]] = {}
        self._late: list[OptionName] = []
        self.is_complete = True
        self.begin(Deadline(math.inf))

    def begin(self, deadline: Deadline) -> None:
        """From now on, what is asked for behind the deadline gets no exact offline plan, and bands
        no plan: `is_complete` then turns false. What was priced so late before is forgotten. Bands
        that did not fit into memory would not do so again."""
        for name in self._late:
            self._options.pop(name, None)
        if "bands" in self.__dict__:
            self.bands.go_on(deadline.share(_BUILDING))
        is_full = self.has_full_bands
        if self._late or not (self.is_complete or is_full):
            self.last_pool = None
        self._late = []
        self.deadline, self.is_complete = deadline, not is_full

    @property
    def has_full_bands(self) -> bool:
        """Whether bands are left out because their table takes too much memory."""
        return "bands" in self.__dict__ and self.bands.is_full

    def under(self, techniques: Techniques) -> SegmentTable:
        """The table under other techniques; bounds, bands, streams and exact figures that are the
        same under both are shared."""
        if techniques == self.techniques:
            return self
        other = copy(self)
        other.techniques = techniques
        late, is_shared = set(self._late), partial(self.techniques.is_alike, techniques)
        other._options = {
            name: option
            for name, option in self._options.items()
            if name not in late and is_shared(name[2])
        }
        if techniques.offline_plans != self.techniques.offline_plans:
            other.unproved_bytes = 0
        if techniques.two_heights != self.techniques.two_heights:
            other.__dict__.pop("bands", None)
        other.__dict__.pop("nodes", None)
        other.move_boundary(techniques.switching)
        other._late, other.is_complete, other.last_pool = [], True, None
        other.checked = dict(self.checked)
        return other

    def placed(self, outside: Outside) -> SegmentTable:
        """The table with boundary tensors in these places."""
        switching = replace(self.techniques.switching, outside=outside)
        return self.under(replace(self.techniques, switching=switching))

    @property
    def replays(self) -> int:
        """How many segments were replayed so far, as one piece on all rows."""
        return len(self._figures)

    def figures(self, start: int, stop: int) -> SegmentFigures:
        """The exact figures of one segment as stock TFLM plans it, on all rows at once."""
        found = self._figures.get((start, stop))
        if found is None:
            piece = self._on_all_rows(start, stop)
            found = self._figures[start, stop] = self._pricer.figures(piece)
        return found

    def option(self, start: int, stop: int, key: int) -> SegmentOption | None:
        """An option to run a segment between two nodes of `nodes`; None where there is none of that
        key.

        `key` 0 and 1: on all rows; 2k and 2k + 1: in bands by plan k. Even ones as TFLM plans every
        piece, odd ones with offline plans, where these lower the arena of a piece. STREAMED + k:
        row by row, by level k of its streams. Where a node leaves a tensor in place: 1.
        """
        return self._named(self.nodes.in_ops((start, stop, key)))

    def _named(self, name: OptionName) -> SegmentOption | None:
        """By its ops."""
        start, stop, key = name
        if STREAMED <= key < IN_PLACE:
            if name not in self._options:
                self._options[name] = self._streamed(name)
        elif name not in self._options:
            bands = self.bands.plan(start, stop, key // 2) if 1 < key < IN_PLACE else None
            if key >= IN_PLACE:
                pieces = self._left_in_place(name)
            else:
                pieces = self._planned(name) if key % 2 else self._greedy_pieces(name, bands)
            rolled = self._rolled(pieces)
            found = SegmentOption(key % IN_PLACE, pieces, bands, rolled) if pieces else None
            self._options[name] = found
            if self.deadline.is_over:
                self._late.append(name)
        return self._options[name]

    def choices(self, option: SegmentOption, place: int = OUTSIDE) -> list[Choice]:
        """The pieces of an option, and, where a place is asked for, the same ones resident."""
        if not (place and self.techniques.switching.may_reside):
            return [(piece, None) for piece in option.pieces]
        return [(piece, self.resident(piece)) for piece in option.pieces]

    def resident(self, piece: SegmentFigures) -> SegmentFigures:
        """A piece of an option as one whose persistent data stay for good."""
        if id(piece) not in self._resident:
            made = self.streams.resident if piece.is_streamed else self._pricer.resident
            self._resident[id(piece)] = piece, made(piece)
        return self._resident[id(piece)][1]

    def _rolled(self, pieces: tuple[SegmentFigures, ...]) -> tuple[RolledPair, ...]:
        """Ends that share bytes where the pieces run in bands, one piece after the other."""
        executions = [execution for piece in pieces for execution in piece.executions]
        if not (executions and self.techniques.rolled_ends):
            return ()
        return self.values.inside(rolled_pairs(self.graph, pieces[0].segment, executions))

    def _streamed(self, name: OptionName) -> SegmentOption | None:
        figures = self._stream_figures(name)
        if figures is None or figures.stream is None:
            return None
        by_rows, rolls = self.techniques.input_by_rows, self.techniques.rolled_ends
        stream = figures.stream.stream
        rolled = self.streams.rolled(stream, by_rows=by_rows) if rolls else ()
        return SegmentOption(name[2], (figures,), None, self.values.inside(rolled), by_rows)

    def _stream_figures(self, name: OptionName) -> SegmentFigures | None:
        """Of a segment's stream, whatever its ends share; None where it has none."""
        if name not in self._streams:
            start, stop, key = name
            streams = self.streams.levels[key - STREAMED]
            stream = streams.stream(start, stop)
            self._streams[name] = streams.figures(stream) if isinstance(stream, Stream) else None
        return self._streams[name]

    def could_be_planned(self, option: SegmentOption) -> bool:
        """Whether an offline plan could lower an arena of this option, as TFLM plans it."""
        memories = (piece.memory for piece in option.pieces)
        is_loose = any(memory.head_bytes > memory.peak_load_bytes for memory in memories)
        return self.techniques.offline_plans and is_loose and not self.graph.called

    def of_piece(self, start: int, stop: int, piece: ModelGraph) -> SegmentFigures:
        """The figures of a piece that was not cut from this graph, in the place of a segment.

        The piece reads and makes tensors of the same sizes as the segment.
        """
        place = self._on_all_rows(start, stop)
        made = replace(
            place,
            graph=piece,
            segment=whole_model(piece),
            memories=self.rules.memories(piece),
            invoke_insn=estimate_invoke(self.costs, piece, 0, len(piece.ops)).insn,
        )
        pricer = replace(self._pricer, graph=piece)
        return replace(pricer.figures(made, piece.offline_offsets), segment=place.segment)

    def is_priced(self, start: int, stop: int, key: int) -> bool:
        """Whether an option is known already."""
        return self.nodes.in_ops((start, stop, key)) in self._options

    def _greedy_pieces(
        self, name: OptionName, bands: BandPlan | None
    ) -> tuple[SegmentFigures, ...]:
        """The pieces of an option as TFLM plans them."""
        start, stop, _ = name
        if bands is None:
            return (self.figures(start, stop),)
        pieces = self._in_bands(start, stop, bands)
        return tuple(self._pricer.figures(piece) for piece in pieces)

    def _planned(self, name: OptionName) -> tuple[SegmentFigures, ...]:
        """The pieces with offline plans where these lower the arena; empty where none does."""
        start, stop, key = name
        stock = self._named((start, stop, key - 1))
        if stock is None or not self.could_be_planned(stock):
            return ()
        planned = tuple(map(self._offline, stock.pieces))
        return planned if any(piece.has_offline_plan for piece in planned) else ()

    def _left_in_place(self, name: OptionName) -> tuple[SegmentFigures, ...]:
        """The piece with these ends at the low end of its arena."""
        start, stop, ends = name[0], name[1], ends_of(name[2])
        tensors = self.nodes.tensors(start, stop, ends)
        planned = self._offline(self.figures(start, stop), dict.fromkeys(tensors, 0))
        return (self._pricer.left_in_place(planned, ends, tensors),)

    @cached_property
    def nodes(self) -> CutNodes:
        """Cuts as the solver has them."""
        is_offered = self.techniques.may_leave_in_place and not self.graph.called
        is_offered &= not self.outside.memories
        left = left_tensors(self.graph) if is_offered else {}
        return CutNodes(self.graph, left, self.outside)

    def _on_all_rows(self, start: int, stop: int) -> Piece:
        segment = segment_of(self.graph, start, stop)
        if self.graph.called and self.is_whole(start, stop):
            segment = whole_model(self.graph)  # its file is handed on as it is
        return Piece(
            graph=self.graph,
            segment=segment,
            memories=self.memories,
            copies=crossing_bytes(self.graph, segment),
            is_rebuilt=not self.is_whole(start, stop),
            invoke_insn=self.whole_invoke(start, stop),
        )

    def _in_bands(self, start: int, stop: int, plan: BandPlan) -> Iterator[Piece]:
        """A piece for each height. What the unsplit model takes for the segment is shared out
        among them by the rows that are kept of each; the rest they compute more than once."""
        segment = segment_of(self.graph, start, stop)
        rows = self.bands.rows(start, stop)
        schedule = executions_of(self.graph, segment, rows, plan)
        kept = [kept_rows(executions)[segment.outputs[0]] for executions in schedule]
        whole = self.whole_invoke(start, stop)
        shares = [whole * count // sum(kept) for count in kept]
        shares[-1] = whole - sum(shares[:-1])
        for height, executions, share in zip(plan.heights, schedule, shares, strict=True):
            counts = heights_of(rows, height)
            once = self._per_invoke + self.bands.insn(start, stop, counts)
            yield Piece(
                graph=resized(self.graph, start, stop, counts),
                segment=segment,
                memories=self.bands.memories(start, stop, counts),
                copies=copied_bytes(self.graph, executions),
                is_rebuilt=not self.is_whole(start, stop) or len(schedule) > 1,
                invoke_insn=once * len(executions),
                recomputed_insn=once * len(executions) - share,
                executions=executions,
                rows=counts,
            )

    def _offline(
        self, greedy: SegmentFigures, pins: Mapping[int, int] | None = None
    ) -> SegmentFigures:
        """The piece with the best offline plan; as it is without one where none gives a smaller
        arena. `pins`: tensors whose offsets are given."""
        if greedy.memory.head_bytes == greedy.memory.peak_load_bytes and not pins:
            return greedy
        if self.deadline.is_over:
            self.is_complete = False
            if not pins:
                return greedy
        asked = greedy.request
        assert asked is not None, "pickled figures are not priced again"
        found = best_offline_plan(asked.graph, asked.segment, asked.memories, self.deadline, pins)
        self.unproved_bytes = max(self.unproved_bytes, found.head_bytes - found.least_head_bytes)
        if not found.offsets:
            return greedy
        planned = self._pricer.planned(greedy, found.offsets, found.head)
        is_smaller = planned.memory.size_bytes < greedy.memory.size_bytes
        return planned if is_smaller or pins else greedy

    @cached_property
    def _pricer(self) -> Pricer:
        return Pricer(
            self.graph, self.rules.abi, self.costs.allocate, self.headroom_bytes, self.zero_arena
        )

    def is_whole(self, start: int, stop: int) -> bool:
        """Whether the segment is the whole model: it is built once, at start-up."""
        return (start, stop) == (0, len(self.graph.ops))

    @cached_property
    def bands(self) -> BandTable:
        deadline = self.deadline.share(_BUILDING)
        two_heights = self.techniques.two_heights
        return BandTable(self.ops, two_heights=two_heights, deadline=deadline)

    @cached_property
    def streams(self) -> StreamTable:
        return StreamTable(
            self.ops,
            self.whole_invoke,
            headroom_bytes=self.headroom_bytes,
            zero_arena=self.zero_arena,
            most_bytes=self.ram(0, len(self.graph.ops)),
        )

    def ram(self, start: int, stop: int) -> int:
        """The exact RAM while a segment runs as stock TFLM plans it, on all rows at once."""
        return self.figures(start, stop).arena_bytes + int(self.boundary.load[start, stop])

"""Where line buffers lie in the arena of a stage, and how large it is.

What TFLM places by itself in a group, passing tensors and scratch, goes to the low end. Line
buffers stand above the highest of these, one above the other: as they live as long as the stage,
no order of them takes less. An offline plan in each group's file pins what it reads and what it
writes into them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any

from splitopt.arena.kernel import KernelMemory
from splitopt.arena.replay import plan_head
from splitopt.arena.rules import TargetRules
from splitopt.arena.shared import SharedArena, SharedModel, shared_arena
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of
from splitopt.tiling.streams.group_graph import GroupKey, key_of, keyed_graph
from splitopt.tiling.streams.stream import Group, Stream

_FAR = 1 << 30
"""Above anything that TFLM places."""


@dataclass(frozen=True)
class PlacedGroup:
    """A group as a graph, what its kernels ask for, and its offline plan (tensor → offset)."""

    graph: ModelGraph
    memories: tuple[KernelMemory, ...]
    offline: Mapping[int, int]


@dataclass(frozen=True)
class PlacedStream:
    """A stream in its arena. `offsets`: of each line buffer, in bytes from the arena's start.
    `low_bytes`: what TFLM places below them. `is_resident`: persistent data and interpreters have
    a place of their own."""

    stream: Stream
    rules: TargetRules = field(repr=False, compare=False)
    offsets: tuple[int, ...]
    low_bytes: int
    groups: tuple[PlacedGroup, ...] = field(repr=False, compare=False)
    is_resident: bool = False

    @cached_property
    def arena(self) -> SharedArena:
        models = [SharedModel(g.graph, g.memories, g.offline) for g in self.groups]
        abi = self.rules.abi
        return shared_arena(models, abi.in_two_arenas() if self.is_resident else abi)

    @cached_property
    def interpreters_bytes(self) -> int:
        """The interpreters beyond the one that every plan has; none where these lie elsewhere."""
        if self.is_resident:
            return 0
        return (len(self.groups) - 1) * self.rules.abi.interpreter_bytes

    def __getstate__(self) -> dict[str, Any]:
        """Pickled with the arena, but without the groups' graphs, which hold the model."""
        own = {"arena": self.arena, "interpreters_bytes": self.interpreters_bytes}
        return {**self.__dict__, **own, "groups": (), "rules": None}


@dataclass(frozen=True)
class GroupForm:
    """What of a group does not depend on where line buffers lie. `low_bytes`: the end of what TFLM
    places by itself."""

    graph: ModelGraph
    segment: Segment
    memories: tuple[KernelMemory, ...]
    low_bytes: int


class GroupForms:
    """Forms of the groups of one model's streams: many streams share a group."""

    def __init__(self, graph: ModelGraph, rules: TargetRules) -> None:
        self._graph, self._rules = graph, rules
        self._known: dict[GroupKey, GroupForm] = {}

    def __call__(self, key: GroupKey) -> GroupForm:
        if key not in self._known:
            self._known[key] = self._form(key)
        return self._known[key]

    def _form(self, key: GroupKey) -> GroupForm:
        graph = keyed_graph(self._graph, key)
        memories = self._rules.memories(graph)
        segment = segment_of(graph, 0, len(graph.ops))
        head = plan_head(graph, segment, memories, dict.fromkeys(key.pinned, _FAR))
        low = max((b.offset + b.size_bytes for b in head if not b.pinned), default=0)
        return GroupForm(graph, segment, memories, low)


def placed(stream: Stream, rules: TargetRules, forms: GroupForms) -> PlacedStream:
    """The stream's line buffers above all that TFLM places by itself in any group."""
    found = [forms(key_of(stream, group)) for group in stream.groups]
    low = max(form.low_bytes for form in found)
    offsets = line_buffer_offsets(stream, low)
    groups = tuple(
        PlacedGroup(form.graph, form.memories, offline_plan(stream, group, offsets))
        for form, group in zip(found, stream.groups, strict=True)
    )
    return PlacedStream(stream, rules, offsets, low, groups)


def line_buffer_offsets(stream: Stream, low: int) -> tuple[int, ...]:
    """TFLM has to know how far the highest one goes: its last slot is a group's."""
    reached = {view.buffer for group in stream.groups for view in group.views if not view.lag}
    for group in stream.groups:
        for made in group.outputs:
            if made.buffer is not None and group.writes_into(stream.buffers[made.buffer]):
                reached.add(made.buffer)
    top = max(reached)
    order = [k for k in range(len(stream.buffers)) if k != top] + [top]
    sizes = (align_up(stream.buffers[k].bytes, ARENA_ALIGNMENT) for k in order)
    places = dict(zip(order, accumulate(sizes, initial=low), strict=False))
    return tuple(places[k] for k in range(len(order)))


def offline_plan(stream: Stream, group: Group, offsets: Sequence[int]) -> dict[int, int]:
    """Tensor → offset in bytes: the window's first row, and the last rows of a buffer, where they
    are made there."""
    places = {}
    for view in group.views:
        buffer = stream.buffers[view.buffer]
        first = buffer.depth - view.lag - view.rows
        places[buffer.tensor] = offsets[view.buffer] + first * buffer.row_bytes
    for made in group.outputs:
        held = None if made.buffer is None else stream.buffers[made.buffer]
        if made.buffer is not None and held is not None and group.writes_into(held):
            last = (held.depth - group.made_rows) * held.row_bytes + held.column_bytes
            places[made.tensor] = offsets[made.buffer] + last
    return places

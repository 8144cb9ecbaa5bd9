"""Ops into groups, one op after another, and when each group runs.

An image takes `time_of_image` ticks: a source of H rows has its row n at (n + 1) / H of that. A
group of a window of `reach` rows at stride s, `above` of them over the image for its first row,
runs every s periods of what it reads, and its row 0 as soon as row reach - 1 - above is there. The
code cites these cases:

1. An op with a window begins a group. Its input is a line buffer, as it looks at several rows.
2. An op that works row by row joins the group that makes the last of its inputs to be there; the
   others come from line buffers, which hold as many rows more as they are ahead (a residual).
3. A PAD whose input nobody else reads disappears: the line buffer has its columns. One whose input
   is read elsewhere, too, pads columns in its group. Rows are padded by whoever reads them.
4. An op may not join a group that looks at another window of the same buffer: it begins one.
5. An op may make several rows at once, and so do the ops that join its group. No row comes
   later than if they came one by one, so who reads them need not know, but that rows wait. An op
   joins only if all that it reads is there in time, and no row of it is dropped.
6. An operand that is read whole for every row, such as a gate of channels, is an image of one row,
   which the group repeats in all of its turns. It comes with the first of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import lcm, prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from splitopt.graph.model import ModelGraph, Op
from splitopt.tiling.rows import activations_read, gates_read, images_read, rows_of
from splitopt.tiling.streams.rules import StreamRule

SOURCE = -1
ROW_BY_ROW = StreamRule()


@dataclass(frozen=True, slots=True)
class Flow:
    """A tensor's rows over time: row n is there at first + period * n, or with the first of the
    `at_once` rows that come together, behind `dropped` wrong ones. `group`: who makes it; `above`:
    rows of padding that its readers look at before row 0; `written`: the tensor whose rows are
    made, which is another where a PAD is folded in."""

    tensor: int
    rows: int
    period: int
    first: int
    group: int
    above: int
    written: int
    at_once: int = 1
    dropped: int = 0

    @property
    def is_single(self) -> bool:
        return self.at_once == 1 and not self.dropped


class Window(NamedTuple):
    """Rows that a group looks at; see `stream.View`."""

    rows: int = 1
    stride: int = 1
    above: int = 0
    repeat: int = 1


@dataclass(slots=True)
class Draft:
    """A group while ops are added to it. `period`: from one turn to the next, each of which makes
    `at_once` rows, behind `dropped` wrong ones. `reads`: tensor → what it looks at."""

    period: int
    first: int
    rows: int
    at_once: int = 1
    dropped: int = 0
    ops: list[int] = field(default_factory=list)
    reads: dict[int, Window] = field(default_factory=dict)

    @property
    def turns(self) -> int:
        return self.rows // self.at_once

    @property
    def row_by_row(self) -> Window:
        """What it looks at for an op that works row by row."""
        return Window(self.at_once, self.at_once)

    def last_row(self, window: Window) -> int:
        """The last row that it looks at."""
        first = window.stride * (self.turns - 1) // window.repeat - window.above
        return first + window.rows - 1


class Grouping:
    """Groups of the ops [start, stop), `stop` behind the op that was added last.

    `flows`: tensor → its rows over time. `pads`: outputs of PADs whose rows are made by those who
    read them; they cannot leave the segment. `folded`: inputs of PADs that disappear. `fills`:
    tensor → value outside of the image. `sides`: tensor → columns of that value, left and right,
    beside its rows. `live`: what the groups make for ops from `stop` on, or as
    outputs of the model.
    """

    def __init__(self, graph: ModelGraph, start: int, image_ticks: int) -> None:
        """`image_ticks`: see `time_of_image`."""
        self.graph, self.start, self.stop = graph, start, start
        self._image_ticks = image_ticks
        self.flows: dict[int, Flow] = {}
        self.sources: list[int] = []
        self.groups: list[Draft] = []
        self.pads: set[int] = set()
        self.folded: set[int] = set()
        self.fills: dict[int, int] = {}
        self.sides: dict[int, tuple[int, int]] = {}
        self._held: set[int] = set()
        """What is read from line buffers, and what is written into them."""
        self._heard: set[int] = set()
        """Groups that make rows of these."""
        self.live: dict[int, None] = {}

    def add(self, rule: StreamRule) -> str | None:
        """The next op in order, by its rule. Why the stream ends before it, if it does."""
        op = self.graph.ops[self.stop]
        read = images_read(self.graph, op)
        for tensor in read:
            self._enter(tensor)
        refusal = self._join(op, rule, read)
        for tensor in gates_read(self.graph, op) if refusal is None else ():
            self._repeat_whole(tensor, self.flows[op.outputs[0]].group)
        if refusal is None and any(map(self._is_uneven, read)):
            refusal = (
                "reads rows that are made several at a time, as another op does, but otherwise"
            )
        self.stop += 1
        self.live.update(dict.fromkeys(op.outputs))
        for tensor in (*read, *op.outputs):
            if self._is_done(tensor):
                self.live.pop(tensor, None)
        return refusal

    def _is_done(self, tensor: int) -> bool:
        """Whether nothing from `stop` on wants it."""
        graph = self.graph
        last_reader = graph.readers.get(tensor, (-1,))[-1]
        return last_reader < self.stop and tensor not in graph.outputs

    def _join(self, op: Op, rule: StreamRule, read: Sequence[int]) -> str | None:
        is_padded = any(tensor in self.pads for tensor in read)
        if rule.padding is not None:
            return "pads rows that are padded already" if is_padded else self._pad(op, rule)
        if rule.repeat > 1:
            return "repeats padded rows" if is_padded else self._repeat(op, rule, read[0])
        if not rule.is_pointwise or (is_padded and len(read) == 1):
            return self._look(op, rule, read[0])
        return "reads padded rows beside others" if is_padded else self._by_row(op, read)

    def _enter(self, tensor: int) -> None:
        if tensor not in self.flows:
            rows = rows_of(self.graph.tensors[tensor])
            period = self._image_ticks // rows
            self.flows[tensor] = Flow(tensor, rows, period, period, SOURCE, 0, tensor)
            self.sources.append(tensor)

    def _repeat_whole(self, tensor: int, group: int) -> None:
        """Case 6. No op of a stream makes a single row, so it comes from outside."""
        draft, known = self.groups[group], self.flows.get(tensor)
        first = draft.first if known is None else min(known.first, draft.first)
        self.flows[tensor] = Flow(tensor, 1, self._image_ticks, first, SOURCE, 0, tensor)
        if known is None:
            self.sources.append(tensor)
        self._read(group, tensor, Window(repeat=draft.turns))

    def _pad(self, op: Op, rule: StreamRule) -> str | None:
        """Case 3."""
        assert rule.padding is not None
        assert rule.fill is not None
        [read], [made] = activations_read(self.graph, op), op.outputs
        flow, above = self.flows[read], rule.padding.above
        is_own = self.graph.readers[read] == (op.index,) and read not in self.graph.outputs
        if is_own and not flow.dropped and not _pads_channels(self.graph, op):
            self.folded.add(read)
            self.pads.add(made)
            self.fills[made] = rule.fill
            self.flows[made] = Flow(
                *(made, flow.rows, flow.period, flow.first, flow.group, above, read, flow.at_once),
            )
            return None
        group = self._group_of(flow)
        self._add(op, group, flow.rows, above)
        if not above and not rule.padding.below:
            return None
        self.pads.add(made)
        return self._fill(made, rule.fill)

    def _look(self, op: Op, rule: StreamRule, tensor: int) -> str | None:
        """Case 1; an op that works row by row and reads padded rows, too."""
        flow = self.flows[tensor]
        above = flow.above + rule.above
        ahead = rule.reach - 1 - above
        if ahead < 0:
            return "looks at rows of padding only"
        first = flow.first + flow.period * ahead
        group = self._begin(flow.period * rule.stride, first, op, rule)
        self._read(group, tensor, Window(rule.reach, rule.stride, above))
        if any(rule.sides):
            self.sides[tensor] = rule.sides
        self._add(op, group)
        return None if rule.fill is None else self._fill(tensor, rule.fill)

    def _repeat(self, op: Op, rule: StreamRule, tensor: int) -> str | None:
        flow = self.flows[tensor]
        if not flow.is_single:
            return "repeats rows that are made several at a time"
        group = self._begin(flow.period // rule.repeat, flow.first, op)
        self._read(group, tensor, Window(repeat=rule.repeat))
        self._add(op, group)
        return None

    def _by_row(self, op: Op, read: Sequence[int]) -> str | None:
        """Cases 2, 4 and 5."""
        flows = [self.flows[tensor] for tensor in read]
        if len({flow.period for flow in flows}) != 1:
            return "reads rows that come at different rates"
        last = max(flows, key=lambda flow: (flow.first, flow.group))
        group = last.group
        others = [flow for flow in flows if flow.group != group]
        if group == SOURCE or not all(_fits(self.groups[group], flow) for flow in others):
            group, others = self._begin(last.period, last.first, op), flows
        for flow in others:
            self._read(group, flow.tensor, self.groups[group].row_by_row)
        self._add(op, group)
        return None

    def _is_uneven(self, tensor: int) -> bool:
        """Whether rows come together that several groups read, and not all of them together."""
        flow = self.flows[tensor]
        if flow.is_single:
            return False
        windows = [group.reads[tensor] for group in self.groups if tensor in group.reads]
        is_uneven = any(window.stride % flow.at_once for window in windows)
        return len(windows) > 1 and (is_uneven or flow.dropped > 0)

    def _group_of(self, flow: Flow) -> int:
        """The group that makes the rows; a new one that passes on those of a source."""
        if flow.group != SOURCE:
            return flow.group
        self.groups.append(Draft(flow.period, flow.first, flow.rows))
        self._read(len(self.groups) - 1, flow.tensor, Window())
        return len(self.groups) - 1

    def _begin(self, period: int, first: int, op: Op, rule: StreamRule = ROW_BY_ROW) -> int:
        rows = rows_of(self.graph.tensors[op.outputs[0]])
        self.groups.append(Draft(period, first, rows, rule.rows, rule.dropped))
        return len(self.groups) - 1

    def _read(self, group: int, tensor: int, window: Window) -> None:
        self.groups[group].reads[tensor] = window
        flow = self.flows[tensor]
        self._held.update((tensor, flow.written))
        self._heard.add(flow.group)

    def _add(self, op: Op, group: int, rows: int | None = None, above: int = 0) -> None:
        draft, [made] = self.groups[group], op.outputs
        draft.ops.append(op.index)
        self.flows[made] = Flow(
            *(made, rows or draft.rows, draft.period // draft.at_once, draft.first),
            *(group, above, made, draft.at_once, draft.dropped),
        )

    def _fill(self, tensor: int, value: int) -> str | None:
        if self.fills.setdefault(tensor, value) != value:
            return "fills rows outside of the image with another value than another op"
        return None

    @property
    def is_closed(self) -> bool:
        """Whether ops [start, stop) are a stream: no PAD is left whose rows nobody has made, and no
        group makes rows that nothing reads."""
        return (
            bool(self.live)
            and self.pads.isdisjoint(self.live)
            and self._held.issuperset(self.folded.difference(self.live))
            and all(self._makes_live(k) for k in range(len(self.groups)) if k not in self._heard)
        )

    def _makes_live(self, group: int) -> bool:
        ops = (self.graph.ops[op] for op in self.groups[group].ops)
        return any(tensor in self.live for op in ops for tensor in op.outputs)

    def held_as(self, tensor: int) -> int:
        """The tensor whose rows the line buffer holds: what the folded PAD makes."""
        if tensor not in self.folded:
            return tensor
        [pad] = self.graph.readers[tensor]
        return self.graph.ops[pad].outputs[0]


def time_of_image(graph: ModelGraph, rules: Sequence[StreamRule | str]) -> int:
    """Ticks of an image, such that every row of every tensor comes at a whole one."""
    rows = {rows_of(tensor) for tensor in graph.tensors if tensor.is_activation}
    factors = (rule.repeat * rule.rows for rule in rules if not isinstance(rule, str))
    return lcm(*(rows - {0})) * prod(factors)


def _fits(draft: Draft, flow: Flow) -> bool:
    """Whether the group can look at rows of the flow as it makes them."""
    if draft.reads.get(flow.tensor, draft.row_by_row) != draft.row_by_row:
        return False  # case 4
    if draft.at_once == 1 and not draft.dropped:
        return True
    later = draft.at_once - (1 if draft.at_once % flow.at_once else flow.at_once)
    return not draft.dropped and flow.first + flow.period * later <= draft.first  # case 5


def _pads_channels(graph: ModelGraph, op: Op) -> bool:
    return bool(pad_amounts(graph, op)[3].any())


def pad_amounts(graph: ModelGraph, op: Op) -> npt.NDArray[np.int32]:
    """A PAD's amounts [4, 2]: before and behind, for batch, rows, columns and channels."""
    amounts = np.frombuffer(graph.tensors[op.inputs[1]].data, dtype="<i4")
    return amounts[:8].reshape(4, 2)

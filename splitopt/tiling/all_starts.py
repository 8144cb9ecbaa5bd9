"""The rows of all segments that stop behind one op, at all heights of their bands, op by op.

What `geometry` finds for one segment, its cases 1 to 6 and 10 included, is found here for every
start at once. An entry is a start and a height at which the segment can still run in bands; entries
lie by start, then by height. An op extends all of them, and begins one segment more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from splitopt.graph.model import ModelGraph, Op
from splitopt.tiling.entries import Column, Entries, Mask
from splitopt.tiling.geometry import MOST_ROWS, heights_tried
from splitopt.tiling.rows import RowRule, gates_read, images_read, rows_of

_FAR = np.int64(2**40)
_ROWS, _LOW, _HIGH, _NUMERATOR, _DENOMINATOR = range(5)
_ALIKE = [_ROWS, _NUMERATOR, _DENOMINATOR]


class AllStarts:
    """Segments [start, stop) of every start, `stop` behind the op that was added last.

    `entries` has the columns `start`, `height`, `image_rows` and `alignment`, and those of whoever
    accounts for the segments. A start is left out as soon as no later stop has bands for it.
    `outputs`: what segments make for the outside; each makes those that it holds.
    """

    def __init__(self, graph: ModelGraph, known: Sequence[RowRule | None]) -> None:
        """`known`: the rule of each op, None for those that must stay outside of bands."""
        self.graph, self._known = graph, known
        self._image_rows = _image_rows(graph, known)
        self._leads_out = _leading_out(graph)
        self._tensors: set[int] = set()
        self.entries = Entries("start", "height", "image_rows", "alignment", "is_blocked")
        self.outputs: tuple[int, ...] = ()

    def add(self, op: Op) -> None:
        """The next op in order. Where it cannot run in bands, no entry is left."""
        self._forget(op.index)
        entries, rule = self.entries, self._known[op.index]
        if rule is None:
            entries.keep(np.zeros(entries.count, dtype=bool))
            return
        self._begin(op.index)
        usable = self._extend(op, rule)
        covering = entries["start"][usable & (entries["is_blocked"] == 0)]
        is_open = np.bincount(covering, minlength=op.index + 1) > 0
        entries.keep(usable & is_open[entries["start"]])
        first = int(entries["start"].min(initial=op.index))
        made = (*self.outputs, *op.outputs)
        self.outputs = tuple(t for t in made if self._is_output(t, first, op.index + 1))

    def rows(self, tensor: int) -> Column:
        """Rows of a tensor; 0 where the segment neither reads nor makes it."""
        rows: Column = self._of(tensor)[_ROWS]
        return rows

    def makes(self, tensor: int) -> Mask:
        """Where the segment makes the tensor itself."""
        made: Mask = self.entries["start"] <= self.graph.producer.get(tensor, -1)
        return made

    def written(self, tensor: int, entries: Column, starts: Column) -> Column:
        """How many rows of a tensor that they make are right down to the end of bands of these
        entries' heights that start at these rows."""
        state = self._of(tensor)[:, entries]
        above = starts * state[_NUMERATOR] // np.maximum(state[_DENOMINATOR], 1)
        rows: Column = above + state[_HIGH]
        return rows

    def step(self, above: Column, below: Column) -> Column:
        """How far a band may start below the one above it, by the entries of their heights; not
        positive where nothing is made for the outside."""
        least = np.full(len(above), _FAR)
        for tensor in self.outputs:
            state = self._of(tensor)
            right = state[_HIGH][above] - state[_LOW][below]
            moved = right * state[_DENOMINATOR][above] // np.maximum(state[_NUMERATOR][above], 1)
            least = np.minimum(least, np.where(self.makes(tensor)[above], moved, _FAR))  # case 5
        alignment = self.entries["alignment"][above]
        step: Column = np.where(least < _FAR, least // alignment * alignment, 0)  # case 6
        return step

    def _begin(self, start: int) -> None:
        """The empty segment at this start."""
        image_rows = self._image_rows[start]
        if image_rows > MOST_ROWS:
            return
        heights = heights_tried(image_rows)
        new = slice(self.entries.count, None)
        self.entries.append(len(heights))
        self.entries["start"][new], self.entries["height"][new] = start, heights
        self.entries["image_rows"][new], self.entries["alignment"][new] = image_rows, 1

    def _extend(self, op: Op, rule: RowRule) -> Mask:
        """Adds the op to every segment; says where that can be."""
        read = images_read(self.graph, op)
        usable = np.ones(self.entries.count, dtype=bool)
        for tensor in gates_read(self.graph, op):
            usable &= self._enter_whole(tensor)
        for tensor in read:
            usable &= self._enter(tensor)
        first, *others = (self._of(tensor) for tensor in read)
        low, high = first[_LOW], first[_HIGH]
        for other in others:
            low, high = np.maximum(low, other[_LOW]), np.minimum(high, other[_HIGH])
            usable &= (other[_ALIKE] == first[_ALIKE]).all(axis=0)  # case 2
        rows, scale = first[_ROWS], rule.scale
        whole, result = (rows_of(self.graph.tensors[t]) for t in (read[0], op.outputs[0]))
        made = rule.count(rows)
        usable &= (made > 0) & rule.pads_alike(rows, whole)  # case 3
        usable &= (result - made) * scale.denominator == (whole - rows) * scale.numerator
        low = np.maximum(0, rule.low(low, rows))  # case 4
        high = np.minimum(made, rule.high(high, rows))
        numerator = first[_NUMERATOR] * scale.numerator
        denominator = first[_DENOMINATOR] * scale.denominator
        common = np.gcd(numerator, denominator)
        state = np.stack([made, low, high, numerator // common, denominator // common])
        self._make(op.outputs[0], state)
        return usable

    def _make(self, tensor: int, state: Column) -> None:
        """What the op makes. A band without a right row in it is blocked for all later stops."""
        entries = self.entries
        entries["alignment"] = np.lcm(entries["alignment"], state[_DENOMINATOR])  # case 6
        if tensor in self._leads_out:
            entries["is_blocked"] |= state[_HIGH] <= state[_LOW]
        entries["tensor", tensor] = state
        self._tensors.add(tensor)

    def _enter(self, tensor: int) -> Mask:
        """Gives the tensor its rows where it enters a segment; says where that can be."""
        entries, state = self.entries, self._of(tensor)
        rows, enters = rows_of(self.graph.tensors[tensor]), state[_ROWS] == 0
        part = np.maximum(entries["image_rows"] // rows, 1)
        band = entries["height"] // part
        whole = (part * rows == entries["image_rows"]) & (band * part == entries["height"])
        given = np.stack([band, np.zeros_like(band), band, np.ones_like(band), part])  # case 1
        entries["tensor", tensor] = np.where(enters, given, state)
        entries["alignment"] = np.lcm(entries["alignment"], np.where(enters, part, 1))  # case 6
        usable: Mask = np.where(enters, whole, state[_NUMERATOR] > 0)
        return usable

    def _enter_whole(self, tensor: int) -> Mask:
        """The same for a tensor of one row that is read whole in every band."""
        state = self._of(tensor)
        one, nothing = np.ones((2, self.entries.count), dtype=np.int64) * [[1], [0]]
        given = np.stack([one, nothing, one, nothing, one])  # case 10
        enters = state[_ROWS] == 0
        self.entries["tensor", tensor] = np.where(enters, given, state)
        usable: Mask = enters | (state[_NUMERATOR] == 0)
        return usable

    def _of(self, tensor: int) -> Column:
        if tensor not in self._tensors:
            self._tensors.add(tensor)
            self.entries["tensor", tensor] = np.zeros((5, self.entries.count), dtype=np.int64)
        return self.entries["tensor", tensor]

    def _is_output(self, tensor: int, first: int, stop: int) -> bool:
        """Whether a segment from `first` on, or later, makes it for ops from `stop` on."""
        graph = self.graph
        last = graph.readers.get(tensor, (-1,))[-1]
        return first <= graph.producer[tensor] and (last >= stop or tensor in graph.outputs)

    def _forget(self, op: int) -> None:
        """Drops tensors that no op from this one on needs."""
        for tensor in tuple(self._tensors):
            if self.graph.readers.get(tensor, (-1,))[-1] < op and tensor not in self.outputs:
                self._tensors.remove(tensor)
                self.entries.drop(("tensor", tensor))


def _image_rows(graph: ModelGraph, known: Sequence[RowRule | None]) -> list[int]:
    """Rows of the highest input of the run of ops from each op on that can be in bands."""
    n = len(graph.ops)
    first, begins = np.zeros(n, dtype=np.int64), 0
    for k, rule in enumerate(known):
        begins = k + 1 if rule is None else begins
        first[k] = begins
    highest = np.zeros(n, dtype=np.int64)
    for tensor, readers in graph.readers.items():
        if graph.tensors[tensor].is_activation:
            rows, maker = rows_of(graph.tensors[tensor]), graph.producer.get(tensor, -1)
            for reader in readers:
                starts = slice(max(maker + 1, int(first[reader])), reader + 1)
                highest[starts] = np.maximum(highest[starts], rows)
    found: list[int] = highest.tolist()
    return found


def _leading_out(graph: ModelGraph) -> set[int]:
    """Tensors that results of the model depend on."""
    found = set(graph.outputs)
    for op in reversed(graph.ops):
        if not found.isdisjoint(op.outputs):
            found.update(op.given_inputs)
    return found

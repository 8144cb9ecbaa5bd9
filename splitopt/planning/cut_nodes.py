"""Cuts as the solver numbers them, with those that leave a boundary tensor in place.

A tensor that op c - 1 makes and op c alone reads may stay where it is at the cut between them: the
piece before makes it at the low end of its arena, where that behind reads it, as both arenas begin
at the low end of the region. Nothing is copied, and no other bytes are taken for it.

For the solver, such a cut has two nodes, and between them lies an item of its own, what op c reads.
A cut at the first node parts the maker from the reader, so that the tensor is kept outside of the
arenas; a cut at the second one does not. Every other boundary tensor crosses both or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph
from splitopt.planning.outside import ALL_INSIDE, Outside
from splitopt.planning.segment_bounds import boundaries_of
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.option_pool import Mask, OptionName
from splitopt.solvers.partition.shortest_paths import Column

IN_PLACE = 1 << 26
"""Added to the key of an option that reads a tensor in place, twice that to one that makes it so;
below it lie the keys that pools know."""


class Ends(NamedTuple):
    """Whether a segment reads its input in place, and makes its output so."""

    read: bool = False
    made: bool = False

    @property
    def flags(self) -> int:
        return IN_PLACE * (self.read + 2 * self.made)


def ends_of(key: int) -> Ends:
    """Of the option of that key."""
    flags = key // IN_PLACE
    return Ends(bool(flags & 1), bool(flags & 2))


COPIED = Ends()
LEFT_ENDS = (Ends(True, False), Ends(False, True), Ends(True, True))


@dataclass(frozen=True)
class CutNodes:
    """The nodes of a graph's cuts. `left`: cut → the tensor that may be left in place there, by
    ascending cuts. `outside`: where other boundary tensors lie."""

    graph: ModelGraph
    left: Mapping[int, int]
    outside: Outside = ALL_INSIDE

    @cached_property
    def first(self) -> Column:
        """The node of each cut, 0 to the number of ops, that leaves nothing in place."""
        cuts = np.arange(len(self.graph.ops) + 1)
        return cuts + np.searchsorted(np.array([*self.left], dtype=np.int64), cuts)

    @property
    def items(self) -> int:
        return len(self.graph.ops) + len(self.left)

    @property
    def whole(self) -> tuple[int, int]:
        """The nodes at the ends of the model."""
        return 0, self.items

    def of(self, start: int, stop: int, ends: Ends) -> tuple[int, int]:
        """The nodes of a segment of ops."""
        return int(self.first[start]) + ends.read, int(self.first[stop]) + ends.made

    def segment(self, start: int, stop: int) -> tuple[int, int, Ends]:
        """Its ops [start, stop), from its nodes."""
        cuts = [int(cut) for cut in np.searchsorted(self.first, [start, stop], "right") - 1]
        ends = Ends(int(self.first[cuts[0]]) < start, int(self.first[cuts[1]]) < stop)
        return cuts[0], cuts[1], ends

    def in_ops(self, name: OptionName) -> OptionName:
        """The name of an option by its ops, what it leaves in place in its key."""
        start, stop, ends = self.segment(name[0], name[1])
        return start, stop, name[2] + ends.flags

    def tensors(self, start: int, stop: int, ends: Ends) -> tuple[int, ...]:
        """What a segment of ops reads and makes in place."""
        read = (self.left[start],) if ends.read else ()
        return (*read, self.left[stop]) if ends.made else read

    def offered(self, ends: Ends) -> Mask:
        """Matrix [start, stop] of ops: where both ends may be so. One op reads while it makes."""
        n = len(self.graph.ops) + 1
        is_left = np.isin(np.arange(n), [*self.left])
        mask = np.ones((n, n), dtype=bool)
        if ends.read:
            mask &= is_left[:, None]
        if ends.made:
            mask &= is_left[None, :]
        longer: Mask = np.triu(mask, 1 + (ends.read and ends.made))
        return longer

    @cached_property
    def sizes(self) -> Column:
        """Bytes of what may be left in place at each cut, 0 where nothing may."""
        sizes = np.zeros(len(self.graph.ops) + 1, dtype=np.int64)
        for cut, tensor in self.left.items():
            sizes[cut] = self.graph.tensors[tensor].bytes
        return sizes

    @cached_property
    def held(self) -> Column:
        """The same, rounded up to what boundary tensors take."""
        return align_up(self.sizes, ARENA_ALIGNMENT)

    def held_in_place(self, start: int, stop: int, ends: Ends) -> tuple[int, int]:
        """Of what a segment of ops reads, and makes, the bytes that lie in its arena."""
        return int(self.held[start]) * ends.read, int(self.held[stop]) * ends.made

    @cached_property
    def boundaries(self) -> tuple[Boundary, ...]:
        """The boundary candidates as the solver takes them in the main SRAM, in their order."""
        return tuple(
            replace(
                value,
                first_item=None if maker is None else int(self.first[maker + 1]) - 1,
                readers=tuple(int(self.first[reader]) for reader in value.readers),
            )
            for value in boundaries_of(self.graph, self.outside)
            for maker in [value.first_item]
        )


def left_tensors(graph: ModelGraph) -> dict[int, int]:
    """Cut → the tensor that may be left in place there: the only one that the op behind it reads,
    made by the op before it, read by no other op and no output of the model."""
    found = {}
    for op in graph.ops[1:]:
        read = {tensor for tensor in op.given_inputs if not graph.tensors[tensor].is_constant}
        if len(read) != 1:
            continue
        [tensor] = read
        maker, readers = graph.producer.get(tensor), graph.readers.get(tensor)
        is_between = maker == op.index - 1 and readers == (op.index,)
        if is_between and tensor not in graph.outputs and graph.tensors[tensor].bytes:
            found[op.index] = tensor
    return found

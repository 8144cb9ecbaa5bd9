"""How a piece begins at each inference: built again, or as it was saved at start-up.

Its image is the tail of its arena and its interpreters. One copy of it back takes the place of
construction and AllocateTensors; it lies in a memory beside the main SRAM.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from splitopt.base.units import ARENA_ALIGNMENT, Sizes, align_up
from splitopt.cost.restoring import restore_insn
from splitopt.solvers.dominance import undominated

HEADER_BYTES = 64
"""What the runner keeps at the start of a memory that is written at start-up only: whose images
these are."""

Amounts = npt.NDArray[np.int64]


class Piece(Protocol):
    """Of a piece: what building it takes, and the bytes of its image; 0 where it cannot be
    restored, or is built once anyhow."""

    @property
    def rebuild_insn(self) -> int: ...
    @property
    def image_bytes(self) -> int: ...
    @property
    def is_streamed(self) -> bool: ...


def image_bytes(tail_bytes: Sizes, interpreters_bytes: Sizes | int) -> Sizes:
    """Of a stage, whose interpreters share one allocator."""
    return align_up(tail_bytes, ARENA_ALIGNMENT) + interpreters_bytes


@dataclass(frozen=True, slots=True)
class TailMemory:
    """A memory that may hold images. `bytes`: free for them and for the runner's header.
    `read_cost`: of a byte, relative to the main SRAM."""

    name: str
    bytes: int
    written: Literal["always", "start_up"] = "always"
    read_cost: float = 1.0

    @property
    def first_offset(self) -> int:
        """Where images begin."""
        return HEADER_BYTES if self.written == "start_up" else 0

    @property
    def room_bytes(self) -> int:
        return max(0, self.bytes - self.first_offset)


def restored_insn(piece: Piece, memory: TailMemory) -> int:
    """Of copying the piece's image back."""
    return restore_insn(piece.image_bytes, memory.read_cost, is_streamed=piece.is_streamed)


class Way(NamedTuple):
    """How the pieces of an option begin: each in the memory of that number, None where it is
    rebuilt. `insn` of all; `stored`: bytes in each memory."""

    memories: tuple[int | None, ...]
    insn: int
    stored: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Switching:
    """The ways that a plan may use."""

    memories: tuple[TailMemory, ...] = ()
    may_rebuild: bool = True

    @property
    def rooms(self) -> tuple[int, ...]:
        return tuple(memory.room_bytes for memory in self.memories)

    def least_bound(
        self, rebuild: Amounts, image: Amounts, *, is_streamed: bool = False
    ) -> Amounts:
        """At least what each piece takes, from bounds of building it and of its image, if only
        memories are large enough."""
        if not self.memories:
            return rebuild
        read_cost = min(memory.read_cost for memory in self.memories)
        restore = restore_insn(image, read_cost, is_streamed=is_streamed)
        either = np.minimum(rebuild, restore) if self.may_rebuild else restore
        least: Amounts = np.where(image > 0, either, rebuild)
        return least

    def least_insn(self, pieces: Sequence[Piece]) -> int | None:
        """The same of these pieces together, exactly; None where one has no way."""
        cheapest = self.cheapest(pieces)
        return None if cheapest is None else cheapest.insn

    def cheapest(self, pieces: Sequence[Piece]) -> Way | None:
        """Of each piece the cheapest way, the simplest of equals; None where one has none."""
        found = []
        for piece in pieces:
            own = list(self._ways_of(piece))
            if not own:
                return None
            found.append(min(own, key=lambda way: way[1]))
        return self._together(pieces, found)

    def ways(self, pieces: Sequence[Piece]) -> list[Way]:
        """Those of which no other is cheaper and takes no more of any memory."""
        every = product(*(list(self._ways_of(piece)) for piece in pieces))
        found = (self._together(pieces, way) for way in every)
        return undominated(found, lambda way: (way.insn, *way.stored))

    def fitting_ways(self, pieces: Sequence[Piece]) -> list[Way]:
        """Of each piece in turn, the cheapest way for which the memories still have room; rebuilt
        where there is none."""
        rooms, found = list(self.rooms), []
        for piece in pieces:
            fitting = (
                way
                for way in self.ways([piece])
                if all(own <= room for own, room in zip(way.stored, rooms, strict=True))
            )
            way = min(fitting, key=lambda way: way.insn, default=REBUILT.ways([piece])[0])
            rooms = [room - own for own, room in zip(way.stored, rooms, strict=False)]
            found.append(way)
        return found

    def number(self, way: Way) -> int:
        """Tells apart the ways of one option."""
        number = 0
        for memory in way.memories:
            number = number * (1 + len(self.memories)) + (0 if memory is None else memory + 1)
        return number

    def memories_of(self, number: int, pieces: int) -> tuple[int | None, ...]:
        """The memory of each piece, in the way of that number."""
        found: list[int | None] = []
        for _ in range(pieces):
            number, digit = divmod(number, 1 + len(self.memories))
            found.append(digit - 1 if digit else None)
        return tuple(reversed(found))

    def _ways_of(self, piece: Piece) -> Iterator[tuple[int | None, int]]:
        if self.may_rebuild or not piece.rebuild_insn:
            yield None, piece.rebuild_insn
        if piece.image_bytes:
            for number, memory in enumerate(self.memories):
                yield number, restored_insn(piece, memory)

    def _together(self, pieces: Sequence[Piece], ways: Sequence[tuple[int | None, int]]) -> Way:
        stored = [0] * len(self.memories)
        for piece, (memory, _) in zip(pieces, ways, strict=True):
            if memory is not None:
                stored[memory] += piece.image_bytes
        return Way(tuple(m for m, _ in ways), sum(insn for _, insn in ways), tuple(stored))


REBUILT = Switching()
"""No other way than to build a piece again."""

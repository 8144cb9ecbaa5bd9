"""How a piece begins at each inference: built again, as it was saved at start-up, or as it is.

The image of a piece is the tail of its arena and its interpreters. Restored, it is copied back from
a memory beside the main SRAM, in the place of construction and AllocateTensors. Resident, tail and
interpreters have a place of their own for good, in such a memory or above the region that the rest
of the arena shares with those of others; nothing is copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from splitopt.base.units import ARENA_ALIGNMENT, Sizes, align_up, ceil_div
from splitopt.cost.restoring import restore_insn
from splitopt.planning.outside import ALL_INSIDE, Outside
from splitopt.solvers.dominance import undominated

HEADER_BYTES = 64
"""What the runner keeps at the start of a memory that is written at start-up only: whose images
these are."""

OUTSIDE, INSIDE = 1 << 24, 1 << 25
"""Added to the key of an option all pieces of which are resident: in memories, in the main SRAM."""
_WITHOUT = ~(OUTSIDE | INSIDE)

Amounts = npt.NDArray[np.int64]


class Piece(Protocol):
    """Of a piece: bytes of its arena; what it adds, and of this what building it takes; the bytes
    of its image, 0 where it cannot be restored, or is built once anyhow. Of one that is resident:
    the bytes that it keeps, and those of its tail that Invokes read, each at most once. One that is
    `never_rebuilt`, as it keeps state from one inference to the next or finds its input in its
    arena, is resident, built once or, if it has an image, restored."""

    @property
    def arena_bytes(self) -> int: ...
    @property
    def added_insn(self) -> int: ...
    @property
    def rebuild_insn(self) -> int: ...
    @property
    def image_bytes(self) -> int: ...
    @property
    def kept_bytes(self) -> int: ...
    @property
    def read_bytes(self) -> int: ...
    @property
    def never_rebuilt(self) -> bool: ...
    @property
    def is_streamed(self) -> bool: ...


def image_bytes(tail_bytes: Sizes, interpreters_bytes: Sizes | int) -> Sizes:
    """Of a stage, whose interpreters share one allocator."""
    return align_up(tail_bytes, ARENA_ALIGNMENT) + interpreters_bytes


def without_place(key: Sizes) -> Sizes:
    """The key of an option, whether its pieces are resident or not."""
    return key & _WITHOUT


def place_of(key: int) -> int:
    """OUTSIDE, INSIDE, or 0."""
    return key & ~_WITHOUT


@dataclass(frozen=True, slots=True)
class TailMemory:
    """A memory that may hold images, `saved` ones, or `tails` of resident pieces, too; `boundary`
    tensors, or the model's inputs. `bytes`: free for them and for the runner's header. `read_cost`,
    `write_cost`: of a byte, relative to the main SRAM."""

    name: str
    bytes: int
    written: Literal["always", "start_up"] = "always"
    read_cost: float = 1.0
    saved: bool = True
    tails: bool = False
    boundary: bool = False
    model_input: bool = False
    write_cost: float = 1.0

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


def read_insn(piece: Piece, memory: TailMemory) -> int:
    """What reading a resident piece's tail from there takes more than from the main SRAM: an
    estimate, an instruction a byte."""
    return ceil_div((round(1000 * memory.read_cost) - 1000) * piece.read_bytes, 1000)


class Begin(NamedTuple):
    """How a piece begins: rebuilt, restored from a memory (by number), or resident, there or, where
    it names none, in the main SRAM."""

    memory: int | None = None
    is_resident: bool = False

    @property
    def is_restored(self) -> bool:
        return self.memory is not None and not self.is_resident


class Way(NamedTuple):
    """How the pieces of an option begin, and what they take so: instructions beyond those that they
    add however they begin when not resident; of arenas the largest; bytes in each memory, and for
    good in the main SRAM."""

    begins: tuple[Begin, ...]
    insn: int
    arena_bytes: int
    stored: tuple[int, ...]
    kept_bytes: int = 0

    @property
    def free(self) -> tuple[int, int]:
        """What counts where memories are large enough."""
        return self.arena_bytes, self.insn


class _Own(NamedTuple):
    """A way of a single piece; `bytes` in the place that it names."""

    begin: Begin
    insn: int
    arena_bytes: int
    bytes: int


Choice = tuple[Piece, Piece | None]
"""A piece, and the same one resident; None where it cannot be."""


@dataclass(frozen=True, slots=True)
class Switching:
    """The ways that a plan may use. `may_reside`: pieces may be resident. Either all pieces of an
    option are, and all in the main SRAM or none, or none is. `outside`: where boundary tensors
    lie."""

    memories: tuple[TailMemory, ...] = ()
    may_rebuild: bool = True
    may_reside: bool = False
    outside: Outside = ALL_INSIDE

    @property
    def rooms(self) -> tuple[int, ...]:
        """Of images in each memory."""
        taken = self.outside.least or (0,) * len(self.memories)
        rooms = zip(self.memories, taken, strict=True)
        return tuple(max(0, memory.room_bytes - own) for memory, own in rooms)

    @property
    def outsides(self) -> tuple[Outside, ...]:
        """The places that boundary tensors and inputs may have: first all in the main SRAM; or the
        one that they are given."""
        if self.outside != ALL_INSIDE:
            return (self.outside,)
        numbered = list(enumerate(self.memories))
        boundary = [None, *(number for number, memory in numbered if memory.boundary)]
        inputs = [None, *(number for number, memory in numbered if memory.model_input)]
        return tuple(Outside(*places) for places in product(boundary, inputs))

    def all_inside(self) -> Switching:
        """Boundary tensors and inputs lie in the main SRAM."""
        memories = (replace(own, boundary=False, model_input=False) for own in self.memories)
        return replace(self, memories=tuple(m for m in memories if m.saved or m.tails))

    def without_images(self) -> Switching:
        """Pieces are built again; boundary tensors may lie where they may here."""
        memories = tuple(
            replace(memory, saved=False, tails=False)
            for memory in self.memories
            if memory.boundary or memory.model_input
        )
        return Switching(memories)

    @property
    def may_restore(self) -> bool:
        return any(memory.saved for memory in self.memories)

    @property
    def places(self) -> tuple[int, ...]:
        """What keys of options that are worth a look have added, while memories are large enough
        and nothing is kept in the main SRAM."""
        tails = [memory for memory in self.memories if memory.tails and self.may_reside]
        if not tails:
            return (0,)
        return (OUTSIDE,) if min(m.read_cost for m in tails) == 1.0 else (0, OUTSIDE)

    def least_bound(
        self, rebuild: Amounts, image: Amounts, *, is_streamed: bool = False
    ) -> Amounts:
        """At least what each piece takes that is not resident, from bounds of building it and of
        its image, if only memories are large enough."""
        memories = [memory for memory in self.memories if memory.saved]
        if not memories:
            return rebuild
        read_cost = min(memory.read_cost for memory in memories)
        restore = restore_insn(image, read_cost, is_streamed=is_streamed)
        either = np.minimum(rebuild, restore) if self.may_rebuild else restore
        least: Amounts = np.where(image > 0, either, rebuild)
        return least

    def cheapest(self, choices: Sequence[Choice], place: int = 0) -> Way | None:
        """Of each piece the cheapest way there, the simplest of equals; None where one has none."""
        found = []
        for choice in choices:
            own = list(self._ways_of(choice, place))
            if not own:
                return None
            found.append(min(own, key=lambda way: way.insn))
        return self._together(found)

    def free_ways(self, choices: Sequence[Choice]) -> list[Way]:
        """Those that are not worse than another, while memories are large enough and nothing is
        kept in the main SRAM."""
        found = (self.cheapest(choices, place) for place in (0, OUTSIDE))
        return undominated((way for way in found if way is not None), lambda way: way.free)

    def ways(self, choices: Sequence[Choice], *, inside: bool = False) -> list[Way]:
        """Those of which no other is cheaper and takes no more of any memory. `inside`: kept in the
        main SRAM, too."""
        found = (
            self._together(way)
            for place in (0, OUTSIDE, *([INSIDE] * inside))
            for way in product(*(list(self._ways_of(choice, place)) for choice in choices))
        )
        return undominated(found, lambda way: (*way.free, way.kept_bytes, *way.stored))

    def fitting_ways(self, pieces: Sequence[Piece]) -> list[Way]:
        """Of each piece in turn, the cheapest way for which the memories still have room, none of
        them resident; rebuilt where there is none."""
        rooms, found = list(self.rooms), []
        for piece in pieces:
            fitting = (
                way
                for way in self.ways([(piece, None)])
                if all(own <= room for own, room in zip(way.stored, rooms, strict=True))
            )
            rebuilt = REBUILT.ways([(piece, None)])[0]
            way = min(fitting, key=lambda way: way.insn, default=rebuilt)
            rooms = [room - own for own, room in zip(way.stored, rooms, strict=False)]
            found.append(way)
        return found

    def number(self, way: Way) -> int:
        """Tells apart the ways of one option."""
        number = 0
        for memory, is_resident in way.begins:
            digit = 0 if memory is None else memory + 1
            number = number * self._digits + digit + is_resident * (1 + len(self.memories))
        return number

    def begins_of(self, number: int, pieces: int) -> tuple[Begin, ...]:
        """How each piece begins, in the way of that number."""
        found: list[Begin] = []
        for _ in range(pieces):
            number, digit = divmod(number, self._digits)
            is_resident, memory = divmod(digit, 1 + len(self.memories))
            found.append(Begin(memory - 1 if memory else None, bool(is_resident)))
        return tuple(reversed(found))

    @property
    def _digits(self) -> int:
        return 2 * (1 + len(self.memories))

    def _ways_of(self, choice: Choice, place: int) -> Iterator[_Own]:
        piece, resident = choice
        if place:
            if resident is not None and self.may_reside:
                yield from self._resident_ways(piece, resident, place)
            return
        if not piece.rebuild_insn or (self.may_rebuild and not piece.never_rebuilt):
            yield _Own(Begin(), piece.rebuild_insn, piece.arena_bytes, 0)
        if piece.image_bytes:
            for number, memory in enumerate(self.memories):
                if memory.saved:
                    insn = restored_insn(piece, memory)
                    yield _Own(Begin(number), insn, piece.arena_bytes, piece.image_bytes)

    def _resident_ways(self, piece: Piece, resident: Piece, place: int) -> Iterator[_Own]:
        """What is built once anyhow gains nothing in the main SRAM."""
        spared = piece.added_insn - piece.rebuild_insn
        more = resident.added_insn - resident.rebuild_insn - spared
        arena, kept = resident.arena_bytes, resident.kept_bytes
        if place == INSIDE:
            if piece.rebuild_insn:
                yield _Own(Begin(None, True), more, arena, kept)
            return
        for number, memory in enumerate(self.memories):
            if memory.tails:
                yield _Own(Begin(number, True), more + read_insn(resident, memory), arena, kept)

    def _together(self, ways: Sequence[_Own]) -> Way:
        stored, kept = [0] * len(self.memories), 0
        for way in ways:
            if way.begin.memory is not None:
                stored[way.begin.memory] += way.bytes
            else:
                kept += way.bytes
        return Way(
            begins=tuple(way.begin for way in ways),
            insn=sum(way.insn for way in ways),
            arena_bytes=max(way.arena_bytes for way in ways),
            stored=tuple(stored),
            kept_bytes=kept,
        )


REBUILT = Switching()
"""No other way than to build a piece again."""

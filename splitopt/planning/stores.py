"""Where the images of a plan's pieces lie, saved ones and those of resident pieces: one behind the
other, in the memories beside the main SRAM or above the region that all pieces share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from splitopt.cost.restoring import save_insn
from splitopt.planning.outside_values import LaidOutside
from splitopt.planning.segment import SegmentFigures
from splitopt.planning.split_plan import Kept, Stored, UsedMemory
from splitopt.planning.switching import TailMemory, read_insn, restored_insn


class Stores:
    """The memories, as far as they are filled. `region_bytes`: what all pieces share."""

    def __init__(self, memories: Sequence[TailMemory], region_bytes: int) -> None:
        self._memories, self._inside_end = memories, region_bytes
        self._ends = [memory.first_offset for memory in memories]
        self._boundary: dict[int, LaidOutside] = {}

    def keep(self, number: int | None, piece: SegmentFigures) -> Kept:
        """What a resident piece keeps, in the memory of that number or in the main SRAM."""
        insn, name, offset = 0, None, self._inside_end
        if number is None:
            self._inside_end += piece.kept_bytes
        else:
            memory = self._memories[number]
            insn, name, offset = read_insn(piece, memory), memory.name, self._ends[number]
            self._ends[number] += piece.kept_bytes
        return Kept(
            memory=name,
            offset=offset,
            bytes=piece.kept_bytes,
            persistent_bytes=piece.persistent_bytes,
            first_insn=piece.rebuild_insn,
            insn=insn,
        )

    def put(self, number: int | None, piece: SegmentFigures) -> Stored:
        """The piece's image in the memory of that number."""
        assert number is not None, "an image is saved elsewhere"
        memory, image = self._memories[number], piece.image_bytes
        stored = Stored(
            memory=memory.name,
            offset=self._ends[number],
            bytes=image,
            insn=restored_insn(piece, memory),
            first_insn=piece.rebuild_insn + save_insn(image),
        )
        self._ends[number] += image
        return stored

    def lay(self, laid_out: Mapping[int, LaidOutside]) -> dict[int, int]:
        """Boundary tensors, by the number of their memory, behind all images: where they begin."""
        starts = {number: self._ends[number] for number in laid_out}
        for number, own in laid_out.items():
            self._boundary[number] = own
            self._ends[number] += own.layout.region_bytes
        return starts

    @property
    def used(self) -> tuple[UsedMemory, ...]:
        """All of them; one that holds no image is not used."""
        return tuple(
            UsedMemory(
                name=memory.name,
                bytes=memory.bytes,
                used_bytes=end if end > memory.first_offset else 0,
                written=memory.written,
                **self._boundary_of(number),
            )
            for number, (memory, end) in enumerate(zip(self._memories, self._ends, strict=True))
        )

    def _boundary_of(self, number: int) -> dict[str, int]:
        own = self._boundary.get(number)
        if own is None:
            return {}
        return {"boundary_bytes": own.layout.region_bytes, "load_bytes": own.load_bytes}

"""Where the images of a plan's pieces lie in the memories beside the main SRAM: one behind the
other."""

from __future__ import annotations

from collections.abc import Sequence

from splitopt.cost.restoring import save_insn
from splitopt.planning.segment import SegmentFigures
from splitopt.planning.split_plan import Stored, UsedMemory
from splitopt.planning.switching import TailMemory, restored_insn


class Stores:
    """The memories, as far as they are filled."""

    def __init__(self, memories: Sequence[TailMemory]) -> None:
        self._memories = memories
        self._ends = [memory.first_offset for memory in memories]

    def put(self, number: int, piece: SegmentFigures) -> Stored:
        """The piece's image in the memory of that number."""
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

    @property
    def used(self) -> tuple[UsedMemory, ...]:
        """All of them; one that holds no image is not used."""
        return tuple(
            UsedMemory(
                name=memory.name,
                bytes=memory.bytes,
                used_bytes=end if end > memory.first_offset else 0,
                written=memory.written,
            )
            for memory, end in zip(self._memories, self._ends, strict=True)
        )

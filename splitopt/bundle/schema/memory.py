"""memory.json: which buffer lies where in RAM, and when.

Steps are TFLM's: step 0 has the inputs of the model or piece, op k of it runs at step k + 1.
Offsets are in bytes from the low end of the arena; of boundary tensors and of the arena itself,
from that of the region.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from splitopt.bundle.schema.common import MOST_OPS, Count, Document, Index, Line, Op, Shape, Text

_MOST_BUFFERS = 20 * MOST_OPS


class Buffer(Shape):
    """Alive in steps [start, stop). `op` is that of a scratch buffer, `tensor` that of a tensor;
    `lines`: the line buffer of a stream, which holds some rows of the tensor."""

    kind: Literal["tensor", "scratch", "lines"]
    tensor: Index | None
    op: Index | None = None
    name: Text
    offset: Count
    size: Count
    start: Op
    stop: Annotated[int, Field(ge=0, le=2 * MOST_OPS)]


class Placed(Shape):
    """A boundary tensor in the region. `in_place`: in the arena, where one of its buffers is."""

    tensor: Index
    offset: Count
    size: Count
    in_place: bool = False


class Band(Shape):
    """Bytes [start, stop) of a boundary tensor that execution `number` copies in, or keeps."""

    tensor: Index
    number: Op
    start: Count
    stop: Count
    reads: bool


class Kept(Shape):
    """What a resident piece keeps for good in the region."""

    piece: Op
    offset: Count
    size: Count


class ArenaMap(Shape):
    """One arena. `arena_bytes` is what the runner grants, headroom included; the tail ends there,
    or `interpreters_bytes` below, where the interpreters of a stream's further groups begin. Of a
    resident piece, there is no tail in it. `kept`: of all resident pieces.

    `index`: of the piece; None for the unsplit model.
    """

    index: Op | None = None
    ops: Annotated[tuple[Op, ...], Field(min_length=1, max_length=MOST_OPS)]
    arena_offset: Count = 0
    bands: Annotated[tuple[Band, ...], Field(max_length=_MOST_BUFFERS)] = ()
    arena_bytes: Count
    interpreters_bytes: Count = 0
    arena_min_bytes: Count | None = None
    head_bytes: Count
    peak_load_bytes: Count
    fragmentation_bytes: Count
    tail_bytes: Count
    temporary_bytes: Count | None = None
    tail_by_category: dict[Line, Count]
    buffers: Annotated[tuple[Buffer, ...], Field(max_length=_MOST_BUFFERS)]
    boundary: tuple[Placed, ...]
    kept: Annotated[tuple[Kept, ...], Field(max_length=MOST_OPS)] = ()

    @property
    def tail_stop(self) -> int:
        """Where the tail ends, from the low end of the arena."""
        return self.arena_bytes - self.interpreters_bytes

    @property
    def steps(self) -> int:
        return max([len(self.ops) + 1, *(buffer.stop for buffer in self.buffers)])


class Memory(Document):
    """memory.json: the unsplit model, and each piece."""

    region_bytes: Count
    unsplit: ArenaMap
    segments: Annotated[tuple[ArenaMap, ...], Field(min_length=1, max_length=MOST_OPS)]

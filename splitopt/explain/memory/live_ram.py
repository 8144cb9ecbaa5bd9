"""Where the RAM of the unsplit model goes: parts that add up to what the runner grants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from splitopt.arena.replay import Arena, PlannedBuffer


@dataclass(frozen=True)
class RamPart:
    """One part. `code` is stable, for programs."""

    code: str
    name: str
    size_bytes: int


@dataclass(frozen=True)
class Ram:
    """The unsplit model's RAM. `ram_bytes`: the minimum arena rounded up to 16, and headroom.

    `arena_used_bytes` is TFLM's own figure, which can be too small for an arena.
    `temporary_bytes`: how far up temporary data reach while AllocateTensors runs, from the low end.
    `parts` add up to `ram_bytes`.
    """

    ram_bytes: int
    head_bytes: int
    peak_load_bytes: int
    fragmentation_bytes: int
    tail_bytes: int
    temporary_bytes: int
    arena_used_bytes: int
    arena_min_bytes: int
    headroom_bytes: int
    tail_by_category: tuple[RamPart, ...]
    parts: tuple[RamPart, ...]
    estimates: tuple[str, ...]

    @property
    def too_small_bytes(self) -> int:
        """What an arena of `arena_used_bytes` would lack."""
        return self.arena_min_bytes - self.arena_used_bytes


def ram_of(arena: Arena, headroom_bytes: int) -> Ram:
    tail = tuple(
        RamPart(f"tail_{name.replace(' ', '_')}", f"tail: {name}", size)
        for name, size in arena.tail_by_category
        if size
    )
    parts = (
        RamPart("peak_load", "head: alive at once", arena.peak_load_bytes),
        RamPart("fragmentation", "head: holes that the planner leaves", arena.fragmentation_bytes),
        *tail,
        RamPart(
            "preparation",
            "gaps and temporary data beyond head and tail",
            arena.minimum_bytes - arena.used_bytes,
        ),
        RamPart("rounding", "rounding up to 16", arena.size_bytes - arena.minimum_bytes),
        RamPart("headroom", "the board's headroom", headroom_bytes),
    )
    return Ram(
        ram_bytes=arena.size_bytes + headroom_bytes,
        head_bytes=arena.head_bytes,
        peak_load_bytes=arena.peak_load_bytes,
        fragmentation_bytes=arena.fragmentation_bytes,
        tail_bytes=arena.tail_bytes,
        temporary_bytes=arena.temporary_bytes,
        arena_used_bytes=arena.used_bytes,
        arena_min_bytes=arena.minimum_bytes,
        headroom_bytes=headroom_bytes,
        tail_by_category=tail,
        parts=parts,
        estimates=arena.estimates,
    )


def load_by_op(buffers: Sequence[PlannedBuffer], ops: int) -> tuple[int, ...]:
    """Bytes alive in the head while each op runs. Op k runs at TFLM's step k + 1."""
    lives = [(b.size_bytes, b.live.start, b.live.stop) for b in buffers]
    return tuple(sum(size for size, a, z in lives if a <= k + 1 < z) for k in range(ops))

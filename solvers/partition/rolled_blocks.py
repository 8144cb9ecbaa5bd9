"""Arenas and boundary values that rolled segments place in one region, and their distances.

Every two blocks that live at the same time have a distance that each must keep above the other: of
most pairs, that is the size of the lower one. Of a rolled pair, what is read begins only the lead
above what is made; and nothing may lie below an arena that is at the low end. So a block finds an
interval of offsets forbidden by every other that is placed.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

from splitopt.solvers.packing.instance import LiveRange
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.kept import Kept

FAR = 1 << 60
"""More than any region."""


@dataclass(frozen=True)
class Block:
    """An arena or a kept value: `size` bytes in the half-steps `live`. `low`: at the low end of
    the region."""

    size: int
    live: LiveRange
    low: bool = False


@dataclass(frozen=True)
class Blocks:
    """All blocks of some chosen segments: their arenas, then the values. `rolls`: the numbers of
    the block that is read and of the one that is made, with their lead."""

    blocks: tuple[Block, ...]
    rolls: tuple[tuple[tuple[int, int], int], ...]

    @cached_property
    def leads(self) -> Mapping[tuple[int, int], int]:
        return dict(self.rolls)

    @cached_property
    def beside(self) -> tuple[tuple[int, ...], ...]:
        """For each block of some size, the others that live when it does."""
        real = [i for i, block in enumerate(self.blocks) if block.size]
        found: list[tuple[int, ...]] = [()] * len(self.blocks)
        for i in real:
            live = self.blocks[i].live
            found[i] = tuple(j for j in real if j != i and self.blocks[j].live.overlaps(live))
        return tuple(found)

    def above(self, low: int, high: int) -> int:
        """How far `high` begins above `low`, where it does not lie below it."""
        if self.blocks[high].low:
            return FAR
        return self.leads.get((high, low), self.blocks[low].size)

    def top(self, offsets: Sequence[int]) -> int:
        return max(offset + b.size for offset, b in zip(offsets, self.blocks, strict=True))

    @cached_property
    def load(self) -> int:
        """The most that is alive in one half-step, less what rolled pairs of it save."""
        return max(self.stacked(alive) for alive in self.alive)

    @cached_property
    def alive(self) -> tuple[frozenset[int], ...]:
        """The blocks of each half-step."""
        steps = range(max(block.live.stop for block in self.blocks))
        lives = [block.live for block in self.blocks]
        return tuple(
            frozenset(i for i, live in enumerate(lives) if live.start <= step < live.stop)
            for step in steps
        )

    def stacked(self, together: Set[int]) -> int:
        """What blocks that live at the same time take at least, whatever their order."""
        sizes = {i: self.blocks[i].size for i in together}
        saved = (
            sizes[read] + sizes[made] - max(lead + sizes[read], sizes[made])
            for (read, made), lead in self.leads.items()
            if read in sizes and made in sizes
        )
        return sum(sizes.values()) - sum(saved)

    def forbidden(self, block: int, placed: Mapping[int, int]) -> list[tuple[int, int]]:
        """Open intervals of offsets at which it comes too near to one that is placed, rising."""
        near = ((j, placed[j]) for j in self.beside[block] if j in placed)
        return sorted((x - self.above(block, j), x + self.above(j, block)) for j, x in near)


def blocks_of(options: Sequence[Option], kept: Sequence[Kept]) -> Blocks:
    """The arenas of the options and the values that they keep."""
    number = {value.boundary: len(options) + k for k, value in enumerate(kept)}
    arenas = (
        Block(option.arena_bytes, LiveRange(2 * k, 2 * k + 2), option.low)
        for k, option in enumerate(options)
    )
    leads = {
        (number[roll.read], number[roll.made]): roll.lead
        for option in options
        for roll in option.rolls
    }
    values = (Block(value.size, value.live) for value in kept)
    return Blocks((*arenas, *values), tuple(sorted(leads.items())))

"""The smallest region of a few blocks that keep distances from one another, by branching.

In any layout, blocks can sink until each lies on the ground or at its distance above another one.
So they are placed by rising offset, each as low as those that are placed allow. A branch is left
where what is alive in some half-step, or a block by itself, ends no lower than the best layout.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from splitopt.solvers.partition.rolled_blocks import Blocks

MOST_BLOCKS, MOST_NODES = 9, 300
"""With more, CP-SAT is quicker."""


@dataclass(frozen=True)
class Found:
    """Offsets below the region that was asked for, None where the search met none; whether it
    looked at all that could be better."""

    offsets: list[int] | None
    is_complete: bool


def lowest(blocks: Blocks, below: int, enough: int, most_nodes: int = MOST_NODES) -> Found:
    """The lowest layout that ends under `below`; the first one of at most `enough` will do."""
    search = _Search(blocks, below, enough, most_nodes)
    is_complete = search.run()
    return Found(search.offsets, is_complete)


class _Search:
    def __init__(self, blocks: Blocks, below: int, enough: int, most_nodes: int) -> None:
        self.offsets: list[int] | None = None
        self._blocks, self._top, self._enough = blocks, below, enough
        self._nodes = most_nodes
        self._sizes = [block.size for block in blocks.blocks]
        self._at: dict[int, int] = {}
        self._left = {i for i, size in enumerate(self._sizes) if size}
        self._steps = list(blocks.alive)

    def run(self) -> bool:
        """Whether nothing better was left out."""
        return self._place([0] * len(self._sizes), -1, 0)

    def _place(self, lows: Sequence[int], last: int, floor: int) -> bool:
        """Every order of what is left, of which none may lie below `floor`."""
        if not self._left:
            self._top = max(x + self._sizes[i] for i, x in self._at.items())
            self.offsets = [self._at.get(i, 0) for i in range(len(self._sizes))]
            return True
        if self._least_top(lows, floor) >= self._top:
            return True
        for block in sorted(self._left, key=lambda i: (lows[i], -self._sizes[i])):
            place = lows[block]
            if place < floor or self._comes_sooner(block, place, last, floor):
                continue
            if not self._nodes:
                return False
            self._nodes -= 1
            if not self._with(block, place, lows):
                return False
            if self._top <= self._enough:
                return True
        return True

    def _comes_sooner(self, block: int, place: int, last: int, floor: int) -> bool:
        """Whether the two last blocks may as well come in the other order, which is looked at."""
        return place == floor and block < last and block not in self._blocks.beside[last]

    def _with(self, block: int, place: int, lows: Sequence[int]) -> bool:
        raised = list(lows)
        for other in self._blocks.beside[block]:
            raised[other] = max(raised[other], place + self._blocks.above(block, other))
        self._at[block] = place
        self._left.discard(block)
        is_complete = self._place(raised, block, place)
        self._left.add(block)
        del self._at[block]
        return is_complete

    def _least_top(self, lows: Sequence[int], floor: int) -> int:
        """Where the highest block ends at least."""
        return max(self._ends(lows, floor))

    def _ends(self, lows: Sequence[int], floor: int) -> Iterator[int]:
        yield max(x + self._sizes[i] for i, x in self._at.items()) if self._at else 0
        for alive in self._steps:
            left = alive & self._left
            if left:
                lowest = max(floor, min(lows[i] for i in left))
                yield lowest + self._blocks.stacked(left)
        yield max(max(floor, lows[i]) + self._sizes[i] for i in self._left)

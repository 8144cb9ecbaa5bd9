"""Lays out segments of which some roll their ends: arenas and boundary values in one region.

First fit in several orders gives a plan. Whether the load can be reached is asked of a short
search, which moves arenas, too: blocks segment by segment, each where it touches another or an end
of the region. CP-SAT decides what is left open.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.kept import Kept, LaidOut, placements_of
from splitopt.solvers.partition.plan import Layout
from splitopt.solvers.partition.rolled_blocks import Block, Blocks, blocks_of

_MOST_NODES = 2_000
"""Of the short search: most layouts that reach the load are found within a tenth of it."""


def lay_out_rolled(options: Sequence[Option], kept: Sequence[Kept], params: SolveParams) -> LaidOut:
    """The smallest region for options of which some roll, or the best one that time allowed."""
    deadline = Deadline(params.time_limit_s)
    blocks = blocks_of(options, kept)
    offsets: Sequence[int] = min(
        (_first_fit(blocks, order) for order in _orders(blocks)), key=blocks.top
    )
    bound = blocks.load
    if blocks.top(offsets) > bound:
        offsets = _within(blocks, bound) or offsets
    if blocks.top(offsets) > bound or not params.cheap_proofs:
        from splitopt.solvers.partition import rolled_cpsat  # loads OR-tools

        offsets, bound = rolled_cpsat.improve(blocks, offsets, bound, params, deadline)
    count = len(options)
    placements = placements_of(kept, offsets[count:])
    return LaidOut(Layout(blocks.top(offsets), placements, tuple(offsets[:count])), bound)


def _orders(blocks: Blocks) -> Iterator[list[int]]:
    """Arenas first, then values: by life, by size, by start, by end."""
    keys: tuple[Callable[[Block], tuple[int, ...]], ...] = (
        lambda b: (b.live.start - b.live.stop, -b.size),
        lambda b: (-b.size,),
        lambda b: (b.live.start, -b.live.stop),
        lambda b: (-b.live.stop, b.live.start),
    )
    for key in keys:
        yield sorted(range(len(blocks.blocks)), key=lambda i: key(blocks.blocks[i]))


def _first_fit(blocks: Blocks, order: Sequence[int]) -> list[int]:
    """Each block of the order at its lowest place."""
    placed: dict[int, int] = {}
    for block in order:
        low = 0
        for start, stop in blocks.forbidden(block, placed):
            if start < low < stop:
                low = stop
        placed[block] = low
    return [placed[block] for block in range(len(blocks.blocks))]


def _within(blocks: Blocks, region: int) -> list[int] | None:
    """Places in a region of that size; None where a short search finds none."""
    order = sorted(
        (i for i, block in enumerate(blocks.blocks) if block.size),
        key=lambda i: (blocks.blocks[i].live.start // 2, -blocks.blocks[i].live.stop, -i),
    )
    placed: dict[int, int] = {}
    nodes = iter(range(_MOST_NODES))

    def settle(at: int) -> bool:
        if at == len(order):
            return True
        block = order[at]
        for place in _touching(blocks, block, placed, region):
            if next(nodes, None) is None:
                return False
            placed[block] = place
            if settle(at + 1):
                return True
            del placed[block]
            if placed.keys() >= set(blocks.beside[block]):
                break  # nothing later lies beside it, so its place does not matter
        return False

    found = settle(0)
    return [placed.get(i, 0) for i in range(len(blocks.blocks))] if found else None


def _touching(blocks: Blocks, block: int, placed: Mapping[int, int], region: int) -> Iterator[int]:
    """Where the block touches an end or another one: by turns from the high and the low end."""
    most = region - blocks.blocks[block].size
    forbidden = blocks.forbidden(block, placed)
    places = {0, most, *(place for interval in forbidden for place in interval)}
    free = sorted(
        place
        for place in places
        if 0 <= place <= most and not any(start < place < stop for start, stop in forbidden)
    )
    while free:
        yield free.pop()
        if free:
            yield free.pop(0)

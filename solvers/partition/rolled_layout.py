"""Lays out segments of which some roll their ends: arenas and boundary values in one region.

First fit in several orders gives a plan. Whether the load can be reached is asked of a short
search, which moves arenas, too: blocks segment by segment, each where it touches another or an end
of the region. What is left open is decided by branching where blocks are few, by CP-SAT
otherwise.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.kept import Kept, LaidOut, placements_of
from splitopt.solvers.partition.plan import Layout
from splitopt.solvers.partition.rolled_blocks import Block, Blocks, blocks_of
from splitopt.solvers.partition.rolled_search import MOST_BLOCKS, lowest

_MOST_NODES = 2_000
"""Of the short search: most layouts that reach the load are found within a tenth of it."""


def lay_out_rolled(
    options: Sequence[Option], kept: Sequence[Kept], params: SolveParams, enough: int | None = None
) -> LaidOut:
    """The smallest region for options of which some roll, or the best one that time allowed.

    `enough`: a region of at most that many bytes need not be the smallest one; nor need the bound
    be the best where it is above.
    """
    blocks = blocks_of(options, kept)
    known = _known(blocks, enough, replace(params, time_limit_s=1.0))
    if not known:
        offsets, bound = _offsets(blocks, params, enough)
        if blocks.top(offsets) > (bound if enough is None else enough) >= bound:
            return _laid_out(blocks, kept, offsets, bound)  # not decided in time
        known.append((offsets, bound))
    return _laid_out(blocks, kept, *known[0])


@lru_cache(maxsize=4096)
def _known(
    blocks: Blocks, enough: int | None, params: SolveParams
) -> list[tuple[Sequence[int], int]]:
    """Holds what was decided once: solvers ask for the same few segments again and again."""
    return []


def _laid_out(blocks: Blocks, kept: Sequence[Kept], offsets: Sequence[int], bound: int) -> LaidOut:
    count = len(blocks.blocks) - len(kept)
    placements = placements_of(kept, offsets[count:])
    return LaidOut(Layout(blocks.top(offsets), placements, tuple(offsets[:count])), bound)


def _offsets(blocks: Blocks, params: SolveParams, enough: int | None) -> tuple[Sequence[int], int]:
    """(offsets, proved bound)."""
    deadline = Deadline(params.time_limit_s)
    offsets: Sequence[int] = _best_fit(blocks)
    bound = blocks.load
    aim = bound if enough is None else max(bound, enough)
    if blocks.top(offsets) > aim:
        offsets = _within(blocks, aim) or offsets
    is_asked = enough is None or bound <= enough
    if is_asked and (blocks.top(offsets) > aim or not params.cheap_proofs):
        return _improved(blocks, offsets, enough, params, deadline)
    return offsets, bound


def _improved(
    blocks: Blocks,
    known: Sequence[int],
    enough: int | None,
    params: SolveParams,
    deadline: Deadline,
) -> tuple[Sequence[int], int]:
    """(offsets, proved bound) by a search that decides, and stops where `enough` is reached."""
    few = sum(block.size > 0 for block in blocks.blocks) <= MOST_BLOCKS
    if few and params.cheap_proofs and not deadline.is_over:
        below = blocks.top(known) if enough is None else enough + 1
        found = lowest(blocks, below, blocks.load if enough is None else enough)
        known = found.offsets or known
        if found.is_complete and enough is None:
            return known, blocks.top(known)
        if found.is_complete:
            return known, blocks.load if found.offsets else below
    from splitopt.solvers.partition import rolled_cpsat  # loads OR-tools

    if enough is not None:
        return rolled_cpsat.within(blocks, known, enough, params, deadline)
    return rolled_cpsat.improve(blocks, known, blocks.load, params, deadline)


def first_fit(options: Sequence[Option], kept: Sequence[Kept]) -> Layout:
    """The best layout that placing block by block gives, in several orders."""
    blocks = blocks_of(options, kept)
    return _laid_out(blocks, kept, _best_fit(blocks), blocks.load).layout


def _best_fit(blocks: Blocks) -> list[int]:
    return min((_first_fit(blocks, order) for order in _orders(blocks)), key=blocks.top)


def _orders(blocks: Blocks) -> Iterator[list[int]]:
    """What lies at the low end, then the rest: by life, by size, by start, by end."""
    keys: tuple[Callable[[Block], tuple[int, ...]], ...] = (
        lambda b: (b.live.start - b.live.stop, -b.size),
        lambda b: (-b.size,),
        lambda b: (b.live.start, -b.live.stop),
        lambda b: (-b.live.stop, b.live.start),
    )
    for key in keys:
        yield sorted(
            range(len(blocks.blocks)),
            key=lambda i: (not blocks.blocks[i].low, key(blocks.blocks[i])),
        )


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
    most = 0 if blocks.blocks[block].low else region - blocks.blocks[block].size
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

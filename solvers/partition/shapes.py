"""Which segments of a plan are looked at first where it may not fit: those that need most, and
those of which a conflict spoke of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.conflicts import is_part
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.stand_ins import (
    BEGINS,
    ENDS,
    gap,
    is_easier_than_all,
    is_gap,
    is_stand_in,
    with_arena,
)

Shape = tuple[Option, ...]
"""Options and stand-ins with no arena, gaps aside."""


def shape_of(options: Sequence[Option]) -> Shape:
    return tuple(
        with_arena(own, 0) if is_stand_in(own) else Option(own.start, own.stop, 0, 0)
        for own in options
        if not is_gap(own)
    )


def shaped(options: Sequence[Option], shape: Shape) -> list[Option]:
    """Those that share items with a shape, and gaps between them; at its ends what its stand-ins
    stand for, with the largest arena. Empty where there is none of that."""
    first, last = shape[0], shape[-1]
    start = first.stop if is_stand_in(first) else 0
    stop = last.start if is_stand_in(last) else options[-1].stop
    cuts = {0, *(option.stop for option in options)}
    if not {start, stop} <= cuts:
        return []
    found = _stand_in(options, first, BEGINS)
    for option in (own for own in options if start <= own.start and own.stop <= stop):
        if any(option.start < own.stop and own.start < option.stop for own in shape):
            found.append(option)
        elif found:
            some = [found.pop()] if is_gap(found[-1]) else []
            found.append(gap([*some, option]))
    found += _stand_in(options, last, ENDS)
    while found and is_gap(found[-1]):
        found.pop()
    return found


def _stand_in(options: Sequence[Option], own: Option, role: int) -> list[Option]:
    if not is_stand_in(own):
        return []
    arenas = [it.arena_bytes for it in options if is_part(it, own, role)]
    return [with_arena(own, max(arenas))] if arenas else []


def relaxed(
    options: Sequence[Option], rams: Sequence[int], boundaries: Sequence[Boundary]
) -> Iterator[list[Option]]:
    """These options with gaps in the place of all but some that need most; then of fewer."""
    by_ram, count = sorted(range(len(options)), key=lambda k: -rams[k]), 2
    while count <= len(options):
        kept = set(by_ram[:count])
        run = list[Option]()
        for k in range(min(kept), max(kept) + 1):
            if k in kept:
                run.append(options[k])
            else:
                before = [run.pop()] if is_gap(run[-1]) else []
                run.append(gap([*before, options[k]]))
        if all(is_easier_than_all(own, boundaries) for own in run if is_gap(own)):
            yield run
        count = min(count + (count + 1) // 2, max(len(options), count + 1))

"""Which segments of a plan are looked at first where it may not fit: those that need most, and
those of which a conflict spoke of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.stand_ins import (
    gap,
    is_easier_than_all,
    is_gap,
)

Shape = tuple[tuple[int, int], ...]
"""Gaps aside."""


def shape_of(options: Sequence[Option]) -> Shape:
    return tuple((own.start, own.stop) for own in options if not is_gap(own))


def shaped(options: Sequence[Option], shape: Shape) -> list[Option]:
    """Those that share items with a shape, and gaps between them."""
    found = list[Option]()
    for option in options:
        if any(option.start < stop and start < option.stop for start, stop in shape):
            found.append(option)
        elif found:
            some = [found.pop()] if is_gap(found[-1]) else []
            found.append(gap([*some, option]))
    while found and is_gap(found[-1]):
        found.pop()
    return found


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

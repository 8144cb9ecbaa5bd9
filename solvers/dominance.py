"""The Pareto filter: what is left when everything that something else dominates is dropped."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def undominated(items: Iterable[T], measures: Callable[[T], tuple[int, ...]]) -> list[T]:
    """The items that no other one dominates, by rising measures; all measures are minimised.

    Of items that are equal in all measures, the first stays.
    """
    kept: list[T] = []
    front: list[tuple[int, ...]] = []
    for item in sorted(items, key=measures):
        mine = measures(item)
        # Those before are no worse in the first measure. With two measures, the last one kept has
        # the lowest second one so far: if it does not dominate, none does.
        rivals = front[-1:] if len(mine) == 2 else front
        if not any(all(a <= b for a, b in zip(rival, mine, strict=True)) for rival in rivals):
            kept.append(item)
            front.append(mine)
    return kept

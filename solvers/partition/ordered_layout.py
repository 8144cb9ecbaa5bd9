"""A small region for chosen segments: the most promising orders of their blocks."""

from __future__ import annotations

from dataclasses import dataclass

from splitopt.solvers.dominance import undominated
from splitopt.solvers.partition.orders import Orders, State
from splitopt.solvers.partition.plan import Layout

_WIDTH = 8
"""Orders of the first segments of a choice that are followed, and four times as many compared."""


@dataclass(frozen=True, slots=True)
class Start:
    """An order of the first segments of a choice, and what it asks of the values alive behind."""

    region: int
    state: State
    places: tuple[tuple[int, ...], ...]

    @property
    def promise(self) -> tuple[int, int]:
        return self.region, sum(by for by in self.state if by > 0)

    @property
    def asked(self) -> tuple[int, ...]:
        return (self.region, *self.state)


class OrderedLayouts:
    """Lays choices out, each start that several have in common once."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._starts: dict[tuple[int, ...], list[Start]] = {(): [Start(0, (), ())]}

    def small(self, numbers: tuple[int, ...]) -> Start:
        """Of the options of these numbers, from the first item on."""
        return min(self._of(numbers), key=lambda start: start.region)

    def layout(self, numbers: tuple[int, ...], start: Start) -> Layout:
        return self._orders.layout(numbers, start.places)

    def _of(self, numbers: tuple[int, ...]) -> list[Start]:
        if numbers not in self._starts:
            starts, number = self._of(numbers[:-1]), numbers[-1]
            behind = self._orders.ways(number, (start.state for start in starts))
            longer = [
                Start(max(start.region, way.region), way.state, (*start.places, way.places))
                for start, ways in zip(starts, behind, strict=True)
                for way in ways
            ]
            longer.sort(key=lambda start: start.promise)
            found = undominated(longer[: 4 * _WIDTH], lambda start: start.asked)
            self._starts[numbers] = found[:_WIDTH]
        return self._starts[numbers]

"""Axes: round ticks, places of values, and labels that keep their distance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

KIB = 1024


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` onto places from `start` to `stop`."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1)
        return self.start + share * (self.stop - self.start)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values (1, 2 or 5 times a power of ten apart) within the range."""
    if high <= low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def kib_ticks(low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    """Bytes with their label in KiB."""
    return [(tick * KIB, f"{tick:,.10g}") for tick in ticks(low / KIB, high / KIB, most)]


def spread(places: Sequence[float], apart: float) -> list[float]:
    """Places in their order, moved as little as a greedy pass does so that none are too close."""
    order = sorted(range(len(places)), key=lambda k: places[k])
    moved = [float(place) for place in places]
    for before, here in pairwise(order):
        moved[here] = max(moved[here], moved[before] + apart)
    return moved


def every(count: int, room: float, least: float) -> int:
    """The n for which every n-th of `count` labels fits in `room`, at least `least` apart."""
    return max(1, math.ceil(count * least / room)) if room > 0 else max(count, 1)

"""What planning did not look at when its time was over, or when it was interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from splitopt.planning.segment_options import SegmentTable
from splitopt.solvers.interrupt import is_asked_to_stop

Cause = Literal["time_limit", "interrupt"]


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Counts over one table, which several questions may have shared.

    `segments_without_bands`: how many of its segments were not searched for bands, or not to the
    end. `options`: those that fit the budget by their bounds. `bounded_options`: how many of these
    have no exact figures. `unproved_bytes`: how far an offline plan may lie above the best one.
    """

    cause: Cause
    segments: int
    segments_without_bands: int
    options: int
    bounded_options: int
    unproved_bytes: int


def unfinished(table: SegmentTable, capacity: int | None) -> Unfinished:
    """What is not known of a table on which a plan was found, but not proved to be the best."""
    n, bounds = len(table.graph.ops), table.bounded
    names: list[tuple[int, int, int]] = []
    if bounds is not None:
        fitting = bounds if capacity is None else bounds.where(bounds.ram <= capacity)
        columns = fitting.starts, fitting.stops, fitting.variants
        names = list(zip(*(column.tolist() for column in columns), strict=True))
    return Unfinished(
        cause="interrupt" if is_asked_to_stop() else "time_limit",
        segments=n * (n + 1) // 2,
        segments_without_bands=table.bands.unreached if table.techniques.bands else 0,
        options=len(names),
        bounded_options=sum(not table.is_priced(*name) for name in names),
        unproved_bytes=table.unproved_bytes,
    )

"""What planning did not look at: its time was over, its tables were full, or it was interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from splitopt.planning.segment import STREAMED
from splitopt.planning.segment_options import SegmentTable
from splitopt.solvers.interrupt import is_asked_to_stop

Cause = Literal["time_limit", "interrupt", "memory", "places"]
"""`places`: fronts are not proved where memories are too small for all that plans put into them."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Counts over one table, which several questions may have shared.

    `segments_without_bands`: how many of its segments were not searched for bands, or not to the
    end. `options`: those that fit the budget by their bounds, as TFLM plans their pieces or row by
    row. `bounded_options`: how many of these have no exact figures. `unproved_bytes`: how far an
    offline plan may lie above the best one.
    """

    cause: Cause
    segments: int
    segments_without_bands: int
    options: int
    bounded_options: int
    unproved_bytes: int


def unfinished(
    table: SegmentTable, capacity: int | None, *, cause: Cause | None = None
) -> Unfinished:
    """What is not known of a table on which a plan was found, but not proved to be the best.
    `cause`: where it is not that of the table."""
    n = len(table.graph.ops)
    fitting = is_exact = np.zeros(0, dtype=bool)
    if table.last_pool is not None:
        _, pool = table.last_pool
        fitting, is_exact = (pool.keys % 2 == 0) | (pool.keys >= STREAMED), pool.is_exact
        if capacity is not None:
            fitting &= pool.ram <= capacity
    return Unfinished(
        cause=cause or cause_of(table),
        segments=n * (n + 1) // 2,
        segments_without_bands=table.bands.unreached if table.techniques.bands else 0,
        options=int(fitting.sum()),
        bounded_options=int((fitting & ~is_exact).sum()),
        unproved_bytes=table.unproved_bytes,
    )


def cause_of(table: SegmentTable) -> Cause:
    """Why planning on this table ends without a proof, if it does."""
    if is_asked_to_stop():
        return "interrupt"
    return "memory" if table.has_full_bands and not table.deadline.is_over else "time_limit"


def late_text() -> str:
    """Why a question was not asked any more."""
    return "planning was interrupted" if is_asked_to_stop() else "time ran out"


def found_text(cause: Cause | None) -> str:
    """How far an unproved best was looked for; None: as far as time went."""
    return _FOUND[cause or "time_limit"]


_FOUND: Mapping[Cause, str] = {
    "time_limit": "found in time",
    "interrupt": "found before the interrupt",
    "memory": "found among the bands that tables hold",
    "places": "found",
}

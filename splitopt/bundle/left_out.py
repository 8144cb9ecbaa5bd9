"""What planning did not look at, in words: for summaries, reports and explanations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from splitopt.base.units import format_bytes, plural
from splitopt.bundle.schema.common import Unfinished as UnfinishedEntry
from splitopt.bundle.schema.plan import Objective
from splitopt.bundle.schema.sweep import PlannedRecord
from splitopt.planning.unfinished import Cause, Unfinished

Left = Unfinished | UnfinishedEntry


def cause_text(left: Left | None) -> str:
    """Why planning ended without a proof."""
    return _CAUSES["time_limit" if left is None else left.cause]


_CAUSES: Mapping[Cause, str] = {
    "time_limit": "Time ran out",
    "interrupt": "Planning was interrupted",
    "memory": "Tables of bands are full",
    "places": "Fronts are not proved where memories are too small for all that plans put there",
}


def unproved_lines(points: Sequence[PlannedRecord]) -> Iterator[str]:
    """Why points of a front, or the front, are not proved, and what to do: at most a sentence."""
    causes = [point.unfinished for point in points if point.unfinished is not None]
    if causes:
        feasible = sum(point.status == "FEASIBLE" for point in points)
        cause, *_ = causes
        yield (
            f"{feasible:,} of {plural(len(points), 'point')} FEASIBLE, not proved, and others may "
            f"be missing: {_CAUSES[cause].lower()}; {_REMEDIES[cause]}."
        )


_REMEDIES: Mapping[Cause, str] = {
    "time_limit": "a longer --time-limit (solve.time_limit_s) may prove them",
    "interrupt": "the same command goes on",
    "memory": "more time would not help",
    "places": "a run at one budget may prove its plan",
}


def left_out_text(left: Left | None) -> str:
    """`bands of 3,120 of 12,000 segments; ...`; empty where everything was looked at."""
    return "" if left is None else "; ".join(_left_out(left))


def most_better_text(objective: Objective) -> str:
    """How much better than the plan of this cost and bound another may be."""
    if objective.gap == 0:
        return "as good in what counts first and better in the rest"
    if objective.gap < 1:
        return f"by at most {100 * objective.gap:.2f} % of the objective"
    return "by how much is not known"


def _left_out(left: Left) -> Iterator[str]:
    if left.segments_without_bands:
        yield f"bands of {left.segments_without_bands:,} of {left.segments:,} segments"
    if left.bounded_options:
        yield (
            f"exact figures of {left.bounded_options:,} of {left.options:,} options (they kept "
            "bounds)"
        )
    if left.unproved_bytes:
        yield f"offline plans lower by up to {format_bytes(left.unproved_bytes)}"

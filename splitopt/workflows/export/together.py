"""What the README of an export says of several models in one firmware."""

from __future__ import annotations

from splitopt.base.text import first_few
from splitopt.bundle.schema.plan import Plan

_SHARES = """\
Or one region for all, of the largest `kRegionBytes`, where no two of them run at the same time.
What one `Run` leaves there the next one of another model overwrites: put inputs there right before
their `Run`, and read outputs from your own buffers."""


def together_text(plan: Plan) -> str:
    """Whether the region may be another model's, too, while this one does not run."""
    stay = [str(own.index) for own in plan.segments if own.switching == "resident"]
    in_region = [
        str(own.index)
        for own in plan.segments
        if own.switching == "resident" and own.kept_in is None
    ]
    if in_region:
        return (
            f"Do not share this one's region: {_named(in_region)} in it, and keep these bytes "
            "between inferences."
        )
    if len(plan.segments) == 1 and not stay:
        return (
            f"{_SHARES} The one piece of\nthis plan stays in its arena between `Run`s: call "
            "`runner.Reset()` before the other model writes there, and it is\nbuilt anew by the "
            "next `Run`."
        )
    return (
        f"{_SHARES} No piece of this plan stays\nin its region; of a plan whose pieces stay there "
        "(resident), the region cannot be shared."
    )


def _named(pieces: list[str]) -> str:
    return f"piece {pieces[0]} stays" if len(pieces) == 1 else f"pieces {first_few(pieces)} stay"

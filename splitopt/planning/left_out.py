"""What the options of a table leave out, in words."""

from __future__ import annotations

from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.state import state_note
from splitopt.planning.stream_options import MOST_GROUPS


def left_out(table: SegmentTable) -> tuple[str, ...]:
    """What a model's state or size, CMSIS-NN, or a cost table leaves out, as sentences."""
    techniques = table.techniques
    note = state_note(table.graph, may_reside=techniques.switching.may_reside)
    found = [note] if note else []
    found += table.bands.notes if techniques.bands else []
    if techniques.streams and table.streams.has_longer:
        found.append(f"Streams of more than {MOST_GROUPS} groups were left out.")
    return tuple(filter(None, [*found, table.costs.note]))

"""Rolled ends: output rows of a segment written over input rows that are already read.

A segment that runs in row order reads its input from the top and writes its output from the top. So
the output may begin below the input, and as near to it as no row is written over that is still to
be read.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RolledPair:
    """Two tensors of the model at the ends of a segment that share bytes.

    The place of `read` begins at least `lead_bytes` (a multiple of 16) above that of `made`, or the
    two share nothing.
    """

    read: int
    made: int
    lead_bytes: int

    def saved_bytes(self, read_bytes: int, made_bytes: int) -> int:
        """How much less than both tensors, each a multiple of 16, the pair takes."""
        return read_bytes + made_bytes - max(self.lead_bytes + read_bytes, made_bytes)

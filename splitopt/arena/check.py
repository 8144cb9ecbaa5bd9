"""Says whether planned buffers share bytes while they live; independent of any planner.

TFLM takes an offline plan as it is: one that overlaps computes wrong values and returns OK.
"""

from __future__ import annotations

from itertools import combinations

from splitopt.arena.replay import Arena


class OverlappingPlan(AssertionError):
    """Two buffers share bytes while both live."""


def check_head(arena: Arena) -> None:
    """Raises OverlappingPlan, which names two buffers that share bytes while both live. A buffer
    that is never live is ignored."""
    for a, b in combinations(arena.buffers, 2):
        together = max(a.live.start, b.live.start) < min(a.live.stop, b.live.stop)
        a_stop, b_stop = a.offset + a.size_bytes, b.offset + b.size_bytes
        if together and a.offset < b_stop and b.offset < a_stop:
            raise OverlappingPlan(
                f"tensor {a.tensor} (op {a.op}) at [{a.offset}, {a_stop}) and tensor {b.tensor} "
                f"(op {b.op}) at [{b.offset}, {b_stop}) overlap while both live"
            )

"""Time limits of tests on other processes, which a slow or loaded machine may need longer.

SPLITOPT_TEST_TIME_FACTOR multiplies every one of them; 1 unless it is set.
"""

from __future__ import annotations

import os

TIME_FACTOR = float(os.environ.get("SPLITOPT_TEST_TIME_FACTOR", "1"))


def seconds(limit: float) -> float:
    """A time limit in seconds, scaled for this machine."""
    return limit * TIME_FACTOR

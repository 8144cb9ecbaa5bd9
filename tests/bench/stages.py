"""Shares the CPU time of planning out among its stages, without a word about it in the product."""

from __future__ import annotations

import signal
import time
from collections import Counter
from fnmatch import fnmatch
from functools import cache
from types import FrameType

_PRICING = ("planning/segment_options", "planning/pric*", "arena/replay", "arena/quick_replay")
STAGES = {
    "bands": ("*/splitopt/planning/band_*",),
    "bounds": ("*/splitopt/planning/*bounds*",),
    "packing": ("*/splitopt/arena/offline.py", "*/splitopt/solvers/packing/cpsat.py"),
    "pricing": tuple(f"*/splitopt/{name}.py" for name in _PRICING),
    "pruning": ("*/splitopt/solvers/partition/*pruning*",),
    "solver": tuple(
        f"*/splitopt/solvers/partition/{name}.py" for name in ("cpsat", "dp", "pareto")
    ),
    "other": ("*/splitopt/planning/*",),
}
"""Files by stage; the first that matches counts. All other files work for whoever called them."""
_TICK_S = 0.004


class StageClock:
    """CPU seconds by stage while it runs, as a context.

    A signal comes after every few milliseconds of CPU time, of all threads. What was spent since
    the last one goes to the stage of the innermost file that belongs to one, on the stack there.
    """

    def __init__(self) -> None:
        self.spent_s: Counter[str] = Counter()

    def __enter__(self) -> StageClock:
        self._last_s = time.process_time()
        signal.signal(signal.SIGPROF, self._look)
        signal.siginterrupt(signal.SIGPROF, False)
        signal.setitimer(signal.ITIMER_PROF, _TICK_S, _TICK_S)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        self._look(signal.SIGPROF, None)

    def _look(self, _: int, frame: FrameType | None) -> None:
        while frame is not None and _stage(frame.f_code.co_filename) is None:
            frame = frame.f_back
        now_s = time.process_time()
        stage = "other" if frame is None else _stage(frame.f_code.co_filename) or "other"
        self.spent_s[stage] += now_s - self._last_s
        self._last_s = now_s


@cache
def _stage(file: str) -> str | None:
    for stage, patterns in STAGES.items():
        if any(fnmatch(file, pattern) for pattern in patterns):
            return stage
    return None

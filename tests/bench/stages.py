"""Shares the CPU time of planning out among its stages, without a word about it in the product."""

from __future__ import annotations

import signal
import time
from collections import Counter
from fnmatch import fnmatch
from functools import cache
from types import FrameType

STAGES = {
    "bands": ("planning/band*",),
    "streams": ("planning/stream*", "tiling/streams/*"),
    "bounds": ("planning/*bounds*", "planning/segment_heads"),
    "packing": ("arena/offline", "solvers/packing/solve", "solvers/packing/exact/*"),
    "pricing": ("planning/segment_options", "planning/pricing", "arena/*replay"),
    "pruning": ("solvers/partition/lazy_*", "solvers/partition/option_pool"),
    "solver": tuple(f"solvers/partition/{name}" for name in ("cpsat", "dp", "pareto", "layout")),
    "building": ("planning/build_plan", "*/check"),
    "other": (),
}
"""Files by stage, where the first that matches counts. All others work for whoever called them, and
what nobody of these called is in `other`."""
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
        if any(fnmatch(file, f"*/splitopt/{pattern}.py") for pattern in patterns):
            return stage
    return None

"""Files tried one after the other in a child whose memory and time are bounded."""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

MEMORY_BYTES = 2_000_000_000
HANG_S = 20.0

File = Callable[[], bytes]
"""Makes the bytes of a file; it is called in the child."""
Attempt = Callable[[bytes, Path], str]
"""Tries a file, with a folder to work in; gives how it ended in a word, or raises what it should
not."""


@dataclass
class Findings:
    """What became of the files. `faults`: how each came up that was neither planned nor refused."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    peak_bytes: int = 0


def _serve(pipe: Connection, attempt: Attempt, files: Iterable[tuple[str, File]]) -> None:
    """The child: (name, end) for each file, (name, traceback) where it came up otherwise."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (2 * MEMORY_BYTES, 2 * MEMORY_BYTES))
    with tempfile.TemporaryDirectory() as folder:
        for name, make in files:
            pipe.send((name, "begun", 0))
            try:
                end = attempt(make(), Path(folder))
            except BaseException:
                end = "FAULT\n" + traceback.format_exc(limit=-6)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            pipe.send((name, end, peak))
    pipe.send(("", "done", 0))


def try_all(attempt: Attempt, files: Iterable[tuple[str, File]]) -> Findings:
    """Tries each (name, file), in turn; a child that hangs, dies or grows is replaced."""
    found, left = Findings(), list(files)
    while left:
        done = sum(1 for _ in _until_lost(found, attempt, left))
        left = left[done:]
    return found


def _until_lost(found: Findings, attempt: Attempt, files: list[tuple[str, File]]) -> Iterator[None]:
    """One child's work; yields once for each file that is done with."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_serve, args=(theirs, attempt, files), daemon=False)
    child.start()
    theirs.close()
    try:
        while True:
            begun = time.monotonic()
            name, state, _ = _next(ours, HANG_S) or ("", "lost", 0)
            if state in ("done", "lost"):
                return
            name, end, peak = _next(ours, HANG_S) or (name, "", 0)
            found.slowest_s = max(found.slowest_s, time.monotonic() - begun)
            found.peak_bytes = max(found.peak_bytes, peak)
            yield _counted(found, name, end, peak)
            if not end or peak > MEMORY_BYTES:
                return
    finally:
        child.kill()
        child.join()


def _next(pipe: Connection, limit_s: float) -> tuple[str, str, int] | None:
    with suppress(EOFError, OSError):
        if pipe.poll(limit_s):
            return pipe.recv()
    return None


def _counted(found: Findings, name: str, end: str, peak: int) -> None:
    if not end:
        end = f"FAULT\nno answer in {HANG_S:g} s, or its process died"
    elif peak > MEMORY_BYTES:
        end = f"FAULT\n{peak:,} bytes resident"
    kind = end.split("\n")[0]
    found.ends[kind] += 1
    if kind == "FAULT":
        found.faults.append(f"{name}: {end}")

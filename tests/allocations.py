"""What TFLM's recording allocator reports on this machine: the oracle of the arena model.

Run as `python -m allocations FOLDER`, it is the worker process that asks TFLM.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limits import seconds

from splitopt.base.errors import ToolError
from splitopt.runtime.host import DEFAULT_MEMORY_BYTES
from splitopt.runtime.host_worker import Made, make_tflm, tflm_subject
from splitopt.runtime.worker_process import Task, run_worker, serve

_REGION = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")
_CATEGORY = re.compile(
    r"'(?P<name>[^']+)' used (?P<used>\d+) bytes with alignment overhead "
    r"\(requested (?P<requested>\d+) bytes for (?P<count>\d+) "
)


@dataclass(frozen=True)
class AllocationCategory:
    name: str
    used_bytes: int
    requested_bytes: int
    count: int


@dataclass(frozen=True)
class Allocations:
    """Bytes on this machine, whose pointers have 8 bytes."""

    total_bytes: int
    head_bytes: int
    tail_bytes: int
    categories: tuple[AllocationCategory, ...]


def measure_allocations(path: Path, arena_bytes: int) -> Allocations:
    [found] = measure_many_allocations([(path, arena_bytes)])
    return found


def measure_many_allocations(models: Sequence[tuple[Path, int]]) -> list[Allocations]:
    """One worker for all `(path, arena_bytes)`; an arena that suffices changes no figure."""
    request = {"models": [(str(path.resolve()), arena_bytes) for path, arena_bytes in models]}
    limits = {"timeout_s": seconds(120), "memory_bytes": DEFAULT_MEMORY_BYTES}
    found = run_worker("allocations", request, {}, **limits).json["models"]
    return [_allocations(figures) for figures in found]


def _allocations(figures: Mapping[str, Any]) -> Allocations:
    categories = tuple(AllocationCategory(**category) for category in figures["categories"])
    return Allocations(**{**figures, "categories": categories})


def handle(task: Task) -> Made:
    found = []
    for path, arena_bytes in task.request["models"]:
        task.working_on(tflm_subject(path, arena_bytes))
        found.append(_reported(path, arena_bytes))
    return {"models": found}, {}


def allocations_here(path: Path, arena_bytes: int) -> Allocations:
    """As `measure_allocations`, in this process, which a broken model may end."""
    return _allocations(_reported(str(path), arena_bytes))


def _reported(path: str, arena_bytes: int) -> dict[str, Any]:
    interpreter, _ = make_tflm(path, arena_bytes, preserve=False)
    return _parsed(_printed_to_stderr(interpreter.print_allocations))


def _parsed(text: str) -> dict[str, Any]:
    regions = {name: int(size) for name, size in _REGION.findall(text)}
    if regions.keys() != {"total", "head", "tail"}:
        raise ToolError("TFLM printed no allocations that can be read")
    categories = [
        {
            "name": found["name"],
            "used_bytes": int(found["used"]),
            "requested_bytes": int(found["requested"]),
            "count": int(found["count"]),
        }
        for found in _CATEGORY.finditer(text)
    ]
    return {**{f"{name}_bytes": size for name, size in regions.items()}, "categories": categories}


def _printed_to_stderr(call: Callable[[], object]) -> str:
    """What native code writes to file descriptor 2, which Python's `sys.stderr` never sees."""
    before = os.dup(2)
    try:
        with tempfile.TemporaryFile(dir=Path.cwd()) as file:
            os.dup2(file.fileno(), 2)
            try:
                call()
            finally:
                os.dup2(before, 2)
            file.seek(0)
            return file.read().decode("utf-8", "replace")
    finally:
        os.close(before)


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), handle))

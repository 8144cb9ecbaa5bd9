"""What each kernel asks TFLM's allocators for on a simulated Cortex-M55, request by request.

For tests that need "compiler", "qemu" and "tflm". Run as a program, it measures the table in
`golden/m55_ops.json` anew.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from limits import seconds
from op_cases import CASES
from op_models import Case, model_of

from splitopt.base.units import align_up
from splitopt.graph.schema import OP_NAMES
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.runtime.program import BARE_SOURCES, link_program
from splitopt.runtime.simulator import Event, Qemu, simulate
from splitopt.runtime.tflm_library import find_library

TABLE = Path(__file__).parent / "golden" / "m55_ops.json"
COPIES = 16
_ABOUT = (
    "Single-op models (tests/op_cases.py), told by SHA-256: what AllocateTensors asked for on "
    "QEMU's mps3-an547 (Cortex-M55), TFLM 90b983c2 with CMSIS-NN 4ab83cc3, release build. "
    "persistent: (bytes, alignment) of options, Init and Prepare; scratch: as planned; "
    "temporary_bytes: while preparing; used_bytes and least_bytes: arena_used_bytes and the "
    f"least arena of {COPIES} such ops in one model. refused: what AllocateTensors does not take "
    "there."
)
_SOURCE = Path(__file__).parent / "arena" / "recorder.cc"
_CODES = {name: code for code, name in OP_NAMES.items()}
_STRUCTURES = 7
"""Persistent requests of the interpreter, before those of the one op."""
_GENEROUS_BYTES = 1 << 20
_MOST_BESIDE_USED = 1 << 13


@dataclass(frozen=True)
class OpRequests:
    """Of one op, in bytes; the last two of `COPIES` of it."""

    model: str
    persistent: tuple[tuple[int, int], ...]
    temporary_bytes: int
    scratch: tuple[int, ...]
    used_bytes: int
    least_bytes: int


def digest(case: Case) -> str:
    return hashlib.sha256(model_of(case, COPIES)).hexdigest()[:16]


class Recorder:
    """Runs AllocateTensors of many models in one boot each time."""

    def __init__(self, cache: Path, cases: Sequence[Case]) -> None:
        library = find_library(None)
        words = [*(f"-D{name}" for name in library.defines), *(f"-I{p}" for p in library.include)]
        sources = (str(_SOURCE), *BARE_SOURCES)
        self._program = link_program(sources, words, library.library, cache)
        self._cases = cases
        self._models = [model_of(case, COPIES) for case in cases]

    def used(self, arena_bytes: Sequence[int]) -> list[int | None]:
        """`arena_used_bytes()` of each case's copies in an arena of that size; None: it failed."""
        ends = [events[-1] for events in self._boot(self._models, arena_bytes)]
        return [int(end["bytes"]) if end["event"] == "allocated" else None for end in ends]

    def least(self, used: Sequence[int]) -> list[int]:
        """The least arena of each, a multiple of 16: it is never below the bytes used, where the
        target might crash. Half of what is left is tried at a boot."""
        low = [align_up(size, 16) - 16 for size in used]
        high = [size + _MOST_BESIDE_USED for size in low]
        assert None not in self.used(high)
        while any(b - a > 16 for a, b in zip(low, high, strict=True)):
            tried = [(a + b) // 32 * 16 for a, b in zip(low, high, strict=True)]
            for k, found in enumerate(self.used(tried)):
                if tried[k] > low[k]:
                    low[k], high[k] = (tried[k], high[k]) if found is None else (low[k], tried[k])
        return high

    def requests(self, used: Sequence[int], least: Sequence[int]) -> list[OpRequests]:
        models = [model_of(case, 1) for case in self._cases]
        boots = self._boot(models, [_GENEROUS_BYTES] * len(models))
        rows = zip(self._cases, models, boots, used, least, strict=True)
        return [
            OpRequests(digest(case), *_of_one(model, events), of_all, at_least)
            for case, model, events, of_all, at_least in rows
        ]

    def _boot(self, models: Sequence[bytes], arena_bytes: Sequence[int]) -> list[list[Event]]:
        job = _job(models, arena_bytes, {case.op for case in self._cases})
        boot = simulate(Qemu(), self._program, job, seconds(300))
        found: list[list[Event]] = [[] for _ in models]
        for event in boot[:-1]:
            found[event["model"]].append(event)
        return found


def _of_one(
    model: bytes, events: Sequence[Event]
) -> tuple[tuple[tuple[int, int], ...], int, tuple[int, ...]]:
    reset = next(k for k, event in enumerate(events) if event["event"] == "reset")
    own = events[_STRUCTURES:reset]
    graph = parse_tflite(model, name="one op")
    tensors = sum(tensor.is_activation for tensor in graph.tensors)
    planned = [event["bytes"] for event in events if event["event"] == "planned"]
    return (
        tuple((e["bytes"], e["alignment"]) for e in own if e["event"] == "persistent"),
        sum(event["bytes"] for event in own if event["event"] == "temporary"),
        tuple(planned[tensors:]),
    )


def _job(models: Sequence[bytes], arena_bytes: Sequence[int], op_types: set[str]) -> bytes:
    """As recorder.cc reads it."""
    codes = sorted(_CODES[name] for name in op_types)
    table = 16 + 4 * len(codes)
    blob = bytearray(table + 8 * len(models))
    struct.pack_into(f"<4I{len(codes)}I", blob, 0, len(models), table, len(codes), 16, *codes)
    for index, (model, size) in enumerate(zip(models, arena_bytes, strict=True)):
        blob.extend(bytes(-len(blob) % 16))
        struct.pack_into("<2I", blob, table + 8 * index, len(blob), size)
        blob.extend(model)
    return bytes(blob)


def _measure() -> None:
    with tempfile.TemporaryDirectory() as cache:
        everything = Recorder(Path(cache), CASES)
        found = everything.used([_GENEROUS_BYTES] * len(CASES))
        taken = [case for case, used in zip(CASES, found, strict=True) if used is not None]
        recorder = Recorder(Path(cache), taken)
        used = [size for size in found if size is not None]
        rows = recorder.requests(used, recorder.least(used))
    lines = ",\n".join(
        f"{json.dumps(case.name)}: {json.dumps(asdict(row))}"
        for case, row in zip(taken, rows, strict=True)
    )
    refused = [case.name for case in CASES if case not in taken]
    TABLE.write_text(
        f'{{\n"about": {json.dumps(_ABOUT)},\n"refused": {json.dumps(refused)},\n'
        f'"ops": {{\n{lines}\n}}\n}}\n'
    )


if __name__ == "__main__":
    sys.exit(_measure())

"""The log of a board that ran an export's check: text with one JSON object a line, not trusted.

What a board prints besides is skipped; an object that is broken, missing or of something else is
refused with the number of its line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from splitopt.arena.m55_kernels import WHERE_BYTES_DIFFER
from splitopt.base.errors import ToolError, UsageError
from splitopt.base.files import read_file
from splitopt.base.text import printable
from splitopt.base.units import format_bytes
from splitopt.runtime.job_blob import PlannedRun
from splitopt.runtime.measured import PREPARING, RESTARTING, STEPS, built_at_start
from splitopt.runtime.simulator import Event

MOST_BYTES = 32 << 20
_MOST_EVENTS, _MOST_LINE, _MOST_TEXT = 500_000, 8192, 200
_MARK = '{"event":'
_PROGRAM, _VERSION = "splitopt_check", 1
_UNITS = ("cycles", "insn", "ticks")
NO_COUNTER = "none"
_PLACE = ("run", "sample", "piece")
_FIELDS: Mapping[str, Mapping[str, type]] = {
    "hello": {
        **dict.fromkeys(("program", "plan", "counter", "unit"), str),
        **dict.fromkeys(("version", "models_hash", "region_bytes", "pointer_bytes"), int),
        **dict.fromkeys(("inputs", "units", "per_ticks", "step_overhead"), int),
    },
    "piece": dict.fromkeys((*_PLACE, "arena_used_bytes", "executions", *STEPS), int),
    "group": dict.fromkeys(
        (*_PLACE, "group", "executions", "construct", "allocate", "invoke"), int
    ),
    "op": {**dict.fromkeys((*_PLACE, "group", "op", "ticks"), int), "tag": str},
    "ran": {**dict.fromkeys((*_PLACE, "group", "error"), int), "reason": str},
    "output": {**dict.fromkeys(("run", "sample", "output", "offset"), int), "hex": str},
    "bye": {**dict.fromkeys(("error", "piece", "group", "differing_outputs"), int), "reason": str},
}
_OF_OTHER_BYTES = dict.fromkeys(("used_bytes", "planned_bytes"), int)
"""What the end has besides where TFLM used other bytes than planned."""


@dataclass(frozen=True)
class BoardCounter:
    """`name`: dwt, say. `unit`: cycles, insn or ticks; a reading is `units` of them for
    `per_ticks`."""

    name: str
    unit: str
    units: int = 1
    per_ticks: int = 1

    @property
    def counts(self) -> bool:
        return self.name != NO_COUNTER

    def amount(self, ticks: int) -> float:
        return ticks * self.units / self.per_ticks


@dataclass(frozen=True)
class BoardLog:
    """The last run of the check in a log. `lines[k]`: where event k stands, from 1."""

    path: Path
    plan: str
    models_hash: int
    region_bytes: int
    inputs: int
    counter: BoardCounter
    events: tuple[Event, ...]
    lines: tuple[int, ...]

    def refuse(self, index: int, why: str) -> UsageError:
        return UsageError(f"{self.path}, line {self.lines[index]}: {why}")


def read_board_log(path: Path) -> BoardLog:
    """Raises UsageError for a file that holds no whole run of the check on a board, ToolError where
    the check failed there."""
    found = list(_events(path, read_file(path, MOST_BYTES, wanted="the log of a board")))
    starts = [k for k, (_, event) in enumerate(found) if event["event"] == "hello"]
    if not starts:
        raise UsageError(
            f'{path}: no line with {_MARK}"hello"; want what the check of `splitopt export` prints'
        )
    found = found[starts[-1] :]  # a board that was reset begins again
    stop = next((k for k, (_, event) in enumerate(found) if event["event"] == "bye"), None)
    if stop is None:
        raise UsageError(
            f"{path}, line {found[-1][0]}: the last of the check's lines, and it is not its end "
            "(bye); keep the whole log"
        )
    lines, events = zip(*found[: stop + 1], strict=True)
    hello, where = events[0], f"{path}, line {lines[0]}"
    _refuse_foreign(hello, where)
    counter = BoardCounter(*(hello[key] for key in ("counter", "unit", "units", "per_ticks")))
    _refuse_failed(path, lines, events)
    return BoardLog(
        path, hello["plan"], hello["models_hash"], hello["region_bytes"], hello["inputs"],
        counter, events, lines,
    )  # fmt: skip


def require_order(log: BoardLog, run: PlannedRun) -> None:
    """Raises UsageError at the first line that is not what this plan's check prints there."""
    wanted, at = list(_expected(run)), 1
    for event, *place in wanted:
        names = {"output": ("sample", "output")}.get(event, ("sample", "piece", "group"))
        at = _without_ops(log.events, at)
        found = log.events[at]
        got = [found[name] for name in names[: len(place)]] if found["event"] == event else None
        if got != place:
            raise log.refuse(
                at, f"got {_named(found)}, want {event} {' '.join(map(str, place))} of this plan"
            )
        at += 1
        while event == "output" and log.events[at]["event"] == "output":
            if (log.events[at]["output"], log.events[at]["sample"]) != (place[1], place[0]):
                break
            at += 1
    if log.events[at]["event"] != "bye":
        raise log.refuse(at, f"got {_named(log.events[at])}, want the end (bye)")


def _expected(run: PlannedRun) -> Iterator[tuple[Any, ...]]:
    """(event, sample, piece or output, group) in order, without ops."""

    def piece(sample: int, k: int) -> Iterator[tuple[Any, ...]]:
        yield "piece", sample, k
        for group in range(max(1, len(run.pieces[k].groups))):
            yield "group", sample, k, group

    residents, of_store = built_at_start(run)
    for k in (*residents, *(k for own in of_store for k in own)):
        yield from piece(PREPARING, k)
    if any(store.at_start_up for store in run.stores):
        stores = zip(run.stores, of_store, strict=True)
        lost = (k for store, own in stores if not store.at_start_up for k in own)
        for k in (*residents, *lost):
            yield from piece(RESTARTING, k)
    for sample in range(run.samples):
        for k in range(len(run.pieces)):
            yield from piece(sample, k)
        yield "ran", sample
        yield from (("output", sample, k) for k in range(len(run.output_bytes)))


def _without_ops(events: Sequence[Event], at: int) -> int:
    while events[at]["event"] == "op":
        at += 1
    return at


def _named(event: Event) -> str:
    words = [event["event"]]
    keys = ("sample", "piece", "group", "output")
    words += [f"{key} {event[key]}" for key in keys if key in event]
    return ", ".join(words)


def _events(path: Path, data: bytes) -> Iterator[tuple[int, Event]]:
    """(number of the line, event). Text before and after an object in its line is skipped."""
    decoder, count = json.JSONDecoder(), 0
    for number, line in enumerate(data.split(b"\n"), start=1):
        at = line.find(_MARK.encode())
        while at >= 0:
            where = f"{path}, line {number}"
            if len(line) - at > _MOST_LINE:
                raise UsageError(f"{where}: longer than {_MOST_LINE:,} bytes")
            text = line[at:].decode("utf-8", "replace")
            try:
                event, used = decoder.raw_decode(text)
            except (ValueError, RecursionError) as error:
                reason = f"broken or cut off ({str(error)[:80]})"
                raise UsageError(f"{where}: {reason}: {printable(text[:60])}") from error
            _refuse_misshapen(event, where)
            count += 1
            if count > _MOST_EVENTS:
                raise UsageError(f"{where}: more than {_MOST_EVENTS:,} lines of the check")
            yield number, event
            at = line.find(_MARK.encode(), at + len(text[:used].encode()))


def _refuse_misshapen(event: dict[str, Any], where: str) -> None:
    """Raises UsageError for a kind of event that is not known, and for fields of another type."""
    kind = event["event"]
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise UsageError(f"{where}: event {printable(str(kind)[:40])!r} is none of the check's")
    if kind == "bye" and event.keys() & _OF_OTHER_BYTES.keys():
        fields = {**fields, **_OF_OTHER_BYTES}
    for name, wanted in fields.items():
        value = event.get(name)
        if type(value) is not wanted:
            raise UsageError(f"{where}: {kind} without {name}, or of another type")
        if isinstance(value, int) and not 0 <= value < 2**63:
            raise UsageError(f"{where}: {kind}: {name} is not a count")
        if isinstance(value, str) and (
            not value.isprintable() or (name != "hex" and len(value) > _MOST_TEXT)
        ):
            raise UsageError(f"{where}: {kind}: {name} is not a short text")
    if event.get("run", 0) != 0:
        raise UsageError(f"{where}: {kind} of run {event['run']}, want 0")


def _refuse_foreign(hello: Event, where: str) -> None:
    if (hello["program"], hello["version"]) != (_PROGRAM, _VERSION):
        raise UsageError(
            f"{where}: of {printable(hello['program'])} {hello['version']}, want {_PROGRAM} "
            f"{_VERSION}: export again with this splitopt"
        )
    if hello["pointer_bytes"] != 4:
        raise UsageError(
            f"{where}: made with pointers of {hello['pointer_bytes']} bytes: a PC's log, whose "
            "bytes and times are not a board's"
        )
    if hello["counter"] != NO_COUNTER and hello["unit"] not in _UNITS:
        raise UsageError(f"{where}: unit {printable(hello['unit'])!r}, want {', '.join(_UNITS)}")
    if not (1 <= hello["units"] <= 10**6 and 1 <= hello["per_ticks"] <= 10**6):
        raise UsageError(f"{where}: units and per_ticks: want 1 to 1,000,000")
    if not 1 <= hello["inputs"] <= 64:
        raise UsageError(f"{where}: {hello['inputs']} inputs, want 1 to 64")


def _refuse_failed(path: Path, lines: Sequence[int], events: Sequence[Event]) -> None:
    for line, event in zip(lines, events, strict=True):
        if event["event"] in ("ran", "bye") and event["error"]:
            raise ToolError(
                f"{path}, line {line}: the check failed on the board: piece {event['piece']}, "
                f"group {event['group']}: {printable(event['reason'])}{_figures(event)}"
            )


def _figures(event: Event) -> str:
    """Of a piece that uses other bytes than planned, and what to look at."""
    if "used_bytes" not in event:
        return ""
    return (
        f": {format_bytes(event['used_bytes'])}, planned {format_bytes(event['planned_bytes'])}; "
        f"{WHERE_BYTES_DIFFER}"
    )

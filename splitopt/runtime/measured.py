"""What a simulated program or a board printed → bytes and time of each piece, or why one failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from splitopt.base.errors import ToolError
from splitopt.runtime.job_blob import PlannedRun
from splitopt.runtime.simulator import Event

STEPS = ("zero", "construct", "allocate", "save", "restore", "copy_in", "invoke", "copy_out")
_ONCE_A_BAND = frozenset(("copy_in", "invoke", "copy_out"))
_ONCE_A_GROUP = frozenset(("construct", "allocate"))
_MOST_TICKS = 2**63
PREPARING, RESTARTING = 2**32 - 1, 2**32 - 2
"""What the program calls start-up in place of a sample."""


class Counter(Protocol):
    """What counts: a simulator, or that of a board."""

    @property
    def name(self) -> str: ...

    def amount(self, ticks: int) -> float:
        """Ticks in its unit."""


@dataclass(frozen=True)
class OpTime:
    """An op of a piece by TFLM's own name for it, in the simulator's unit."""

    tag: str
    amount: float


@dataclass(frozen=True)
class GroupTime:
    """A group of a streamed piece in one inference, in the simulator's unit; `invoke` of all its
    `executions` together."""

    executions: int
    construct: float
    allocate: float
    invoke: float
    ops: tuple[OpTime, ...]


@dataclass(frozen=True)
class PieceTime:
    """One piece in one inference: bytes as TFLM reports them, steps in the simulator's unit.

    Steps and ops are those of all `executions` together. A streamed piece has its ops in `groups`,
    and all that its rows are moved, filled and kept by in the step `copy_in`.
    """

    arena_used_bytes: int
    executions: int
    steps: Mapping[str, float]
    ops: tuple[OpTime, ...]
    groups: tuple[GroupTime, ...] = ()

    @property
    def total(self) -> float:
        return sum(self.steps.values())


@dataclass(frozen=True)
class RunTime:
    """Pieces run in order: `samples[n][k]` is piece k in inference n, `outputs[n][i]` the bytes of
    the model's output i. `prepared[k]`: what piece k took at start-up, None for others."""

    samples: tuple[tuple[PieceTime, ...], ...]
    outputs: tuple[tuple[bytes, ...], ...]
    prepared: tuple[PieceTime | None, ...] = ()


def measured(
    events: Sequence[Event], counter: Counter, runs: Sequence[PlannedRun]
) -> tuple[RunTime, ...]:
    """What the runs took and used, from the lines that the program printed.

    Raises ToolError where a piece failed on the target, or the lines do not fit the job.
    """
    reader = _Reader(events, counter)
    return tuple(reader.run(number, run) for number, run in enumerate(runs))


def built_at_start(run: PlannedRun) -> tuple[list[int], list[list[int]]]:
    """(pieces that stay, those of each store), in the order in which they are built."""
    kept = {k: piece.kept for k, piece in enumerate(run.pieces) if piece.kept}
    residents = [k for k, own in kept.items() if own.is_resident]
    of_store = [
        [k for k, own in kept.items() if own.store == store and not own.is_resident]
        for store in range(len(run.stores))
    ]
    return residents, of_store


class _Reader:
    def __init__(self, events: Sequence[Event], counter: Counter) -> None:
        self._counter = counter
        self._events: dict[tuple[str, int, int], list[Event]] = {}
        for event in events:
            place = event.get("run", -1), event.get("sample", -1)
            if all(isinstance(number, int) for number in place):
                self._events.setdefault((event["event"], *place), []).append(event)
        self._overhead = self.number(self.only("hello"), "step_overhead")

    def run(self, number: int, run: PlannedRun) -> RunTime:
        samples, outputs = [], []
        groups = [len(piece.groups) for piece in run.pieces]
        for sample in range(run.samples):
            [ended] = self._all("ran", number, sample, 1)
            if self.number(ended, "error"):
                piece, reason = self.number(ended, "piece"), str(ended.get("reason"))[:200]
                subject = "the unsplit model" if len(run.pieces) == 1 else f"piece {piece}"
                if piece < len(run.pieces) and run.pieces[piece].groups:
                    subject = f"group {self.number(ended, 'group')} of piece {piece}"
                raise ToolError(f"{self._counter.name}: {subject} failed: {reason}")
            pieces = self._all("piece", number, sample, len(run.pieces))
            samples.append(
                tuple(self._piece(k, event, groups[k]) for k, event in enumerate(pieces))
            )
            outputs.append(tuple(self._outputs(number, sample, run.output_bytes)))
        prepared = self._prepared(number, run)
        return RunTime(
            tuple(_with_bytes(sample, prepared) for sample in samples), tuple(outputs), prepared
        )

    def _prepared(self, number: int, run: PlannedRun) -> tuple[PieceTime | None, ...]:
        """Pieces are built once: those that stay, then others in the order of their stores. Where
        images outlive a reset, these are not built at the next start."""
        residents, of_store = built_at_start(run)
        order = [k for own in (residents, *of_store) for k in own]
        events = self._all("piece", number, PREPARING, len(order))
        found = {
            k: self._piece(k, event, len(run.pieces[k].groups))
            for k, event in zip(order, events, strict=True)
        }
        if any(store.at_start_up for store in run.stores):
            stores = zip(run.stores, of_store, strict=True)
            lost = sum(len(own) for store, own in stores if not store.at_start_up)
            self._all("piece", number, RESTARTING, len(residents) + lost)
        return tuple(found.get(k) for k in range(len(run.pieces)))

    def only(self, kind: str) -> Event:
        [event] = self._all(kind, -1, -1, 1)
        return event

    def number(self, event: Event, key: str) -> int:
        value: Any = event.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MOST_TICKS:
            raise self._garbled(f"{event['event']}.{key} is not a count")
        return value

    def _piece(self, index: int, event: Event, group_count: int) -> PieceTime:
        if self.number(event, "piece") != index:
            raise self._garbled("pieces are out of order")
        executions = self.number(event, "executions")
        counts = _readings(executions, group_count)
        return PieceTime(
            arena_used_bytes=self.number(event, "arena_used_bytes"),
            executions=executions,
            steps={s: self._amount(self.number(event, s), counts[s]) for s in STEPS},
            ops=() if group_count else self._ops(event, 0, executions),
            groups=tuple(self._group(event, k) for k in range(group_count)),
        )

    def _group(self, piece: Event, index: int) -> GroupTime:
        events = self._events.get(("group", piece["run"], piece["sample"]), [])
        own = [event for event in events if event.get("piece") == piece["piece"]]
        if [event.get("group") for event in own[index : index + 1]] != [index]:
            raise self._garbled("groups are out of order")
        event = own[index]
        executions = self.number(event, "executions")
        return GroupTime(
            executions=executions,
            construct=self._amount(self.number(event, "construct"), 1),
            allocate=self._amount(self.number(event, "allocate"), 1),
            invoke=self._amount(self.number(event, "invoke"), executions),
            ops=self._ops(piece, index, executions),
        )

    def _ops(self, piece: Event, group: int, executions: int) -> tuple[OpTime, ...]:
        events = self._events.get(("op", piece["run"], piece["sample"]), [])
        return tuple(
            OpTime(str(op.get("tag"))[:80], self._amount(self.number(op, "ticks"), executions))
            for op in events
            if (op.get("piece"), op.get("group")) == (piece["piece"], group)
        )

    def _outputs(self, run: int, sample: int, sizes: Sequence[int]) -> Iterator[bytes]:
        parts = self._events.get(("output", run, sample), [])
        for index, size in enumerate(sizes):
            data = bytearray()
            for part in (p for p in parts if p.get("output") == index):
                if self.number(part, "offset") != len(data):
                    raise self._garbled("a part of an output is missing")
                data.extend(self._hex(part))
            if len(data) != size:
                raise self._garbled(f"output {index} has {len(data)} bytes, want {size}")
            yield bytes(data)

    def _hex(self, part: Event) -> bytes:
        try:
            return bytes.fromhex(part["hex"])
        except (KeyError, TypeError, ValueError):
            raise self._garbled("an output is not hexadecimal") from None

    def _all(self, kind: str, run: int, sample: int, count: int) -> list[Event]:
        found = self._events.get((kind, run, sample), [])
        if len(found) != count:
            raise self._garbled(f"{len(found)} lines of {kind!r}, want {count}")
        return found

    def _amount(self, ticks: int, times: int) -> float:
        """`ticks`, counted in `times` readings, less the ticks that the readings take."""
        return self._counter.amount(max(0, ticks - times * self._overhead))

    def _garbled(self, what: str) -> ToolError:
        return ToolError(f"{self._counter.name}: its output is garbled: {what}")


def _with_bytes(
    sample: Sequence[PieceTime], prepared: Sequence[PieceTime | None]
) -> tuple[PieceTime, ...]:
    """TFLM tells of bytes where a piece is built, which for some was at start-up."""
    return tuple(
        piece if start is None else replace(piece, arena_used_bytes=start.arena_used_bytes)
        for piece, start in zip(sample, prepared, strict=True)
    )


def _readings(executions: int, groups: int) -> Mapping[str, int]:
    """How often the counter is read for each step of a piece; see `splitopt::Observer`."""
    if not groups:
        return {step: executions if step in _ONCE_A_BAND else 1 for step in STEPS}
    once = {step: groups if step in _ONCE_A_GROUP else 1 for step in STEPS}
    return once | {"copy_in": executions + 1, "invoke": executions}

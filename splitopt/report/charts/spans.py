"""Runs of ops between cuts: one piece each, a stream, or two pieces in bands of two heights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from splitopt.bundle.schema.plan import Plan


@dataclass(frozen=True)
class Span:
    """Ops [start, stop); `first`, `last`: the numbers of its pieces; `ram_bytes`: the largest."""

    start: int
    stop: int
    first: int
    last: int
    ram_bytes: int
    bands: int
    groups: int

    @property
    def number(self) -> str:
        """`03`, or `03, 04`."""
        return ", ".join(f"{index:02d}" for index in range(self.first, self.last + 1))

    @property
    def says(self) -> str:
        pieces = "piece" if self.first == self.last else "pieces"
        runs = f" in {self.bands} bands" if self.bands else ""
        runs = f", streamed in {self.groups} groups" if self.groups else runs
        ops = f"ops {self.start} to {self.stop - 1}"
        return f"{pieces} {self.number}, {ops}{runs}"


def spans_of(plan: Plan) -> Iterator[Span]:
    for (start, stop), group in groupby(plan.segments, lambda s: (s.start, s.stop)):
        pieces = list(group)
        yield Span(
            start=start,
            stop=stop,
            first=pieces[0].index,
            last=pieces[-1].index,
            ram_bytes=max(piece.ram_bytes for piece in pieces),
            bands=sum(len(piece.bands or ()) for piece in pieces),
            groups=sum(len(piece.stream.groups) for piece in pieces if piece.stream is not None),
        )

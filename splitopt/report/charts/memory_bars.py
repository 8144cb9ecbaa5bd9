"""How full each memory of the board is: a bar for the main SRAM, and one for each memory beside it.

Bars are as wide as the page; their parts are told in per cent of the memory's room.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from splitopt.base.units import format_bytes
from splitopt.bundle.schema.plan import Memory, Plan
from splitopt.report.charts.svg import Chart, Key

_HEIGHT = 24
_LEGEND: tuple[Key, ...] = (
    ("held", "arenas and boundary tensors, which pieces share in turn"),
    ("tail", "kept for good: tails and interpreters of resident pieces"),
    ("saved", "saved at start-up: images of pieces that are restored"),
    ("boundary", "boundary tensors and inputs of the model beside the main SRAM"),
)


class _Part(NamedTuple):
    """`name`: of its colour."""

    name: str
    size_bytes: int
    says: str


def memory_bars(plan: Plan) -> list[Chart]:
    """The main SRAM first. `title`, which the page shows under `ident`: how much of it is used, and
    for what."""
    kept = _kept_in(plan, None)
    shared = plan.peak_ram_bytes - kept
    parts = [_Part("held", shared, "arenas and boundary tensors"), _kept(kept)]
    bars = [_bar(0, "main SRAM", plan.budget_bytes, parts)]
    for number, memory in enumerate(plan.memories, 1):
        only = ", written at start-up only" if memory.written == "start_up" else ""
        bars.append(_bar(number, f"{memory.name}{only}", memory.bytes, list(_parts(plan, memory))))
    return bars


def bars_legend(bars: Sequence[Chart]) -> list[Key]:
    return [key for key in _LEGEND if any(f'"marks {key[0]}"' in bar.svg for bar in bars)]


def _parts(plan: Plan, memory: Memory) -> Iterator[_Part]:
    kept = _kept_in(plan, memory.name)
    stored = sum(s.stored_bytes for s in plan.segments if s.stored_in == memory.name)
    boundary = plan.boundary_bytes(memory.name)
    yield _Part("room", memory.used_bytes - kept - stored - boundary, "the runner's header")
    yield _kept(kept)
    yield _Part("saved", stored, "saved images of pieces that are restored")
    yield _Part("boundary", boundary, "boundary tensors")


def _kept_in(plan: Plan, place: str | None) -> int:
    resident = (s for s in plan.segments if s.switching == "resident" and s.kept_in == place)
    return sum(segment.kept_bytes for segment in resident)


def _kept(size_bytes: int) -> _Part:
    return _Part("tail", size_bytes, "kept for resident pieces")


def _bar(number: int, name: str, room_bytes: int, parts: Sequence[_Part]) -> Chart:
    held = [part for part in parts if part.size_bytes]
    used = sum(part.size_bytes for part in held)
    told = ", ".join(f"{part.says} {format_bytes(part.size_bytes)}" for part in held)
    title = (
        f"{name}: {format_bytes(used)} of {format_bytes(room_bytes)} used "
        f"({100 * used / room_bytes:.0f} %){f': {told}' if told else ''}"
    )
    drawn, start = [], 0
    for part in held:
        drawn.append(_drawn(part, start, room_bytes))
        start += part.size_bytes
    ident = f"memory-{number}"
    svg = (
        f'<svg class="bar" width="100%" height="{_HEIGHT}" role="group" '
        f'aria-labelledby="{ident}">{"".join(drawn)}'
        f'<rect class="frame" width="100%" height="{_HEIGHT}"/></svg>'
    )
    return Chart(ident, title, svg)


def _drawn(part: _Part, start: int, room_bytes: int) -> str:
    ends = (100 * size / room_bytes for size in (start, part.size_bytes))
    place = 'x="{:.3f}%" width="{:.3f}%" y="1" height="{}"'.format(*ends, _HEIGHT - 2)
    says = f"{part.says}: {format_bytes(part.size_bytes)}"
    hatch = f'<rect class="hatch" {place}/>' if part.name == "tail" else ""
    mark = f"<rect {place}><title>{escape(says)}</title></rect>"
    return f'<g class="marks {part.name}">{mark}</g>{hatch}'

"""The map of a memory beside the main SRAM: pieces to the right, addresses upwards, boundary
tensors and what pieces keep to scale."""

from __future__ import annotations

from collections.abc import Iterator

from splitopt.base.units import format_bytes
from splitopt.bundle.schema.plan import Memory, Plan
from splitopt.report.charts.labels import shorten
from splitopt.report.charts.scale import Scale, every
from splitopt.report.charts.svg import Chart, Key, drawing, group, line, mark, rect, text

_LEFT, _TOP, _BOTTOM, _RIGHT = 128, 12, 42, 10
_WIDTH, _HEIGHT, _LEAST_COLUMN, _LONGEST_NAME = 550, 250, 12.0, 200

LEGEND: tuple[Key, ...] = (
    ("boundary", "boundary tensor"),
    ("tail", "tail and interpreters of a resident piece"),
    ("saved", "saved image of a piece that is restored"),
)


def outside_maps(plan: Plan) -> list[Chart]:
    """Of each memory with boundary tensors."""
    held = {entry.memory for entry in plan.layout.boundary}
    return [
        _map(plan, memory, number)
        for number, memory in enumerate(plan.memories)
        if memory.name in held
    ]


def _map(plan: Plan, memory: Memory, number: int) -> Chart:
    pieces, used = len(plan.segments), memory.used_bytes
    column = max((_WIDTH - _LEFT - _RIGHT) / pieces, _LEAST_COLUMN)
    right, bottom = _LEFT + pieces * column, _TOP + _HEIGHT
    y = Scale(0, used, bottom, _TOP)

    def box(first: int, stop: int, offset: int, size: int) -> tuple[float, float, float, float]:
        top = y(offset + size)
        return _LEFT + first * column, top, (stop - first) * column, y(offset) - top

    def kept() -> Iterator[tuple[str, str, int, int]]:
        for own in plan.segments:
            if own.kept_in == memory.name:
                says = f"tail and interpreters of piece {own.index:02d}, resident"
                yield "tail", says, own.kept_offset, own.kept_bytes
            if own.stored_in == memory.name:
                says = f"saved image of piece {own.index:02d}, restored"
                yield "saved", says, own.stored_offset, own.stored_bytes

    boundary = [
        mark(
            *box(own.first_segment, own.last_segment + 1, own.offset, own.size),
            f"boundary tensor {own.tensor} {shorten(own.name, _LONGEST_NAME)}: "
            f"{format_bytes(own.size)} at {own.offset:,} of {memory.name}, pieces "
            f"{own.first_segment:02d} to {own.last_segment:02d}",
        )
        for own in plan.layout.boundary
        if own.memory == memory.name
    ]
    images = [
        group(f"marks {kind}", [mark(*box(0, pieces, at, size), f"{says}: {format_bytes(size)}")])
        for kind, says, at, size in kept()
    ]
    axis = [rect(_LEFT, _TOP, right - _LEFT, _HEIGHT, "frame")]
    for value, says in ((0, "0"), (used, f"used to {used:,}")):
        axis.append(line(_LEFT - 5, y(value), _LEFT, y(value), "grid"))
        axis.append(text(_LEFT - 8, y(value) + 4, says, anchor="end"))
    for k in range(0, pieces, every(pieces, right - _LEFT, 26)):
        axis.append(text(_LEFT + (k + 0.5) * column, bottom + 16, f"{k:02d}", anchor="middle"))
    axis.append(text((_LEFT + right) / 2, bottom + 34, "piece", anchor="middle"))
    ident, title = f"outside-{number}", f"Memory {memory.name}: what lies there while pieces run"
    parts = [group("axis", axis), *images, group("marks boundary", boundary)]
    svg = drawing(ident, title, right + _RIGHT, bottom + _BOTTOM, parts)
    says = f"{format_bytes(used)} of {format_bytes(memory.bytes)} used."
    return Chart(ident, title, svg, says, LEGEND)

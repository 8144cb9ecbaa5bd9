"""The memory map of one arena: steps to the right, addresses upwards, every buffer to scale.

What TFLM's memory planner prints as letters, and around it what it does not know: headroom, tail,
and the boundary tensors between the arena and the end of the region.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from splitopt.base.units import format_bytes
from splitopt.bundle.schema.memory import ArenaMap
from splitopt.bundle.schema.plan import Plan
from splitopt.bundle.schema.stream import Stream
from splitopt.report.charts.labels import buffer_text, shorten, step_name, tail_text
from splitopt.report.charts.scale import Scale, every, spread
from splitopt.report.charts.streamed import Passing, StreamTimes
from splitopt.report.charts.svg import (
    Chart,
    Key,
    drawing,
    group,
    line,
    mark,
    number,
    path,
    rect,
    text,
)

Box = tuple[float, float, float, float]
"""(x, y, width, height)."""

_LEFT, _TOP, _BOTTOM, _RIGHT = 128, 12, 42, 10
_LEAST_COLUMN = 5.0
_BREAK, _BREAK_ABOVE = 20, 0.3
_LABEL_WIDTH, _LABEL_HEIGHT = 6.6, 11

LEGEND: tuple[Key, ...] = (
    ("tensor", "tensor"),
    ("lines", "line buffer of a stream; the steps in it are rows that pass through, some of them"),
    ("scratch", "scratch of an op"),
    ("tail", "tail; above all pieces, what resident ones keep"),
    ("room", "headroom and rounding"),
    ("interpreters", "interpreters of a stream's further groups"),
    ("boundary", "boundary tensor; in the arena, one that is left in place"),
    (
        "rolled",
        "two boundary tensors that share bytes: one is written where the other is already read",
    ),
    ("rows", "rows over time: those a band reads or keeps; to be read or made in a stream"),
    ("unused", "unused while the piece runs (not to scale)"),
)


@dataclass(frozen=True)
class _Frame:
    """Where steps and bytes are. Unused bytes between arena and boundary tensors may be folded.

    `base`: where in the region the arena begins.
    """

    steps: int
    column: float
    low: Scale
    high: Scale
    folded: tuple[int, int] | None
    base: int

    def x(self, step: float) -> float:
        return _LEFT + self.column * step

    def y(self, address: int) -> float:
        if self.folded is not None and address >= self.folded[1]:
            return self.high(address)
        return self.low(address)

    def box(self, start: int, stop: int, offset: int, size: int) -> Box:
        top = self.y(offset + size)
        return self.x(start), top, self.column * (stop - start), self.y(offset) - top

    def in_arena(self, start: int, stop: int, offset: int, size: int) -> Box:
        return self.box(start, stop, self.base + offset, size)


def boundary_names(plan: Plan) -> dict[int, str]:
    return {entry.tensor: entry.name for entry in plan.layout.boundary}


def memory_map(
    arena: ArenaMap,
    region_bytes: int,
    names: Mapping[int, str],
    *,
    ident: str,
    title: str,
    width: int = 550,
    height: int = 250,
    longest_name: int = 200,
    stream: Stream | None = None,
) -> Chart:
    """One arena up to the region's end. `names`: of boundary tensors; `stream`: that runs there."""
    frame = _frame(arena, region_bytes, width, height)
    times = None if stream is None else StreamTimes(stream)
    parts = [
        group("axis", _axes(arena, region_bytes, frame)),
        group("marks room", [_room(arena, frame)]),
        *_buffers(arena, frame, longest_name),
        *(() if times is None else _passing(times, frame)),
        *_tail(arena, frame),
        *_kept(arena, frame),
        group("marks boundary", _boundary(arena, frame, names, longest_name)),
        *_rolled(arena, frame, by_rows=stream is not None or bool(arena.bands)),
        group("marks rows", _bands(arena, frame)),
        group("marks rows", () if times is None else _held(times, arena, frame)),
        *_unused(frame),
    ]
    size = frame.x(frame.steps) + _RIGHT, _TOP + height + _BOTTOM
    svg = drawing(ident, title, *size, parts)
    return Chart(ident, title, svg, caption(arena, times))


def caption(arena: ArenaMap, times: StreamTimes | None = None) -> str:
    more = "" if times is None else f" Rows pass from left to right in {times.ticks:,} ticks."
    return (
        f"Head {format_bytes(arena.head_bytes)}, peak load "
        f"{format_bytes(arena.peak_load_bytes)}, fragmentation "
        f"{format_bytes(arena.fragmentation_bytes)}, {_tail_words(arena)}; "
        f"arena {format_bytes(arena.arena_bytes)} with headroom.{more}"
    )


def _tail_words(arena: ArenaMap) -> str:
    """Of a resident piece the tail is above all pieces, or in another memory."""
    if arena.index is None or arena.tail_bytes:
        return f"tail {format_bytes(arena.tail_bytes)}"
    own = sum(entry.size for entry in arena.kept if entry.piece == arena.index)
    return (
        f"tail and interpreters kept above all pieces {format_bytes(own)}"
        if own
        else ("no tail in the arena")
    )


def _frame(arena: ArenaMap, region_bytes: int, width: int, height: int) -> _Frame:
    steps = arena.steps
    column = max((width - _LEFT - _RIGHT) / steps, _LEAST_COLUMN)
    base = arena.arena_offset
    top = max(region_bytes, base + arena.arena_bytes)
    folded = _fold(arena, top)
    bottom = _TOP + height
    if folded is None:
        scale = Scale(0, top, bottom, _TOP)
        return _Frame(steps, column, scale, scale, None, base)
    shown = folded[0] + top - folded[1]
    per_byte = (height - _BREAK) / (shown or 1)
    low = Scale(0, folded[0], bottom, bottom - per_byte * folded[0])
    high = Scale(folded[1], top, _TOP + per_byte * (top - folded[1]), _TOP)
    return _Frame(steps, column, low, high, folded, base)


def _fold(arena: ArenaMap, top: int) -> tuple[int, int] | None:
    """The unused bytes above the arena, where they would take much of the drawing."""
    start = arena.arena_offset + arena.arena_bytes
    offsets = [*(entry.offset for entry in arena.boundary), *(e.offset for e in arena.kept)]
    above = [offset for offset in offsets if offset >= start]
    stop = min(above, default=top)
    return (start, stop) if stop - start > _BREAK_ABOVE * top else None


def _axes(arena: ArenaMap, region_bytes: int, frame: _Frame) -> Iterator[str]:
    right, ops = frame.x(frame.steps), arena.ops
    end = frame.base + arena.arena_bytes
    bottom, top = frame.y(0), frame.y(max(region_bytes, end))
    yield rect(_LEFT, top, right - _LEFT, bottom - top, "frame")
    named = {0: "", frame.base: "arena from " if frame.base else ""}
    named |= {frame.base + arena.head_bytes: "head to ", region_bytes: "region to "}
    named[end] = "arena to "
    places = [frame.y(value) for value in named]
    for (value, name), place, at in zip(named.items(), places, spread(places, 13), strict=True):
        yield line(_LEFT - 5, place, right if value else _LEFT, place, "grid")
        yield text(_LEFT - 8, at + 4, f"{name}{value:,}", anchor="end")
    stride = every(frame.steps, right - _LEFT, 26)
    for step in range(0, frame.steps, stride):
        at = frame.x(step + 0.5)
        yield text(at, bottom + 16, step_name(ops, step), anchor="middle")
    yield text((_LEFT + right) / 2, bottom + 34, "op", anchor="middle")


def _buffers(arena: ArenaMap, frame: _Frame, longest_name: int) -> Iterator[str]:
    labels = []
    for kind in ("tensor", "lines", "scratch"):  # lines have no label: rows are drawn in them
        marks = []
        for buffer in arena.buffers:
            if buffer.kind != kind or not buffer.size:
                continue
            live = buffer.start, buffer.stop
            box = frame.in_arena(*live, buffer.offset, buffer.size)
            x, y, width, height = box
            marks.append(mark(x, y, width, height, buffer_text(buffer, arena.ops, longest_name)))
            says = f"{buffer.size:,}"
            has_room = width >= _LABEL_WIDTH * len(says) + 4 and height >= _LABEL_HEIGHT + 1
            if has_room and kind != "lines":
                labels.append(_label(x + width / 2, y + height / 2, says))
        yield group(f"marks {kind}", marks)
    yield group("inside", labels)


def _label(x: float, y: float, says: str) -> str:
    return f'<text x="{number(x)}" y="{number(y + 4)}">{says}</text>'


def _tail(arena: ArenaMap, frame: _Frame) -> Iterator[str]:
    size = arena.tail_bytes
    if size:
        box = frame.in_arena(0, frame.steps, arena.tail_stop - size, size)
        yield group("marks tail", [mark(*box, tail_text(arena))])
        yield rect(*box, "hatch")
    more = arena.interpreters_bytes
    if more:
        says = f"interpreters of the further groups: {format_bytes(more)}"
        box = frame.in_arena(0, frame.steps, arena.arena_bytes - more, more)
        yield group("marks interpreters", [mark(*box, says)])


def _kept(arena: ArenaMap, frame: _Frame) -> Iterator[str]:
    """What resident pieces keep for good, this one or others."""
    for entry in arena.kept:
        box = frame.box(0, frame.steps, entry.offset, entry.size)
        says = f"tail and interpreters of piece {entry.piece:02d}, resident: "
        yield group("marks tail", [mark(*box, f"{says}{format_bytes(entry.size)}")])
        yield rect(*box, "hatch")


def _room(arena: ArenaMap, frame: _Frame) -> str:
    start, stop = arena.head_bytes, arena.tail_stop - arena.tail_bytes
    if stop <= start:
        return ""
    return mark(
        *frame.in_arena(0, frame.steps, start, stop - start),
        f"{format_bytes(stop - start)} between head and tail: headroom, rounding, and what TFLM "
        "takes for a while when it prepares",
    )


def _boundary(
    arena: ArenaMap, frame: _Frame, names: Mapping[int, str], longest_name: int
) -> Iterator[str]:
    for entry in arena.boundary:
        name = shorten(names.get(entry.tensor, ""), longest_name)
        lives = [(b.start, b.stop) for b in arena.buffers if b.tensor == entry.tensor]
        start, stop = lives[0] if entry.in_place else (0, frame.steps)
        more = ", left in place between two pieces: nothing is copied" if entry.in_place else ""
        yield mark(
            *frame.box(start, stop, entry.offset, entry.size),
            f"boundary tensor {entry.tensor} {name}: {format_bytes(entry.size)} at "
            f"{entry.offset:,} of the region{more}",
        )


def _bands(arena: ArenaMap, frame: _Frame) -> Iterator[str]:
    """A staircase through each boundary tensor: what overlaps from step to step is computed, or at
    least copied, more than once."""
    places = {entry.tensor: entry.offset for entry in arena.boundary}
    count = max((band.number + 1 for band in arena.bands), default=0)
    left, width = frame.x(0), frame.x(frame.steps) - frame.x(0)
    for band in arena.bands:
        start, stop = band.start, band.stop
        box = frame.box(0, 1, places[band.tensor] + start, stop - start)
        yield mark(
            left + width * band.number / count,
            box[1],
            width / count,
            box[3],
            f"band {band.number} {'reads' if band.reads else 'keeps'} bytes {start:,} to "
            f"{stop - 1:,} of tensor {band.tensor}",
        )


def _held(times: StreamTimes, arena: ArenaMap, frame: _Frame) -> Iterator[str]:
    """Frames around what is still to be read of each boundary tensor, and around what is made."""
    places = {entry.tensor: entry for entry in arena.boundary}
    for held in times.held():
        entry = places.get(held.tensor)
        if entry is not None:
            per_row = entry.size / held.rows
            start, stop = (entry.offset + round(per_row * row) for row in (held.start, held.stop))
            left, right = (_at(times, t, frame) for t in (held.first_tick, held.last_tick))
            top = frame.y(stop)
            yield mark(left, top, right - left, frame.y(start) - top, held.says)


def _passing(times: StreamTimes, frame: _Frame) -> Iterator[str]:
    """Rows on their way through line buffers: from the newest slot, at the top, to the oldest."""
    for row in times.passing():
        buffer = times.stream.buffers[row.buffer]
        data = ""
        for tick, slot in row.places:
            y = frame.y(frame.base + buffer.offset + (2 * slot + 1) * buffer.row_bytes // 2)
            data += f"{'V' if data else f'M{_at(times, tick, frame):.1f} '}{y:.1f}"
            data += f"H{_at(times, _until(row, tick), frame):.1f}"
        yield path(data, "passing")


def _until(row: Passing, tick: int) -> int:
    """When the row leaves the slot that it came to at this tick."""
    return min((t for t, _ in row.places if t > tick), default=row.last_tick)


def _at(times: StreamTimes, tick: int, frame: _Frame) -> float:
    return frame.x(0) + (frame.x(frame.steps) - frame.x(0)) * tick / times.ticks


def _rolled(arena: ArenaMap, frame: _Frame, *, by_rows: bool) -> Iterator[str]:
    """Bytes that two boundary tensors share."""
    why = "its piece has read all of one before it writes the other"
    if by_rows:
        why = "rows of one are written where those of the other are already read"
    apart = (entry for entry in arena.boundary if not entry.in_place)
    for a, b in combinations(apart, 2):
        start, stop = max(a.offset, b.offset), min(a.offset + a.size, b.offset + b.size)
        if start < stop:
            box = frame.box(0, frame.steps, start, stop - start)
            share = format_bytes(stop - start)
            says = f"boundary tensors {a.tensor} and {b.tensor} share {share}: {why}"
            yield group("marks rolled", [mark(*box, says)])


def _unused(frame: _Frame) -> Iterator[str]:
    """The folded band, with how many bytes it stands for."""
    if frame.folded is None:
        return
    start, stop = frame.folded
    top, right = frame.high(stop), frame.x(frame.steps)
    yield rect(_LEFT, top, right - _LEFT, _BREAK, "unused")
    says = f"unused here: {format_bytes(stop - start)}"
    yield text((_LEFT + right) / 2, top + 14, says, "note", "middle")

"""RAM against step: what is alive in the unsplit model, and what the plan holds, on one axis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from splitopt.base.units import format_bytes
from splitopt.bundle.schema.graph import Graph
from splitopt.bundle.schema.memory import ArenaMap, Memory
from splitopt.bundle.schema.plan import Plan
from splitopt.report.charts.scale import Scale, every, kib_ticks
from splitopt.report.charts.spans import Span, spans_of
from splitopt.report.charts.svg import Chart, Key, drawing, group, line, mark, path, text

_LEFT, _TOP, _HEIGHT, _BOTTOM, _RIGHT = 44, 20, 280, 44, 10
_WIDTH, _LEAST_COLUMN = 1100, 4.0
_BUDGET_IN_SIGHT = 1.7
_NUMBER_WIDTH = 20


def live_bytes(arena: ArenaMap) -> list[int]:
    """Bytes of buffers alive at each step; step 0 has the inputs."""
    changes = [0] * (arena.steps + 1)
    for buffer in arena.buffers:
        changes[buffer.start] += buffer.size
        changes[buffer.stop] -= buffer.size
    return list(accumulate(changes))[:-1]


@dataclass(frozen=True)
class _Frame:
    """Where steps and bytes are on the drawing."""

    steps: int
    column: float
    y: Scale

    def x(self, step: float) -> float:
        return _LEFT + self.column * step

    @property
    def right(self) -> float:
        return self.x(self.steps)


def ram_chart(plan: Plan, memory: Memory, graph: Graph) -> Chart:
    """Live bytes with the tail on them, op by op; the plan's pieces; budget and single-op bound."""
    unsplit = memory.unsplit
    steps = len(unsplit.ops) + 1
    frame = _Frame(
        steps,
        max((_WIDTH - _LEFT - _RIGHT) / steps, _LEAST_COLUMN),
        Scale(0, _top(plan) * 1.04, _TOP + _HEIGHT, _TOP),
    )
    parts = [
        group("axis", _axes(frame)),
        *_columns(unsplit, graph, frame),
        *(
            line(_LEFT, frame.y(value), frame.right, frame.y(value), name)
            for name, value in _lines(plan)
            if value <= frame.y.high
        ),
        *_kept(plan, frame),
        path(_pieces_path(plan, frame), "line-plan"),
        group("marks pieces", _pieces(plan, frame)),
    ]
    title = "RAM against step: the unsplit model and the plan"
    size = frame.right + _RIGHT, _TOP + _HEIGHT + _BOTTOM
    return Chart("ram-step", title, drawing("ram-step", title, *size, parts), legend=_keys(plan))


def _top(plan: Plan) -> int:
    """The largest value to show; a budget that is far above all figures is left out of sight."""
    top: int = max(plan.baseline.ram_bytes, plan.peak_ram_bytes)
    budget: int = plan.budget_bytes
    return max(top, budget) if budget <= _BUDGET_IN_SIGHT * top else top


def _lines(plan: Plan) -> list[tuple[str, int]]:
    return [
        ("line-unsplit", plan.baseline.ram_bytes),
        ("line-budget", plan.budget_bytes),
        ("line-floor", plan.floor.least_ram_bytes),
    ]


def _keys(plan: Plan) -> tuple[Key, ...]:
    baseline, bound, kept = plan.baseline, plan.floor, plan.kept_bytes
    held = f"RAM of each piece: at most {format_bytes(plan.peak_ram_bytes)}"
    if kept:
        held = (
            f"RAM of each piece, on the {format_bytes(kept)} that resident pieces keep: at most "
            f"{format_bytes(plan.peak_ram_bytes)}"
        )
    band = (("line-kept", f"kept by resident pieces: {format_bytes(kept)}"),) if kept else ()
    above = "" if plan.budget_bytes <= _top(plan) * 1.04 else " (above this chart)"
    return (
        ("tensor", "alive in the unsplit model's head"),
        ("tail", f"its tail: {format_bytes(baseline.tail_bytes)}"),
        ("line-unsplit", f"RAM of the unsplit model: {format_bytes(baseline.ram_bytes)}"),
        ("line-plan", held),
        *band,
        ("line-budget", f"budget: {format_bytes(plan.budget_bytes)}{above}"),
        (
            "line-floor",
            f"single-op bound, on all rows: {format_bytes(bound.least_ram_bytes)}, because of op "
            f"{bound.op} {bound.type}",
        ),
    )


def _axes(frame: _Frame) -> Iterator[str]:
    for value, label in kib_ticks(0, frame.y.high):
        yield line(_LEFT, frame.y(value), frame.right, frame.y(value), "grid")
        yield text(_LEFT - 7, frame.y(value) + 4, label, anchor="end")
    yield text(4, 12, "KiB")
    bottom = frame.y(0)
    stride = every(frame.steps, frame.right - _LEFT, 30)
    for step in range(1, frame.steps, stride):
        yield text(frame.x(step + 0.5), bottom + 16, str(step - 1), anchor="middle")
    yield text((_LEFT + frame.right) / 2, bottom + 36, "op", anchor="middle")


def _columns(unsplit: ArenaMap, graph: Graph, frame: _Frame) -> Iterator[str]:
    """At each step a bar of what is alive, and one of the tail on it."""
    live = live_bytes(unsplit)[: frame.steps]
    tail = unsplit.tail_bytes
    types = ["the model's inputs", *(f"op {o.index} {o.type}" for o in graph.ops)]

    def bars(name: str, heights: list[tuple[int, int]]) -> str:
        columns = (
            mark(
                frame.x(step),
                frame.y(high),
                frame.column,
                frame.y(low) - frame.y(high),
                f"{types[step]}: {format_bytes(live[step])} alive, {format_bytes(tail)} tail",
            )
            for step, (low, high) in enumerate(heights)
            if high > low
        )
        return group(f"marks ram {name}", columns)

    yield bars("tensor", [(0, size) for size in live])
    if tail:
        yield bars("tail", [(size, size + tail) for size in live])
        yield path(_outline(live, tail, frame), "hatch")


def _outline(live: list[int], tail: int, frame: _Frame) -> str:
    """The tail's columns as one shape, for its hatching."""
    height = frame.y(0) - frame.y(tail)
    return "".join(
        f"M{frame.x(step):.1f} {frame.y(size + tail):.1f}h{frame.column:.2f}v{height:.1f}"
        f"h{-frame.column:.2f}z"
        for step, size in enumerate(live)
    )


def _kept(plan: Plan, frame: _Frame) -> Iterator[str]:
    """A band at the bottom: what resident pieces keep, whichever piece runs."""
    if plan.kept_bytes:
        top = frame.y(plan.kept_bytes)
        says = f"kept by resident pieces, for good: {format_bytes(plan.kept_bytes)}"
        band = mark(frame.x(0), top, frame.right - frame.x(0), frame.y(0) - top, says)
        yield group("marks kept", [band])
        yield line(frame.x(0), top, frame.right, top, "line-kept")


def _pieces_path(plan: Plan, frame: _Frame) -> str:
    """Steps up and down from piece to piece, on what resident ones keep. The inputs' step belongs
    to the first piece."""
    parts: list[str] = []
    for span in spans_of(plan):
        start, stop = _ends(span, frame)
        y = frame.y(span.ram_bytes + plan.kept_bytes)
        parts.append(f"{'L' if parts else 'M'}{start:.1f} {y:.1f}L{stop:.1f} {y:.1f}")
    return "".join(parts)


def _pieces(plan: Plan, frame: _Frame) -> Iterator[str]:
    """Wide, unseen targets on the line of each piece, and its number where there is room."""
    for span in spans_of(plan):
        start, stop = _ends(span, frame)
        y = frame.y(span.ram_bytes + plan.kept_bytes)
        says = f"{span.says}: {format_bytes(span.ram_bytes)} RAM"
        if plan.kept_bytes:
            says += f", and {format_bytes(plan.kept_bytes)} kept by resident pieces"
        yield mark(start, y - 5, stop - start, 10, says)
        if stop - start >= _NUMBER_WIDTH * (1 + span.last - span.first):
            yield text((start + stop) / 2, y + 15, span.number, "halo", "middle")


def _ends(span: Span, frame: _Frame) -> tuple[float, float]:
    start = span.start + 1 if span.start else 0
    return frame.x(start), frame.x(span.stop + 1)

"""The DAG with its cuts: ops in their order from top to bottom, cuts as lines across."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from splitopt.base.units import format_bytes, plural
from splitopt.bundle.schema.graph import Graph, GraphOp
from splitopt.bundle.schema.memory import Memory
from splitopt.bundle.schema.plan import Plan
from splitopt.report.charts.labels import shorten
from splitopt.report.charts.lanes import Lanes, assign_lanes
from splitopt.report.charts.ram_chart import live_bytes
from splitopt.report.charts.spans import Span, spans_of
from splitopt.report.charts.svg import Chart, drawing, group, line, mark, number, path, rect, text

_ROW, _HEADER, _GAP = 22, 40, 10
_LANE, _MOST_LANES_WIDTH = 18, 220
_LEFT, _BOX, _LABEL_WIDTH, _WIDTH, _FEWEST_BARS, _VALUES = 16, 12, 240, 1120, 190, 96


@dataclass(frozen=True)
class _Frame:
    """Places of ops. Inputs of the model are nodes below 0: -1 - the position among the inputs."""

    rows: dict[int, float]
    headers: tuple[float, ...]
    lanes: Lanes
    lane_width: float
    height: float

    def x(self, node: int) -> float:
        return _LEFT + 8 + self.lane_width * self.lanes.of_node[node]

    @property
    def labels(self) -> float:
        return _LEFT + 8 + self.lane_width * self.lanes.count + 6

    @property
    def bars(self) -> float:
        return self.labels + _LABEL_WIDTH

    @property
    def width(self) -> float:
        return max(self.bars + _FEWEST_BARS + _VALUES, _WIDTH)

    @property
    def longest_bar(self) -> float:
        return self.width - self.bars - _VALUES


def dag_chart(plan: Plan, memory: Memory, graph: Graph) -> Chart:
    """Every op with its type and what is alive while it runs; every cut with what crosses it."""
    edges = _edges(graph)
    frame = _frame(plan, graph, edges)
    parts = [
        *_areas(plan, frame),
        group("edges", (_edge(frame, a, b) for a, b in edges)),
        *_inputs(graph, frame),
        *_ops(plan, graph, memory, frame),
    ]
    title = "The model's graph with its cuts"
    svg = drawing("dag", title, frame.width, frame.height, parts)
    return Chart("dag", title, svg)


def _edges(graph: Graph) -> list[tuple[int, int]]:
    """Each pair once; the model's inputs are nodes of their own."""
    edges = {(edge.maker, edge.reader) for edge in graph.edges}
    for number_, tensor in enumerate(graph.inputs):
        entry = graph.tensors.get(str(tensor))
        edges |= {(-1 - number_, reader) for reader in (entry.read_by if entry else ())}
    return sorted(edges)


def _frame(plan: Plan, graph: Graph, edges: list[tuple[int, int]]) -> _Frame:
    inputs = [-1 - k for k in range(len(graph.inputs))]
    lanes = assign_lanes([*inputs, *range(len(graph.ops))], edges)
    y, rows, headers = 8.0, {}, []
    for span in spans_of(plan):
        headers.append(y)
        y += _HEADER
        first = inputs if span.start == 0 else []
        for node in (*first, *range(span.start, span.stop)):
            rows[node] = y + _ROW / 2
            y += _ROW
        y += _GAP
    return _Frame(rows, tuple(headers), lanes, min(_LANE, _MOST_LANES_WIDTH / lanes.count), y + 8)


def _areas(plan: Plan, frame: _Frame) -> Iterator[str]:
    """An area for each span, headed by its name, every other one darker; the cut above it."""
    ends = [*frame.headers[1:], frame.height - 8]
    areas = zip(spans_of(plan), frame.headers, ends, strict=True)
    for number_, (span, top, end) in enumerate(areas):
        yield rect(0, top, frame.width, end - top, f"area band{number_ % 2}")
        if span.start:
            yield line(0, top, frame.width, top, "cut")
            yield _crossing(plan, span, frame, top)
        says = f"{span.says}: {format_bytes(span.ram_bytes)} RAM"
        yield text(frame.labels, top + 26, says, "head")


def _crossing(plan: Plan, span: Span, frame: _Frame, top: float) -> str:
    across = [
        entry
        for entry in plan.layout.boundary
        if entry.first_segment < span.first <= entry.last_segment
    ]
    total = format_bytes(sum(entry.size for entry in across))
    says = f"cut {span.start}: {total}"
    names = "; ".join(
        f"{shorten(entry.name, 160)} (tensor {entry.tensor}), {format_bytes(entry.size)}"
        f"{', left in place' if entry.in_place else ''}"
        for entry in across
    )
    width = 7.2 * len(says) + 12
    x = frame.labels
    held = mark(
        x,
        top - 9,
        width,
        18,
        f"cut before op {span.start}: {plural(len(across), 'boundary tensor')} "
        f"of {total} across it: {names}",
        "chip",
    )
    label = text(x + width / 2, top + 4, says, "chip-text", "middle")
    return group("marks", [held]) + label


def _edge(frame: _Frame, maker: int, reader: int) -> str:
    """Down the maker's lane, then over to the reader's in the last row."""
    x1, y1, x2, y2 = frame.x(maker), frame.rows[maker], frame.x(reader), frame.rows[reader]
    if x1 == x2:
        return path(f"M{number(x1)} {number(y1)}V{number(y2)}")
    turn = y2 - _ROW
    down = f"V{number(turn)}" if turn > y1 else ""
    start = max(turn, y1)
    middle = (start + y2) / 2
    curve = f"C{number(x1)} {number(middle)} {number(x2)} {number(middle)}"
    return path(f"M{number(x1)} {number(y1)}{down}{curve} {number(x2)} {number(y2)}")


def _inputs(graph: Graph, frame: _Frame) -> Iterator[str]:
    marks, labels = [], []
    for position, tensor in enumerate(graph.inputs):
        node = -1 - position
        entry = graph.tensors.get(str(tensor))
        name, size = ("", 0) if entry is None else (entry.name, entry.bytes)
        says = f"input {shorten(name, 200)} (tensor {tensor}): "
        x, y = frame.x(node), frame.rows[node]
        marks.append(mark(x - 6, y - 4, 12, 8, says + format_bytes(size)))
        labels.append(text(frame.labels, y + 4, f"input {shorten(name, 40)}"))
    yield group("marks input", marks)
    yield group("names", labels)


def _ops(plan: Plan, graph: Graph, memory: Memory, frame: _Frame) -> Iterator[str]:
    """Boxes, names beside them, bars of what is alive at each op."""
    live = live_bytes(memory.unsplit)
    most = max(live) or 1
    for span in spans_of(plan):
        boxes, bars, labels = [], [], []
        for op in graph.ops[span.start : span.stop]:
            index = op.index
            x, y, alive = frame.x(index), frame.rows[index], live[index + 1]
            says = _op_text(op, graph, span, alive)
            boxes.append(mark(x - _BOX / 2, y - _BOX / 2, _BOX, _BOX, says))
            labels.append(text(frame.labels, y + 4, f"{index} {shorten(op.type, 22)}"))
            long = max(frame.longest_bar * alive / most, 1)
            bars.append(rect(frame.bars, y - 5, long, 10))
            labels.append(text(frame.bars + long + 6, y + 4, f"{alive:,} B", "note"))
        yield group("bars", bars)
        yield group("marks op", boxes)
        yield group("names", labels)


def _op_text(op: GraphOp, graph: Graph, span: Span, alive: int) -> str:
    made = (
        f"{shorten(entry.name, 120)} (tensor {tensor}), {format_bytes(entry.bytes)}"
        for tensor in op.outputs
        if (entry := graph.tensors.get(str(tensor))) is not None
    )
    nodes = op.onnx_nodes
    onnx = f"; ONNX {', '.join(shorten(node, 80) for node in nodes[:4])}" if nodes else ""
    return (
        f"op {op.index} {op.type} in piece {span.number}: makes "
        f"{'; '.join(made) or 'nothing'}; {format_bytes(alive)} alive in the unsplit model{onnx}"
    )

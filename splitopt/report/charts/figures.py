"""The charts of a report as files for papers and slides: SVG and PNG, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from splitopt.bundle.zz_documents import Document, RunDocuments, SweepDocuments
from splitopt.report.charts.pareto import are_close, first_of_plan
from splitopt.report.charts.ram_chart import live_bytes
from splitopt.report.charts.spans import spans_of

_KIB = 1024
_DOTS_PER_INCH = 150
_STYLE = {"svg.hashsalt": "splitopt", "svg.fonttype": "path", "text.parse_math": False}
_FILLS = {"tensor": "#a8d0ff", "scratch": "#ffcf8f"}
_EDGE, _PLAN, _BUDGET, _FLOOR, _UNSPLIT = "#4b5563", "#0550ae", "#a40e26", "#116329", "#6639ba"


def figures(documents: RunDocuments | SweepDocuments, folder: Path) -> list[Path]:
    """Writes every figure twice, as .svg and as .png; the files that were written.

    Of a run: `ram_per_step`, and `memory_map_NN` for each piece. Of a sweep: `pareto`, numbered
    (`pareto_02`) from the second model and board on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = _of_run(documents) if isinstance(documents, RunDocuments) else _of_sweep(documents)
    with rc_context(_STYLE):
        return [path for name, figure in drawn for path in _write(figure, folder / name)]


def _write(figure: Figure, stem: Path) -> Iterator[Path]:
    FigureCanvasAgg(figure)
    for suffix, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
        path = stem.with_name(stem.name + suffix)
        figure.savefig(path, dpi=_DOTS_PER_INCH, metadata=metadata)
        yield path


def _axes(width: float, height: float, title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _of_run(documents: RunDocuments) -> Iterator[tuple[str, Figure]]:
    plan, memory = documents.plan, documents.memory
    yield "ram_per_step", _ram_per_step(plan, memory)
    for segment, arena in zip(plan["segments"], memory["segments"], strict=True):
        around = sum(entry["size"] for entry in arena["boundary"])
        title = (
            f"piece {segment['index']:02d}, ops {segment['start']} to {segment['stop'] - 1}; "
            f"boundary tensors outside: {around:,} B"
        )
        yield f"memory_map_{segment['index']:02d}", _memory_map(arena, title)


def _ram_per_step(plan: Document, memory: Document) -> Figure:
    figure, axes = _axes(8, 3.6, _printable(plan["job"]["name"]), "op", "RAM, KiB")
    unsplit = memory["unsplit"]
    count = len(unsplit["ops"])
    live = [size / _KIB for size in live_bytes(unsplit)[1 : count + 1]]
    tail = unsplit["tail_bytes"] / _KIB
    at = range(count)
    axes.bar(at, live, 1, color=_FILLS["tensor"], label="alive in the unsplit head")
    axes.bar(at, tail, 1, live, color="#dcc2ff", hatch="//", edgecolor="#8b6bb5", linewidth=0,
             label="unsplit tail")  # fmt: skip
    spans = list(spans_of(plan))
    edges = [span.start - 0.5 for span in spans] + [count - 0.5]
    ram = [span.ram_bytes / _KIB for span in spans]
    axes.stairs(ram, edges, baseline=None, color=_PLAN, linewidth=2, label="RAM of each piece")
    for value, color, style, label in (
        (plan["baseline"]["ram_bytes"], _UNSPLIT, "-.", "unsplit model"),
        (plan["budget_bytes"], _BUDGET, "--", "budget"),
        (plan["floor"]["least_ram_bytes"], _FLOOR, ":", "floor"),
    ):
        axes.axhline(value / _KIB, color=color, linestyle=style, label=f"{label}: {value:,} B")
    axes.set_xlim(-0.5, count - 0.5)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def _memory_map(arena: Document, title: str) -> Figure:
    figure, axes = _axes(6, 3.6, title, "op (in: inputs of the piece)", "address, KiB")
    steps = max([len(arena["ops"]) + 1, *(buffer["stop"] for buffer in arena["buffers"])])
    for buffer in arena["buffers"]:
        _box(axes, buffer["start"], buffer["stop"], buffer["offset"], buffer["size"],
             facecolor=_FILLS[buffer["kind"]])  # fmt: skip
    tail, end = arena["tail_bytes"], arena["arena_bytes"]
    _box(axes, 0, steps, end - tail, tail, facecolor="#dcc2ff", hatch="//")
    stride = max(1, steps // 16)
    names = ["in", *(str(op) for op in arena["ops"]), *("" for _ in range(steps))]
    axes.set_xticks([k + 0.5 for k in range(0, steps, stride)], names[:steps:stride], fontsize=8)
    axes.set_xlim(0, steps)
    axes.set_ylim(0, end / _KIB)
    for value, label in ((arena["head_bytes"], "head"), (end, "arena")):
        axes.annotate(
            f"{label} {value:,} B",
            (1, value / _KIB),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=8,
            va="center",
        )
    return figure


def _box(axes: Axes, start: int, stop: int, offset: int, size: int, **look: Any) -> None:
    place = (start, offset / _KIB)
    axes.add_patch(
        Rectangle(place, stop - start, size / _KIB, edgecolor=_EDGE, linewidth=0.5, **look)
    )


def _of_sweep(documents: SweepDocuments) -> Iterator[tuple[str, Figure]]:
    groups: dict[tuple[str, str], list[Document]] = {}
    for row in first_of_plan(documents.records):
        groups.setdefault((row["model"], row["board"]), []).append(row)
    for number, ((model, board), rows) in enumerate(groups.items(), 1):
        name = "pareto" if number == 1 else f"pareto_{number:02d}"
        yield name, _pareto(rows, f"{_printable(PurePath(model).name)} on {_printable(board)}")


def _pareto(rows: Sequence[Document], title: str) -> Figure:
    """All plans; beside them the split ones alone, where those stand too close together."""
    split = [row for row in rows if row["added_insn"]]
    panels = [rows, split] if are_close(split, rows, ()) else [rows]
    figure = Figure(figsize=(5.5 * len(panels), 4), layout="constrained")
    figure.suptitle(title, fontsize=10)
    for axes, shown in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        axes.set_xlabel("peak RAM, KiB")
        axes.set_ylabel("estimated added kinsn per inference")
        axes.spines[["top", "right"]].set_visible(False)
        for dominated, color, label in ((True, "#8b949e", "dominated"), (False, _PLAN, "front")):
            some = [row for row in shown if row["dominated"] is dominated]
            _scatter(axes, some, color, label, numbered=shown is panels[-1])
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", fontsize=8)
    return figure


def _scatter(
    axes: Axes, rows: Sequence[Document], color: str, label: str, *, numbered: bool
) -> None:
    if not rows:
        return
    peaks = [row["peak_ram_bytes"] / _KIB for row in rows]
    added = [row["added_insn"] / 1000 for row in rows]
    sizes = [14 + 6 * min(row["pieces"], 16) for row in rows]
    axes.scatter(peaks, added, sizes, color=color, label=f"{label} (number and size: pieces)")
    for row, x, y in zip(rows, peaks, added, strict=True):
        if numbered and not row["dominated"]:
            axes.annotate(str(row["pieces"]), (x, y), xytext=(5, 3),
                          textcoords="offset points", fontsize=7)  # fmt: skip


def _printable(name: str) -> str:
    """What a font can draw, and not too long for a title."""
    return "".join(c if c.isprintable() else "?" for c in name)[:80]

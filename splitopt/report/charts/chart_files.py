"""The charts of a report as files for papers and slides: each as .svg, and as .png made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from itertools import accumulate
from pathlib import Path, PurePath

from splitopt.base.page_style import page_style
from splitopt.base.text import printable
from splitopt.bundle.load import RunDocuments, SweepDocuments
from splitopt.bundle.schema.sweep import PlannedRecord
from splitopt.report.charts.memory_map import LEGEND, boundary_names, memory_map
from splitopt.report.charts.pareto import first_of_plan, pareto_charts
from splitopt.report.charts.ram_chart import ram_chart
from splitopt.report.charts.svg import Chart, Key, fit, keys_drawn, line, number, rect, text

_ZOOM = 2
_TITLE, _KEY = 26, 18
_CHARACTER = 6.6
_SIZE = re.compile(r'width="([\d.]+)" height="([\d.]+)"')


def write_charts(documents: RunDocuments | SweepDocuments, folder: Path) -> list[Path]:
    """Writes every chart as .svg, and as .png where this machine has a font; the files written.

    Of a run: `ram_per_step`, and `memory_map_NN` for each piece. Of a sweep: `pareto`, numbered
    (`pareto_02`) from the second model and board on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = _of_run(documents) if isinstance(documents, RunDocuments) else _of_sweep(documents)
    return [path for name, svg in drawn for path in _write(svg, folder / name)]


def _write(svg: str, stem: Path) -> Iterator[Path]:
    path = stem.with_name(f"{stem.name}.svg")
    path.write_text(svg, "utf-8")
    yield path
    if draws_text():
        path = stem.with_name(f"{stem.name}.png")
        path.write_bytes(_png(svg))
        yield path


def _png(svg: str) -> bytes:
    import resvg_py  # here, as the command line imports this module for every command

    return bytes(resvg_py.svg_to_bytes(svg_string=svg, background="#ffffff", zoom=_ZOOM))


@cache
def draws_text() -> bool:
    """Whether there is a font: letters of a drawing would be left out without one."""
    empty = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">'
    letters = f'{empty}<text x="2" y="15" font-family="sans-serif">M</text></svg>'
    return _png(letters) != _png(f"{empty}</svg>")


def _of_run(documents: RunDocuments) -> Iterator[tuple[str, str]]:
    plan, memory = documents.plan, documents.memory
    chart = ram_chart(plan, memory, documents.graph)
    yield "ram_per_step", sheet(printable(plan.job.name), [chart], chart.legend)
    for segment, arena in zip(plan.segments, memory.segments, strict=True):
        title = f"piece {segment.index:02d}, ops {segment.start} to {segment.stop - 1}"
        chart = memory_map(
            arena,
            memory.region_bytes,
            boundary_names(plan),
            ident="map",
            title=title,
            stream=segment.stream,
        )
        yield f"memory_map_{segment.index:02d}", sheet(title, [chart], keys_drawn(LEGEND, [chart]))


def _of_sweep(documents: SweepDocuments) -> Iterator[tuple[str, str]]:
    groups: dict[tuple[str, str], list[PlannedRecord]] = {}
    for row in first_of_plan(documents.records):
        groups.setdefault((row.model, row.board), []).append(row)
    for count, ((model, board), rows) in enumerate(groups.items(), 1):
        title = f"{printable(PurePath(model).name)} on {printable(board)}"
        charts = pareto_charts(rows, "pareto", title)
        name = "pareto" if count == 1 else f"pareto_{count:02d}"
        yield name, sheet(title, charts, charts[0].legend)


def sheet(title: str, charts: Sequence[Chart], keys: Sequence[Key]) -> str:
    """Charts side by side under a title, with their legend below: a file that stands by itself."""
    sizes = [tuple(map(float, _SIZE.findall(chart.svg)[0])) for chart in charts]
    lefts = [0.0, *accumulate(width for width, _ in sizes)]
    width, height = lefts[-1], max(high for _, high in sizes)
    placed = (
        chart.svg.replace("<svg ", f'<svg x="{number(left)}" y="{_TITLE}" ', 1)
        for chart, left in zip(charts, lefts, strict=False)
    )
    legend, bottom = _legend(keys, width, _TITLE + height)
    return fit(
        '<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" '
        f'width="{number(width)}" height="{number(bottom)}" '
        f'viewBox="0 0 {number(width)} {number(bottom)}"><style>{escape(_style())}</style>'
        '<defs><pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><path d="M0 0V8"/></pattern></defs>'
        f"{text(8, 18, title, 'head')}{''.join(placed)}{legend}</svg>\n"
    )


def _legend(keys: Sequence[Key], width: float, top: float) -> tuple[str, float]:
    """Entries one after another, on as many lines as they need; and where they end."""
    parts, x, y = [], 8.0, top
    for name, says in keys:
        room = 34 + _CHARACTER * len(says)
        if x > 8 and x + room > width:
            x, y = 8.0, y + _KEY
        parts.append(_swatch(name, x, y) + text(x + 26, y + 12, says))
        x += room
    return "".join(parts), y + (_KEY + 6 if keys else 0)


def _swatch(name: str, x: float, y: float) -> str:
    middle = y + 8
    if name.startswith("line-"):
        return line(x, middle, x + 20, middle, name)
    if name == "point-refused":
        cross = (line(x + 6, middle - 4 * k, x + 14, middle + 4 * k) for k in (1, -1))
        return f'<g class="{name}">{"".join(cross)}</g>'
    if name == "point-open":
        return f'<g class="points">{rect(x + 5, y + 3, 10, 10, "open")}</g>'
    if name.startswith("point-"):
        group = "points" if name == "point-front" else name
        return f'<g class="{group}"><circle cx="{number(x + 10)}" cy="{number(middle)}" r="5"/></g>'
    box = rect(x, y + 2, 20, 12, "unused" if name == "unused" else "")
    over = rect(x, y + 2, 20, 12, "hatch") if name == "tail" else ""
    under = f'<g class="marks boundary">{box}</g>' if name == "rolled" else ""
    return f'{under}<g class="marks {name}">{box}</g>{over}'


@cache
def _style() -> str:
    """The page's rules for drawings, in the colours of its light theme."""
    css = page_style()
    colours = dict(re.findall(r"--(\w+): (#\w{6})", css.split("}", 1)[0]))
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", css.split("@media (max-width", 1)[0])
    kept = (
        (selector.strip(), re.sub(r"var\(--(\w+)\)", lambda m: colours[m[1]], body))
        for selector, body in rules
        if re.search(r"svg |#hatch|\.\w+ rect", selector) and ":" not in selector
    )
    sheet = "\n".join(
        f"{re.sub(r', .key[^,]*', '', selector)} {{{body}}}" for selector, body in kept
    )
    return re.sub(r"font: (\d+px) [^;}]*", r"font-size: \1; font-family: sans-serif", sheet)

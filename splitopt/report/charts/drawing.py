"""A chart as an SVG that stands by itself, for notebooks and files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from splitopt.report.charts.svg import Chart

_HATCH = (
    '<defs><pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><path d="M0 0V8"/></pattern></defs>'
)


@dataclass(frozen=True)
class Drawing:
    """An SVG with its style inside. Notebooks show it; `svg` is what to write to a file."""

    title: str
    svg: str

    def _repr_svg_(self) -> str:
        return self.svg


def drawing_of(chart: Chart) -> Drawing:
    """The chart in the light colours of the page."""
    start, rest = chart.svg.split(">", 1)
    opened = start.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    style = f"<style>/*<![CDATA[*/{_light_style()}/*]]>*/</style>"
    return Drawing(chart.title, f"{opened}>{style}{_HATCH}{rest}")


@cache
def _light_style() -> str:
    """The page's first block, which has the colours, and its rules for drawings."""
    css = (files("splitopt.report") / "templates" / "report.css").read_text("utf-8")
    colours = css[: css.index("@media")]
    rules = (line for line in css.splitlines() if line.startswith(("svg ", ".", "#hatch")))
    return colours + "\n".join(line for line in rules if line.endswith("}"))

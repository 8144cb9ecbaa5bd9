"""Charts as an SVG that stands by itself, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from splitopt.report.charts.chart_files import sheet
from splitopt.report.charts.svg import Chart, Key, keys_drawn


@dataclass(frozen=True, repr=False)
class Drawing:
    """An SVG with its style inside. Notebooks show it; `svg` is what to write to a file."""

    title: str
    svg: str

    def __repr__(self) -> str:
        return f"<Drawing {self.title}>"

    def _repr_svg_(self) -> str:
        return self.svg


def drawing_of(charts: Sequence[Chart], keys: Sequence[Key]) -> Drawing:
    """Charts side by side under the title of the first; `keys`: of their legend."""
    title = charts[0].title
    return Drawing(title, sheet(title, charts, keys_drawn(keys, charts)))

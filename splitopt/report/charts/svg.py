"""Inline SVG as text: a chart with a title, and marks that say what they are.

A mark is a shape with a `<title>`; the page's script shows it on hover, tap and focus.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

Key = tuple[str, str]
"""An entry of a legend: (class of the swatch, text)."""


@dataclass(frozen=True)
class Chart:
    """An SVG with what stands around it. `svg` is markup; all else is text."""

    ident: str
    title: str
    svg: str
    caption: str = ""
    legend: tuple[Key, ...] = ()


# What XML cannot hold, and what turns the direction of the text around it.
_UNFIT = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def fit(markup: str) -> str:
    """Markup without characters that no page holds."""
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", markup)


def number(value: float) -> str:
    """At most one decimal: `12`, `12.5`."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _place(x: float, y: float, width: float, height: float) -> str:
    return _attributes((("x", x), ("y", y), ("width", width), ("height", height)))


def _attributes(pairs: Iterable[tuple[str, float]]) -> str:
    return " ".join(f'{name}="{number(value)}"' for name, value in pairs)


def keys_drawn(keys: Iterable[Key], charts: Iterable[Chart]) -> list[Key]:
    """Those of a legend that one of the charts has; points are named in another way."""
    drawn = [chart.svg for chart in charts]
    return [k for k in keys if k[0].startswith("point-") or any(f'{k[0]}"' in svg for svg in drawn)]


def rect(x: float, y: float, width: float, height: float, name: str = "") -> str:
    return f"<rect {_place(x, y, width, height)}{_class(name)}/>"


def mark(x: float, y: float, width: float, height: float, says: str, name: str = "") -> str:
    """A rectangle that says what it is; at least one unit in each direction."""
    place = _place(x, y, max(width, 1), max(height, 1))
    return f"<rect {place}{_class(name)}><title>{escape(says)}</title></rect>"


def line(x1: float, y1: float, x2: float, y2: float, name: str = "") -> str:
    ends = (("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2))
    return f"<line {_attributes(ends)}{_class(name)}/>"


def path(data: str, name: str = "") -> str:
    return f'<path d="{data}"{_class(name)}/>'


def text(x: float, y: float, says: str, name: str = "", anchor: str = "") -> str:
    """`anchor`: `middle` or `end`; the start otherwise."""
    held = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{number(x)}" y="{number(y)}"{held}{_class(name)}>{escape(says)}</text>'


def group(name: str, parts: Iterable[str]) -> str:
    """Shapes of one class; nothing where there are none."""
    inner = "".join(parts)
    return f'<g class="{name}">{inner}</g>' if inner else ""


def drawing(
    ident: str,
    title: str,
    width: float,
    height: float,
    parts: Iterable[str],
    name: str = "",
    data: str = "",
) -> str:
    """The whole SVG, as wide as it is drawn; `title` is its name for those who don't see it, `data`
    what the page's script needs to redraw it."""
    held = f' data-frame="{data}"' if data else ""
    return (
        f'<svg viewBox="0 0 {number(width)} {number(height)}" width="{number(width)}" '
        f'height="{number(height)}" role="group" aria-labelledby="{ident}-t"{_class(name)}{held}>'
        f'<title id="{ident}-t">{escape(title)}</title>{"".join(parts)}</svg>'
    )

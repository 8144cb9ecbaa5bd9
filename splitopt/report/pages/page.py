"""One self-contained HTML page: templates filled, style and script inside, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from splitopt.base.page_style import page_style
from splitopt.report.charts.svg import fit

_UNIT = re.compile(r"(?<=\d) (?=(?:%|B|k|M)(?!\w))")


def render(template: str, **context: Any) -> str:
    """The page. Every text in `context` is escaped; the markup of charts is the only exception.

    The page's own policy refuses all requests, and every script but the one that is built in.
    """
    script = _source("report.js")
    page = _environment().get_template(f"{template}.html.jinja")
    filled = page.render(
        style=page_style(),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **context,
    )
    return fit(filled)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("splitopt.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["unbroken"] = _unbroken
    return environment


def _unbroken(sentence: str) -> str:
    """No line ends between a figure and its unit."""
    return _UNIT.sub("\N{NO-BREAK SPACE}", sentence)


@cache
def _source(name: str) -> str:
    """A file that stands in the page as it is."""
    environment = _environment()
    assert environment.loader is not None, "made with one"
    return environment.loader.get_source(environment, name)[0]

"""The explanation of one model as a self-contained page: no script, nothing from the network."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from splitopt.base.page_style import page_style
from splitopt.base.units import format_bytes, more_text
from splitopt.bundle.schema.explain import ModelExplanation
from splitopt.explain.fit import (
    COLUMNS,
    certainty_lines,
    next_command,
    peak_rows,
    verdict_lines,
)
from splitopt.explain.memory.facts import where_text
from splitopt.explain.switching import worth_lines
from splitopt.explain.text import streamable_lines


def render_model(found: ModelExplanation) -> str:
    lines = () if found.streamable is None else tuple(streamable_lines(found.streamable))
    worth = found.switching
    switching = () if worth is None else tuple(worth_lines(worth, found.invoke_insn))
    return _template().render(
        style=page_style(),
        facts=found,
        answer=[*verdict_lines(found)],
        columns=COLUMNS,
        rows=[*peak_rows(found)],
        certainty=[*certainty_lines(found)],
        next=next_command(found),
        streamable=lines,
        switching=switching,
        where=where_text(found),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("splitopt.explain", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"bytes": format_bytes, "insn": more_text, "share": _share}
    return environment.get_template("model.html.jinja")


def _share(part: int, whole: int) -> str:
    """A share as CSS has it."""
    return f"{100 * part / whole:.3f}%" if whole else "0%"

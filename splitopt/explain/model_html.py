"""The facts of one model as a self-contained page: no script, nothing from the network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from splitopt.base.units import format_bytes, format_kinsn


def render_facts(facts: Mapping[str, Any]) -> str:
    """`facts`: what `ModelFacts.to_dict` gives, also after a way through JSON."""
    return _template().render(facts=facts)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("splitopt.explain", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"bytes": format_bytes, "kinsn": format_kinsn, "share": _share}
    return environment.get_template("model.html.jinja")


def _share(part: int, whole: int) -> str:
    """A share as CSS has it."""
    return f"{100 * part / whole:.3f}%" if whole else "0%"

"""The one style of all pages: of runs, of sweeps, and of models that are explained."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def page_style() -> str:
    """A CSS sheet; its first rule has the colours of the light theme."""
    return (files("splitopt.base") / "page.css").read_text("utf-8")

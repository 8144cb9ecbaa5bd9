"""Texts of strangers, made fit for a terminal."""

from __future__ import annotations


def one_line(text: str) -> str:
    """The whole text on one line, with nothing in it that steers a terminal."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))

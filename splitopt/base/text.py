"""Texts of strangers, made fit for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def one_line(text: str) -> str:
    """The whole text on one line, with nothing in it that steers a terminal."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


Row = tuple[str, ...]


def table(header: Row, rows: Sequence[Row]) -> str:
    """Columns padded to the widest cell; the first to the left, the others to the right."""
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    )


_LONGEST_NAME = 80


def printable(text: str) -> str:
    """A stranger's name, short, with nothing in it that steers a terminal."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 3]}..."


def html_table(caption: str, header: Row, rows: Sequence[Row]) -> str:
    """The same as HTML, for notebooks; every string is escaped."""

    def line(tag: str, cells: Row) -> str:
        shown = (f'<{tag} style="text-align: right">{escape(cell)}</{tag}>' for cell in cells[1:])
        return (
            f'<tr><{tag} style="text-align: left">{escape(cells[0])}</{tag}>{"".join(shown)}</tr>'
        )

    body = "".join(line("td", row) for row in rows)
    return f"<table><caption>{escape(caption)}</caption>{line('th', header)}{body}</table>"

"""Text for a terminal: untrusted strings made fit for it, tables, and lines with a tone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

Row = tuple[str, ...]
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Line:
    """One line. `tone`: `verdict`, `header`, `table`, `note` or a status: what a style hangs on."""

    text: str
    tone: str = ""


Paragraph = tuple[Line, ...]


def one_line(text: str) -> str:
    """The whole text on one line, with nothing in it that steers a terminal."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


def printable(text: str) -> str:
    """An untrusted name, short, with nothing in it that steers a terminal."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 3]}..."


def first_few(items: Sequence[object], most: int = 8) -> str:
    """`3, 6, 9, ...`: the first items of a list that may be long."""
    shown = ", ".join(map(str, items[:most]))
    return f"{shown}, ..." if len(items) > most else shown


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


def table_of(header: Row, rows: Sequence[Row]) -> Paragraph:
    first, *rest = table(header, rows).split("\n")
    return (Line(first, "header"), *(Line(row, "table") for row in rest))


def html_table(caption: str, header: Row, rows: Sequence[Row]) -> str:
    """A table as HTML, for notebooks; every string is escaped."""

    def line(tag: str, cells: Row) -> str:
        shown = (f'<{tag} style="text-align: right">{escape(cell)}</{tag}>' for cell in cells[1:])
        return (
            f'<tr><{tag} style="text-align: left">{escape(cells[0])}</{tag}>{"".join(shown)}</tr>'
        )

    body = "".join(line("td", row) for row in rows)
    return f"<table><caption>{escape(caption)}</caption>{line('th', header)}{body}</table>"


def lines_of(texts: Iterable[str]) -> Paragraph:
    return tuple(map(Line, texts))


def plain_text(paragraphs: Iterable[Paragraph]) -> str:
    """Paragraphs with an empty line between them."""
    return "\n\n".join("\n".join(line.text for line in lines) for lines in paragraphs) + "\n"

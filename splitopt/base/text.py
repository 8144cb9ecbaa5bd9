"""Untrusted text made fit for where it goes, tables, and lines with a tone.

Names come out of files of others: tensors, ops, jobs, boards. `clean` is the one rule of what may
leave for a terminal or a document; the others add what their place needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

Row = tuple[str, ...]
_LONGEST_NAME = 80
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True)
class Line:
    """One line. `tone`: `verdict`, `header`, `table`, `note` or a status: what a style hangs on."""

    text: str
    tone: str = ""


Paragraph = tuple[Line, ...]


def clean(text: str) -> str:
    """The text with a question mark for each character that steers a terminal or a page: controls,
    line ends, marks that turn the direction, halves of surrogate pairs."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


def clean_lines(text: str) -> str:
    """As `clean`, line by line."""
    return "\n".join(map(clean, text.split("\n")))


def one_line(text: str) -> str:
    """The whole text on one line, clean."""
    return clean(" ".join(text.split()))


def markdown(text: str) -> str:
    """Text that Markdown shows as it stands, in a table, too."""
    kept = re.sub(r"([\\`*_{}\[\]<>#|~!&@])", r"\\\1", one_line(text))
    return kept.replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")


def code_span(text: str) -> str:
    """Text that can stand between backticks in Markdown."""
    return one_line(text).replace("`", "'")


def csv_cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula; numbers stay as they are."""
    shown = clean(text)
    if _NUMBER.fullmatch(shown):
        return shown
    return f"'{shown}" if shown.lstrip()[:1] in set("=+-@") else shown


def cpp_comment(text: str) -> str:
    """Text that stays within a `//` comment: ASCII on one line, and nothing that joins the next
    line to it, as a backslash does, or the trigraph of one."""
    return re.sub(r"[^ -~]|[\\?]", "_", one_line(text))


def printable(text: str) -> str:
    """An untrusted name, short and clean."""
    shown = clean(text)
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

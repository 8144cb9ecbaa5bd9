"""Tables of a report: a caption, columns and rows of text; the first cell of a row names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Row = tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """`numbers`: columns from this one on hold numbers and stand to the right."""

    caption: str
    header: Row
    rows: tuple[Row, ...]
    numbers: int = 1


def grid(caption: str, header: Sequence[str], rows: Sequence[Row], numbers: int = 1) -> Grid:
    return Grid(caption, tuple(header), tuple(rows), numbers)

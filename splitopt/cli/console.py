"""Standard output and standard error: tables, one JSON document, errors, and what is under way.

All text that leaves goes through `clean_lines` here, whatever names it quotes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from splitopt.base.progress import Heading
from splitopt.base.text import clean, clean_lines, one_line
from splitopt.cli.plain_progress import plain_progress

_UNBROKEN = 10_000
"""Columns of what is no terminal: lines in pipes and files stay whole."""


class _CleanConsole(Console):
    """Takes what steers a terminal out of every string; styles are rich's own."""

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(clean_lines(text), **how)


out = _CleanConsole(highlight=False)
if not out.is_terminal:
    out.width = _UNBROKEN
err = _CleanConsole(stderr=True, soft_wrap=True, highlight=False)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """What is under way, on standard error: a spinner beside it on a terminal, else plain lines."""
    if not err.is_terminal:
        with plain_progress(show_step) as say:
            yield say
        return
    with err.status("starting") as status:

        def say(step: str) -> None:
            status.update(f"{escape(clean(step))} ...")
            if isinstance(step, Heading):
                show_step(step)

        yield say


def show_step(line: str) -> None:
    err.print(escape(clean(line)))


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for k, name in enumerate(header):
        table.add_column(escape(name), justify="left" if k == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)
    out.print()


def show_lines(text: str) -> None:
    """Text as it is; the terminal breaks what is too wide for it."""
    out.print(text, markup=False, soft_wrap=True)


def show_json(data: Any) -> None:
    """One JSON document on stdout, and nothing else there."""
    from splitopt.bundle.documents import json_text

    text = json_text(data)
    sys.stdout.write(text)
    _documents.append(text)


_documents: list[str] = []


def has_document() -> bool:
    """Whether the document of this command is out."""
    return bool(_documents)


def show_notices(lines: Iterable[str]) -> None:
    """On standard error, so that documents stay what they are."""
    for line in lines:
        err.print(f"[yellow]note:[/yellow] {escape(one_line(line))}")


def show_warning(line: str) -> None:
    err.print(f"[bold yellow]warning:[/bold yellow] {escape(one_line(line))}")


def show_error(message: str, excerpt: str = "") -> None:
    """`excerpt`: lines of the file that is wrong, with a caret under the place."""
    err.print(f"[bold red]error:[/bold red] {escape(one_line(message))}")
    if excerpt:
        err.print(excerpt, markup=False)

"""The C++ tables of a streamed piece as strings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any

from splitopt.runtime.stream_tables import NOWHERE, StreamTables


def row_text(row: Any) -> str:
    """The initialiser of a structure whose fields are words."""
    words = ("kNowhere" if word == NOWHERE else str(word) for word in astuple(row))
    return f"{{{', '.join(words)}}}"


def group_names(index: int, stream: StreamTables) -> list[str]:
    """Of the arrays of a piece's groups."""
    return [f"kPiece{index}Group{g}" for g in range(len(stream.groups))]


def stream_text(index: int, stream: StreamTables) -> Iterator[str]:
    """Defines kStream with this index."""
    rows = []
    for g, (name, group) in enumerate(zip(group_names(index, stream), stream.groups, strict=True)):
        views, made = f"kViews{index}_{g}", f"kMade{index}_{g}"
        yield _table("View", views, group.views)
        yield _table("Made", made, group.made)
        rows.append(
            f"    {{{name}, {views}, {len(group.views)}, {made}, {len(group.made)}, "
            f"{group.rows}, {group.period}, {group.first_tick}, {group.rows_per_turn}, "
            f"{group.dropped}}},\n"
        )
    yield f"const splitopt::Group kGroups{index}[] = {{\n{''.join(rows)}}};\n"
    buffers, sources = f"kBuffers{index}", f"kSources{index}"
    yield _table("LineBuffer", buffers, stream.buffers)
    yield _table("Source", sources, stream.sources)
    yield (
        f"const splitopt::Stream kStream{index} = {{kGroups{index}, {len(stream.groups)}, "
        f"{buffers}, {len(stream.buffers)}, {sources}, {len(stream.sources)}, "
        f"{stream.interpreters_bytes}}};\n"
    )


def _table(structure: str, name: str, rows: Sequence[Any]) -> str:
    lines = "".join(f"    {row_text(row)},\n" for row in rows)
    return f"constexpr splitopt::{structure} {name}[] = {{\n{lines}}};\n"

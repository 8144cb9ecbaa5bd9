"""What an exported plan takes in flash: files of pieces and groups, their weights, tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from splitopt.base.units import format_bytes, plural
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece
from splitopt.graph.model import ModelGraph
from splitopt.runtime.links import PieceLinks
from splitopt.runtime.stream_tables import GroupRow
from splitopt.workflows.export.beside import code_text
from splitopt.workflows.export.tables import Tables

_WORD_BYTES = 4
_PIECE_WORDS = 11
_STREAM_WORDS = 7
_GROUP_POINTERS = 5
"""Its model, and two tables with their lengths."""


def file_paths(bundle: OpenBundle) -> list[Path]:
    """Of all .tflite files, in the order of the plan."""
    return [path for piece in bundle.pieces for path in _paths(piece)]


def flash_text(bundle: OpenBundle, tables: Tables) -> str:
    """Markdown."""
    rows = [_row(piece) for piece in bundle.pieces]
    files, size, weights = (sum(column) for column in list(zip(*rows, strict=True))[1:])
    lines = [
        f"- the model as one file: {format_bytes(bundle.plan.model.bytes)}, of that "
        f"{format_bytes(constant_bytes(bundle.graph))} weights and other constants",
        f"- {plural(files, 'file')} of "
        f"{plural(len(rows), 'piece')}: {format_bytes(size)}, of that {format_bytes(weights)} "
        "constants; each file describes its ops and tensors anew",
        f"- tables of the plan: {format_bytes(_WORD_BYTES * _words(tables))}",
        code_text(),
        "",
        "| piece | files | bytes | of that constants |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {files} | {format_bytes(size)} | {format_bytes(constants)} |"
        for name, files, size, constants in rows
    ]
    return "\n".join(lines)


def _paths(piece: Piece) -> tuple[Path, ...]:
    return tuple(group.path for group in piece.groups) or (piece.path,)


def _row(piece: Piece) -> tuple[str, int, int, int]:
    name = f"{piece.index}, streamed" if piece.stream else str(piece.index)
    paths = _paths(piece)
    weights = sum(constant_bytes(graph) for graph in piece.file_graphs)
    return name, len(paths), sum(path.stat().st_size for path in paths), weights


def constant_bytes(graph: ModelGraph) -> int:
    """Of a file: tensors may share a buffer, which is there once."""
    tensors = (tensor for own in (graph, *graph.called) for tensor in own.tensors)
    buffers = {tensor.buffer: tensor.bytes for tensor in tensors if tensor.is_constant}
    return sum(buffers.values())


def _words(tables: Tables) -> int:
    rows = [*filter(None, tables.kept), *tables.stores]
    return sum(map(_piece_words, tables.links)) + sum(map(_row_words, rows))


def _piece_words(links: PieceLinks) -> int:
    words = _PIECE_WORDS + sum(map(_row_words, (*links.inputs, *links.outputs, *links.slices)))
    stream = links.stream
    if stream is None:
        return words
    words += _STREAM_WORDS + sum(map(_row_words, (*stream.buffers, *stream.sources)))
    return words + sum(_group_words(group) for group in stream.groups)


def _group_words(group: GroupRow) -> int:
    own = sum(not isinstance(value, tuple) for value in _values(group))
    return _GROUP_POINTERS + own + sum(map(_row_words, (*group.views, *group.made)))


def _row_words(row: Any) -> int:
    return len(list(_values(row)))


def _values(row: Any) -> Iterator[Any]:
    assert is_dataclass(row)
    return (getattr(row, field.name) for field in fields(row))

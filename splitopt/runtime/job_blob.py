"""A job for the simulated program as bytes: plans, pieces, inputs. Layout: runner/sim/job.h."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from splitopt.graph.model import ModelGraph
from splitopt.graph.schema import OP_NAMES
from splitopt.graph.segments import whole_model
from splitopt.runtime.kept_tails import KeptTail, StorePlan, word_hash
from splitopt.runtime.links import PieceLinks, links_of
from splitopt.runtime.stream_tables import StreamTables
from splitopt.runtime.worker_process import Array

MAGIC, VERSION = 0x4A504C53, 8
_HEADER_WORDS = 8
_ALIGNMENT = 16
_OP_CODES = {name: code for code, name in OP_NAMES.items()}


@dataclass(frozen=True)
class PlannedPiece:
    """A piece as it is run: its file, its arena (headroom included), its inputs and outputs.
    A streamed one has a file for each group in `groups`, and none in `data`. `kept`: of one that
    is built once, resident or restored."""

    data: bytes
    arena_bytes: int
    links: PieceLinks
    arena_offset: int = 0
    groups: tuple[bytes, ...] = ()
    kept: KeptTail | None = None


@dataclass(frozen=True)
class PlannedRun:
    """Pieces in one region; `feeds`: an array [samples, *shape] for each input of the model.
    `stores`: memories that tails of pieces are kept in. `region_offset`: of the region in the
    SRAM. `reset_before`: the sample that a new sequence begins with, 0 for none."""

    pieces: tuple[PlannedPiece, ...]
    region_bytes: int
    feeds: tuple[Array, ...]
    output_bytes: tuple[int, ...]
    stores: tuple[StorePlan, ...] = ()
    region_offset: int = 0
    reset_before: int = 0

    @property
    def samples(self) -> int:
        return len(self.feeds[0])


def unsplit_run(graph: ModelGraph, arena_bytes: int, feeds: Sequence[Array]) -> PlannedRun:
    """The model as one piece, which has the whole region as its arena."""
    [links] = links_of(graph, [whole_model(graph)], {})
    pieces = (PlannedPiece(graph.source, arena_bytes, links),)
    return PlannedRun(pieces, arena_bytes, tuple(feeds), output_bytes(graph))


def output_bytes(graph: ModelGraph) -> tuple[int, ...]:
    """Sizes of the model's outputs, in its order."""
    return tuple(graph.tensors[tensor].bytes for tensor in graph.outputs)


def pack(runs: Sequence[PlannedRun], op_types: Iterable[str], *, per_op: bool = False) -> bytes:
    """The job as bytes. `op_types`: all that the pieces use; `per_op`: time each op, too."""
    blob = _Blob(4 * _HEADER_WORDS)
    entries = [_run(blob, run) for run in runs]
    table = blob.words(word for entry in entries for word in entry)
    codes = sorted(_OP_CODES[name] for name in set(op_types))
    ops = blob.words(codes)
    header = (MAGIC, VERSION, len(blob.data), len(runs), table, int(per_op), len(codes), ops)
    struct.pack_into(f"<{_HEADER_WORDS}I", blob.data, 0, *header)
    return bytes(blob.data)


class _Blob:
    def __init__(self, reserved: int) -> None:
        self.data = bytearray(reserved)
        self._known: dict[bytes, int] = {}

    def put(self, data: bytes) -> int:
        """The offset of these bytes, aligned; equal bytes are stored once."""
        if data not in self._known:
            self.data.extend(bytes(-len(self.data) % _ALIGNMENT))
            self._known[data] = len(self.data)
            self.data.extend(data)
        return self._known[data]

    def words(self, values: Iterable[int]) -> int:
        words = tuple(values)
        return self.put(struct.pack(f"<{len(words)}I", *words))

    def rows(self, rows: Sequence[Any]) -> int:
        """The offset of a table of dataclasses, all of whose fields are words; 0 for none."""
        words = [word for row in rows for word in astuple(row)]
        return self.words(words) if words else 0


def _run(blob: _Blob, run: PlannedRun) -> tuple[int, ...]:
    pieces = blob.words(word for piece in run.pieces for word in _piece(blob, piece))
    feeds = [feed[sample].tobytes() for sample in range(run.samples) for feed in run.feeds]
    inputs = blob.words([blob.put(feed) for feed in feeds])
    return (
        run.region_bytes,
        len(run.feeds),
        len(run.output_bytes),
        len(run.pieces),
        run.samples,
        pieces,
        inputs,
        blob.words(run.output_bytes),
        blob.rows(run.stores),
        len(run.stores),
        word_hash(_tables(piece) for piece in run.pieces),
        word_hash(data for piece in run.pieces for data in (piece.data, *piece.groups)),
        run.region_offset,
        run.reset_before,
    )


def _piece(blob: _Blob, piece: PlannedPiece) -> tuple[int, ...]:
    links = piece.links
    return (
        blob.put(piece.data) if piece.data else 0,
        piece.arena_offset,
        piece.arena_bytes,
        len(links.inputs),
        blob.rows(links.inputs),
        len(links.outputs),
        blob.rows(links.outputs),
        blob.rows(links.slices),
        links.execution_count,
        _stream(blob, links.stream, piece.groups) if links.stream else 0,
        blob.rows([piece.kept]) if piece.kept else 0,
    )


def _tables(piece: PlannedPiece) -> bytes:
    return repr((piece.arena_offset, piece.arena_bytes, piece.links, piece.kept)).encode()


def _stream(blob: _Blob, stream: StreamTables, models: Sequence[bytes]) -> int:
    groups = [
        word
        for group, model in zip(stream.groups, models, strict=True)
        for word in (
            *(blob.put(model), blob.rows(group.views), len(group.views)),
            *(blob.rows(group.made), len(group.made)),
            *(group.rows, group.period, group.first_tick, group.rows_per_turn, group.dropped),
        )
    ]
    return blob.words(
        (
            *(blob.words(groups), len(stream.groups)),
            *(blob.rows(stream.buffers), len(stream.buffers)),
            *(blob.rows(stream.sources), len(stream.sources)),
            stream.interpreters_bytes,
        )
    )

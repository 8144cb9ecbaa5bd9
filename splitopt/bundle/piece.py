"""The files of one segment of a bundle, read and checked: a piece, or the groups of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from splitopt.base.errors import UsageError
from splitopt.base.files import read_file
from splitopt.base.text import printable
from splitopt.bundle.folder import sha256_of
from splitopt.bundle.schema.plan import Plan, Spans
from splitopt.bundle.schema.plan import Segment as SegmentEntry
from splitopt.bundle.schema.stream import Group as GroupEntry
from splitopt.bundle.stream_fit import misfit
from splitopt.bundle.stream_json import stream_of_entry
from splitopt.graph.model import ModelGraph, Tensor
from splitopt.graph.segments import Segment
from splitopt.graph.tflite_reader import MAX_FILE_BYTES, parse_tflite
from splitopt.pieces.writer import write_piece
from splitopt.runtime.host import StreamFiles
from splitopt.tiling.plan import Execution, RowSpan
from splitopt.tiling.rows import rows_of
from splitopt.tiling.streams.stream import Stream

Place = tuple[int, int]
"""A segment of the plan, and the number of the file in it."""


@dataclass(frozen=True)
class GroupFile:
    """The file of a group as it is now. `replaced`, `written_as`: as of a `Piece`."""

    name: str
    path: Path
    graph: ModelGraph
    replaced: bool = False
    written_as: Place | None = None


@dataclass(frozen=True)
class Piece:
    """What a segment's ops are run from: a piece file as it is now, or the groups of a stream.

    `replaced`: it is not what the run wrote. `written_as`: the place of which the run wrote these
    very bytes, where it is known and another. `executions`: of a banded piece. `groups`: the files
    of a `stream`; then `path` is the first of them, and `graph` is what the model has in the
    segment, on all rows.
    """

    index: int
    name: str
    path: Path
    segment: Segment
    graph: ModelGraph
    replaced: bool = False
    written_as: int | None = None
    executions: tuple[Execution, ...] = ()
    stream: Stream | None = None
    groups: tuple[GroupFile, ...] = ()

    @property
    def label(self) -> str:
        return f"piece {self.index} ({self.name})"

    @property
    def has_all_ends(self) -> bool:
        """Whether it has as many inputs and outputs as the plan gives it."""
        segment, graph = self.segment, self.graph
        counts = len(graph.inputs), len(graph.outputs)
        return counts == (len(segment.inputs), len(segment.outputs))

    @property
    def inputs(self) -> tuple[tuple[int, Tensor], ...]:
        """(tensor of the whole model, tensor of this file) per input."""
        tensors = (self.graph.tensors[t] for t in self.graph.inputs)
        return tuple(zip(self.segment.inputs, tensors, strict=False))

    @property
    def outputs(self) -> tuple[tuple[int, Tensor], ...]:
        tensors = (self.graph.tensors[t] for t in self.graph.outputs)
        return tuple(zip(self.segment.outputs, tensors, strict=False))

    @property
    def file_graphs(self) -> tuple[ModelGraph, ...]:
        """What each of its files holds."""
        return tuple(group.graph for group in self.groups) or (self.graph,)

    @property
    def replaced_paths(self) -> tuple[Path, ...]:
        """Its files that the run did not write."""
        if self.stream is None:
            return (self.path,) if self.replaced else ()
        return tuple(group.path for group in self.groups if group.replaced)

    @property
    def stream_files(self) -> StreamFiles | None:
        if self.stream is None:
            return None
        return StreamFiles(self.stream, tuple(group.path for group in self.groups))


def read_pieces(
    folder: Path, plan: Plan, segments: list[Segment], graph: ModelGraph
) -> tuple[Piece, ...]:
    """The files of all segments. Raises UsageError, ModelError."""
    places = {sha256: place for place, sha256 in _written(plan)}
    return tuple(
        _Reader(folder, k, entry, segment, places, graph).piece()
        for k, (entry, segment) in enumerate(zip(plan.segments, segments, strict=True))
    )


def _written(plan: Plan) -> Iterator[tuple[Place, str]]:
    """SHA-256 of every file, by its place."""
    for k, entry in enumerate(plan.segments):
        files: Sequence[SegmentEntry | GroupEntry] = (
            [entry] if entry.stream is None else entry.stream.groups
        )
        for g, file in enumerate(files):
            if file.sha256:
                yield (k, g), file.sha256


@dataclass(frozen=True)
class _Reader:
    folder: Path
    index: int
    entry: SegmentEntry
    segment: Segment
    places: Mapping[str, Place]
    whole: ModelGraph

    @property
    def where(self) -> str:
        return f"{self.folder / 'plan.json'}: $.segments[{self.index}]"

    def piece(self) -> Piece:
        why = misfit(self.entry, self.whole)
        if why:
            raise UsageError(f"{self.where}: {why}")
        if self.entry.stream is not None:
            return self._streamed()
        executions = _executions(self.where, self.entry, self.segment, self.whole)
        file = self._file(f"{self.where}.piece", self.entry)
        return Piece(
            index=self.index,
            name=file.name,
            path=file.path,
            segment=self.segment,
            graph=file.graph,
            replaced=file.replaced,
            written_as=None if file.written_as is None else file.written_as[0],
            executions=executions,
        )

    def _streamed(self) -> Piece:
        entry = self.entry
        assert entry.stream is not None
        groups = tuple(
            self._file(f"{self.where}.stream.groups[{g}].piece", own)
            for g, own in enumerate(entry.stream.groups)
        )
        names = dict.fromkeys((groups[0].name, groups[-1].name))
        return Piece(
            index=self.index,
            name=" to ".join(names),
            path=groups[0].path,
            segment=self.segment,
            graph=_on_all_rows(self.whole, self.segment),
            replaced=any(group.replaced for group in groups),
            stream=stream_of_entry(entry.stream, entry.start, entry.stop),
            groups=groups,
        )

    def _file(self, where: str, entry: SegmentEntry | GroupEntry) -> GroupFile:
        """The file that the plan names there. Raises UsageError, ModelError."""
        if entry.piece is None:
            raise UsageError(
                f"{where}: got null, want the file of a piece (plans of sweeps have none)"
            )
        path = self.folder / entry.piece
        try:
            inside = path.resolve().is_relative_to(self.folder.resolve())
        except (OSError, ValueError, RuntimeError):
            inside = False
        if not inside:
            raise UsageError(f"{where}: {printable(entry.piece)!r} leads out of the bundle")
        if not is_file(path):
            raise UsageError(
                f"{path}: is missing; put piece {self.index} back, or run the job again"
            )
        data = read_file(path, MAX_FILE_BYTES)
        graph = parse_tflite(data, name=path.stem, where=str(path))
        digest = sha256_of(data)
        replaced = entry.sha256 is not None and entry.sha256 != digest
        written_as = self.places.get(digest) if replaced else None
        return GroupFile(printable(path.name), path, graph, replaced, written_as)


def is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _on_all_rows(graph: ModelGraph, segment: Segment) -> ModelGraph:
    data = write_piece(graph, segment)
    return parse_tflite(data, name="piece", where="a segment of the model")


def _executions(
    where: str, entry: SegmentEntry, segment: Segment, graph: ModelGraph
) -> tuple[Execution, ...]:
    """Raises UsageError for rows that the model's tensors do not have."""
    found = []
    for k, execution in enumerate(entry.bands or ()):
        for spans, tensors in (
            (execution.inputs, segment.inputs),
            (execution.outputs, segment.outputs),
        ):
            whole = [rows_of(graph.tensors[tensor]) for tensor in tensors]
            if [span.tensor for span in spans] != list(tensors) or any(
                span.row + span.rows > rows for span, rows in zip(spans, whole, strict=True)
            ):
                raise UsageError(f"{where}.bands[{k}]: rows that the model's tensors do not have")
        found.append(Execution(_spans(execution.inputs), _spans(execution.outputs)))
    return tuple(found)


def _spans(entries: Spans) -> tuple[RowSpan, ...]:
    return tuple(RowSpan(e.tensor, e.row, e.rows, e.from_row) for e in entries)

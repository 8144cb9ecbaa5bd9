"""A stream as it stands in plan.json, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from splitopt.bundle.folder import sha256_of
from splitopt.bundle.schema import stream as entries
from splitopt.tiling.streams.placement import PlacedStream
from splitopt.tiling.streams.stream import Group, LineBuffer, Made, Source, Stream, View


def stream_entry(
    placed: PlacedStream, paths: Sequence[str], files: Sequence[bytes] | None
) -> entries.Stream:
    """`paths`: of the groups' files in the bundle; what describes these is null without `files`."""
    stream = placed.stream
    return entries.Stream(
        groups=tuple(_group_entries(placed, paths, files)),
        buffers=tuple(
            entries.LineBuffer(**_fields(buffer), offset=offset)
            for buffer, offset in zip(stream.buffers, placed.offsets, strict=True)
        ),
        sources=tuple(entries.Source.model_validate(source) for source in stream.sources),
        interpreters_bytes=placed.interpreters_bytes,
    )


def _group_entries(
    placed: PlacedStream, paths: Sequence[str], files: Sequence[bytes] | None
) -> Iterator[entries.Group]:
    arena = placed.arena
    for k, (group, head) in enumerate(zip(placed.stream.groups, arena.heads, strict=True)):
        data = None if files is None else files[k]
        yield entries.Group(
            ops=group.ops,
            inputs=tuple(map(entries.View.model_validate, group.views)),
            outputs=tuple(map(entries.Made.model_validate, group.outputs)),
            rows=group.rows,
            period=group.period,
            first_tick=group.first_tick,
            rows_per_turn=group.rows_per_turn,
            dropped=group.dropped,
            piece=None if data is None else paths[k],
            piece_bytes=None if data is None else len(data),
            sha256=None if data is None else sha256_of(data),
            head_bytes=max((b.offset + b.size_bytes for b in head), default=0),
            tail_bytes=arena.tails[k],
        )


def _fields(buffer: LineBuffer) -> dict[str, Any]:
    names = entries.LineBuffer.model_fields.keys() - {"offset"}
    return {name: getattr(buffer, name) for name in names}


def stream_of_entry(entry: entries.Stream, start: int, stop: int) -> Stream:
    """The stream of ops [start, stop) as the document has it, right or wrong."""
    return Stream(
        start=start,
        stop=stop,
        sources=tuple(Source(**source.model_dump()) for source in entry.sources),
        groups=tuple(
            Group(
                ops=group.ops,
                views=tuple(View(**view.model_dump()) for view in group.inputs),
                outputs=tuple(Made(**made.model_dump()) for made in group.outputs),
                rows=group.rows,
                period=group.period,
                first_tick=group.first_tick,
                rows_per_turn=group.rows_per_turn,
                dropped=group.dropped,
            )
            for group in entry.groups
        ),
        buffers=tuple(
            LineBuffer(**buffer.model_dump(exclude={"offset"})) for buffer in entry.buffers
        ),
    )

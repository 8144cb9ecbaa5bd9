"""The links of a bundle's pieces, as the runner has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from splitopt.bundle.open import OpenBundle
from splitopt.runtime.links import PieceLinks, links_of
from splitopt.runtime.stream_tables import PlacedBuffers


def bundle_links(
    bundle: OpenBundle,
    offsets: Mapping[int, int],
    streams: Sequence[PlacedBuffers | None] | None = None,
) -> tuple[PieceLinks, ...]:
    """`offsets`: boundary tensor → its place in the region, in bytes. `streams`: of each piece;
    None for those of the plan."""
    segments = [piece.segment for piece in bundle.pieces]
    executions = [piece.executions for piece in bundle.pieces]
    streams = list(planned_buffers(bundle)) if streams is None else streams
    return links_of(bundle.graph, segments, offsets, executions, streams)


def planned_buffers(bundle: OpenBundle) -> Iterator[PlacedBuffers | None]:
    """Of each piece its stream, as the plan places it; None for what is no stream."""
    for piece, entry in zip(bundle.pieces, bundle.plan.segments, strict=True):
        if piece.stream is None or entry.stream is None:
            yield None
            continue
        offsets = tuple(buffer.offset for buffer in entry.stream.buffers)
        yield PlacedBuffers(piece.stream, offsets, entry.stream.interpreters_bytes)

"""The links of a bundle's pieces, as the runner has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from splitopt.bundle.open import OpenBundle
from splitopt.runtime.links import PieceLinks, links_of
from splitopt.runtime.stream_tables import PlacedBuffers


def bundle_links(bundle: OpenBundle, offsets: Mapping[int, int]) -> tuple[PieceLinks, ...]:
    """`offsets`: boundary tensor → its place in the region, in bytes."""
    segments = [piece.segment for piece in bundle.pieces]
    executions = [piece.executions for piece in bundle.pieces]
    return links_of(bundle.graph, segments, offsets, executions, list(planned_buffers(bundle)))


def planned_buffers(bundle: OpenBundle) -> Iterator[PlacedBuffers | None]:
    """Of each piece its stream, as the plan places it; None for what is no stream."""
    for piece, entry in zip(bundle.pieces, bundle.plan.segments, strict=True):
        if piece.stream is None or entry.stream is None:
            yield None
            continue
        offsets = tuple(buffer.offset for buffer in entry.stream.buffers)
        yield PlacedBuffers(piece.stream, offsets, entry.stream.interpreters_bytes)

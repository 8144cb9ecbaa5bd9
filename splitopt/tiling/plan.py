"""Which rows a segment's pieces run on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Band:
    """Rows [start, start + rows) of a segment's inputs, and the piece (0 or 1) that runs on them.

    The rows are those of the segment's highest input; a lower input has proportionally fewer.
    """

    piece: int
    start: int
    rows: int

    @property
    def stop(self) -> int:
        return self.start + self.rows


@dataclass(frozen=True, slots=True)
class BandPlan:
    """Bands from the top of the image to its bottom. The pieces differ only in their height."""

    image_rows: int
    bands: tuple[Band, ...]

    @property
    def heights(self) -> tuple[int, ...]:
        """Rows of each piece, by its number."""
        found = {band.piece: band.rows for band in self.bands}
        return tuple(found[piece] for piece in sorted(found))


@dataclass(frozen=True, slots=True)
class RowSpan:
    """Rows [row, row + rows) of a tensor of the model. In the piece's own tensor they start at
    `from_row`."""

    tensor: int
    row: int
    rows: int
    from_row: int = 0


@dataclass(frozen=True, slots=True)
class Execution:
    """One Invoke of a piece: the rows that are copied in, in the order of its inputs, and the rows
    of its outputs that are kept."""

    inputs: tuple[RowSpan, ...]
    outputs: tuple[RowSpan, ...]

"""Where TFLM's greedy planner puts each buffer in every segment of a model, at once.

A buffer's place depends on the larger ones that live when it does, so that it is the same for most
segments that hold it: a grid of classes of starts and stops tells the places of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from splitopt.planning.head_buffers import HeadBuffer
from splitopt.solvers.packing.greedy_by_size import placing_order

Grid = npt.NDArray[np.int64]
_FREE = np.int64(2**62)
MOST_CELLS = 50_000_000
"""How many cells of grids are filled at the most, about 3 s of work."""


@dataclass(frozen=True, slots=True)
class OffsetGrid:
    """One buffer's plan. Row i holds for starts [starts[i], starts[i + 1]), column k for stops
    [stops[k], stops[k + 1]); `absent[i]`: the last stop at which these do not have the buffer.

    `offset`: its place. `active`: how many placed buffers were alive with it and looked at on the
    search. `end`: the offset of the one above the gap that was found; -1 where none ended it.
    """

    starts: Grid
    stops: Grid
    absent: Grid
    offset: Grid
    active: Grid
    end: Grid

    def at(self, starts: Grid, stops: Grid) -> Grid:
        """Offsets by start and stop."""
        rows = np.searchsorted(self.starts[:-1], starts, "right") - 1
        columns = np.maximum(np.searchsorted(self.stops[:-1], stops, "right") - 1, 0)
        found: Grid = self.offset[rows[:, None], columns[None, :]]
        return found

    def held(self) -> Iterator[tuple[slice, slice]]:
        """The starts and stops of the segments that have the buffer, by row."""
        for row, absent in enumerate(self.absent.tolist()):
            yield slice(int(self.starts[row]), int(self.starts[row + 1])), slice(absent + 1, None)


def offset_grids(
    buffers: Sequence[HeadBuffer], ops: int
) -> tuple[list[int], list[OffsetGrid]] | None:
    """The order of placing, and the grids in this order. None where they would take too long."""
    order = placing_order([buffer.size_bytes for buffer in buffers], {})
    grids: list[OffsetGrid] = []
    firsts, lasts = np.array([buffers[index].span for index in order]).reshape(-1, 2).T
    cells = 0
    for number, index in enumerate(order):
        buffer = buffers[index]
        meet = (firsts[:number] <= lasts[number]) & (lasts[:number] >= firsts[number])
        met = [(buffers[order[k]], grids[k]) for k in np.flatnonzero(meet).tolist()]
        starts, stops = _classes(buffer, met, ops)
        cells += len(starts) * len(stops) * (4 + len(met))
        if cells > MOST_CELLS:
            return None
        grids.append(_placed(buffer, met, starts, stops))
    return order, grids


def _classes(
    buffer: HeadBuffer, met: Sequence[tuple[HeadBuffer, OffsetGrid]], ops: int
) -> tuple[Grid, Grid]:
    """Bounds of classes of starts and of stops in which nothing changes, the last ones excluded."""
    held = max(buffer.maker, *buffer.readers, -1) + 1
    starts = {0, held, *buffer.starts}
    stops = {buffer.maker + 1, ops + 1, *(reader + 1 for reader in buffer.readers)}
    for other, grid in met:
        starts.update(other.starts)
        stops.update(other.starts)
        starts.update(grid.starts.tolist())
        stops.update(grid.stops.tolist())
    return _between(starts, 0, held), _between(stops, 1, ops + 1)


def _between(bounds: Iterable[int], low: int, high: int) -> Grid:
    return np.array(sorted({bound for bound in bounds if low < bound < high} | {low, high}))


def _placed(
    buffer: HeadBuffer,
    met: Sequence[tuple[HeadBuffer, OffsetGrid]],
    starts: Grid,
    stops: Grid,
) -> OffsetGrid:
    rows, columns = starts[:-1], stops[:-1]
    absent = np.array([buffer.absent_up_to(start) for start in rows.tolist()])
    shape = len(rows), len(columns)
    # One number for offset, order of placing and end: entries stand by offset, then by order.
    places, ends = np.full((len(met), *shape), _FREE), np.zeros(len(met), dtype=np.int64)
    for k, (other, grid) in enumerate(met):
        apart = np.array([buffer.apart_up_to(other, start) for start in rows.tolist()])
        place = grid.at(rows, columns) * len(met) + k
        places[k] = np.where(columns[None, :] > apart[:, None], place, _FREE)
        ends[k] = other.size_bytes
    places.sort(axis=0)
    low, end = np.zeros(shape, dtype=np.int64), np.full(shape, -1)
    active = np.zeros(shape, dtype=np.int64)
    for place in places:
        offset, entry = np.divmod(place, len(met))
        looks = (place < _FREE) & (end < 0)
        fits = looks & (offset - low >= buffer.size_bytes)
        active += looks
        end[fits] = offset[fits]
        low = np.where(looks & ~fits, np.maximum(low, offset + ends[entry]), low)
    return _merged(OffsetGrid(starts, stops, absent, low, active, end))


def _merged(grid: OffsetGrid) -> OffsetGrid:
    """The grid without bounds at which nothing changes. Cells of stops at which a start does not
    have the buffer take after those that do."""
    columns = np.arange(len(grid.stops) - 1)
    first = np.searchsorted(grid.stops[:-1], grid.absent + 1, "right") - 1
    filled = np.maximum(columns[None, :], first[:, None])
    layers = np.stack([grid.offset, grid.active, grid.end])
    layers = np.take_along_axis(layers, np.broadcast_to(filled, layers.shape), axis=2)
    rows_differ = (layers[:, 1:] != layers[:, :-1]).any(axis=(0, 2))
    rows_differ |= grid.absent[1:] != grid.absent[:-1]
    columns_differ = (layers[:, :, 1:] != layers[:, :, :-1]).any(axis=(0, 1))
    rows = np.concatenate([[True], rows_differ])
    kept = np.concatenate([[True], columns_differ])
    offset, active, end = layers[:, rows][:, :, kept]
    return OffsetGrid(
        starts=grid.starts[np.append(rows, True)],
        stops=grid.stops[np.append(kept, True)],
        absent=grid.absent[rows],
        offset=offset,
        active=active,
        end=end,
    )

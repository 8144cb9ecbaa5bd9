"""Rolled ends: output rows of a segment written over input rows that are already read.

A segment that runs in row order reads its input from the top and writes its output from the top. So
the output may begin below the input, and as near to it as no row is written over that is still to
be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment
from splitopt.tiling.plan import Execution, RowSpan
from splitopt.tiling.schedule import row_bytes

_MOST_TRIED = 9
"""So many pairs are looked at in all sets."""


@dataclass(frozen=True, slots=True)
class RolledPair:
    """Two tensors of the model at the ends of a segment that share bytes.

    The place of `read` begins at least `lead_bytes` (a multiple of 16) above that of `made`, or the
    two share nothing.
    """

    read: int
    made: int
    lead_bytes: int

    def saved_bytes(self, read_bytes: int, made_bytes: int) -> int:
        """How much less than both tensors, each a multiple of 16, the pair takes."""
        return read_bytes + made_bytes - max(self.lead_bytes + read_bytes, made_bytes)


def saved_bytes(graph: ModelGraph, pair: RolledPair) -> int:
    """How much less than both tensors the pair takes in the boundary buffer."""
    read, made = (
        align_up(graph.tensors[tensor].bytes, ARENA_ALIGNMENT) for tensor in (pair.read, pair.made)
    )
    return pair.saved_bytes(read, made)


def best_pairs(graph: ModelGraph, pairs: Iterable[RolledPair]) -> tuple[RolledPair, ...]:
    """Of all pairs of an input and an output, those that save most, no tensor in two of them.

    Of more than `_MOST_TRIED` pairs, the one that saves most, then the next that fits, and so on.
    """
    saved = {pair: saved_bytes(graph, pair) for pair in pairs}
    useful = [pair for pair, size in saved.items() if size > 0]
    if len(useful) < 2:
        return tuple(useful)
    useful.sort(key=lambda pair: (-saved[pair], pair.read, pair.made))
    if len(useful) > _MOST_TRIED:
        return _one_after_another(useful)
    return max(_disjoint(useful), key=lambda chosen: sum(saved[pair] for pair in chosen))


def _disjoint(pairs: Sequence[RolledPair]) -> Iterator[tuple[RolledPair, ...]]:
    """All choices of pairs that share no tensor, the empty one included."""
    if not pairs:
        yield ()
        return
    first, rest = pairs[0], pairs[1:]
    apart = [pair for pair in rest if pair.read != first.read and pair.made != first.made]
    yield from ((first, *chosen) for chosen in _disjoint(apart))
    yield from _disjoint(rest)


def _one_after_another(pairs: Sequence[RolledPair]) -> tuple[RolledPair, ...]:
    chosen: list[RolledPair] = []
    for pair in pairs:
        if all(pair.read != other.read and pair.made != other.made for other in chosen):
            chosen.append(pair)
    return tuple(chosen)


def rolled_pairs(
    graph: ModelGraph, segment: Segment, events: Sequence[Execution]
) -> tuple[RolledPair, ...]:
    """The ends of a segment that share bytes, each in one pair at most, so that they save most.

    `events`: what runs, in that order. Each reads rows of the segment's inputs, then writes rows of
    its outputs; what was written is not read again.
    """
    pairs = (
        RolledPair(read, made, lead_bytes(graph, events, read, made))
        for read in segment.inputs
        if not _is_needed_later(graph, read, segment.stop)
        for made in segment.outputs
    )
    return best_pairs(graph, pairs)


def lead_bytes(graph: ModelGraph, events: Sequence[Execution], read: int, made: int) -> int:
    """The least multiple of 16 by which one tensor must begin above the other, so that nothing is
    written where a later event reads: then, and at every greater distance, all rows are intact.

    It is the greatest, over the events, of where the bytes that were written up to one end, less
    where those begin that the later ones read.
    """
    ends = [_ends(graph, event.outputs, made) for event in events]
    starts = [_starts(graph, event.inputs, read) for event in events]
    written = accumulate(ends, max)
    still_read = list(accumulate(reversed(starts), min))[::-1]
    leads = (end - start for end, start in zip(written, still_read[1:], strict=False))
    return align_up(max([0, *leads]), ARENA_ALIGNMENT)


def _ends(graph: ModelGraph, spans: Sequence[RowSpan], tensor: int) -> int:
    """Where the highest byte of the tensor ends that these spans hold; 0 for none."""
    rows = max((span.row + span.rows for span in spans if span.tensor == tensor), default=0)
    return rows * row_bytes(graph, tensor)


def _starts(graph: ModelGraph, spans: Sequence[RowSpan], tensor: int) -> int:
    """Where the lowest byte of the tensor begins that these spans hold; behind it for none."""
    rows = [span.row for span in spans if span.tensor == tensor and span.rows]
    return min(rows) * row_bytes(graph, tensor) if rows else 1 << 62


def _is_needed_later(graph: ModelGraph, tensor: int, stop: int) -> bool:
    return tensor in graph.outputs or graph.readers.get(tensor, (-1,))[-1] >= stop

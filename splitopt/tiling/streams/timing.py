"""When sources and groups have their turns, so that line buffers hold as few rows as they can.

`Grouping` lets everyone run as early as it can. Who is ahead of a reader fills a buffer with rows
that wait. The code cites these cases:

1. Whoever makes one row at a time and is ahead of all its readers runs later by whole rows, as
   long as the rows that it saves behind itself are more bytes than those that now wait in front of
   it. A shortcut of a residual then runs when its input is about to be dropped, not when it comes.
2. Of two that have their turn in the same tick, the reader runs first where it looks at no newer
   row than there is: the buffer needs one row less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd

from splitopt.tiling.streams.grouping import Draft, Flow, Window


@dataclass(slots=True)
class Turns:
    """The turns of one node: at first, first + period, ... in ticks, each of so many rows behind
    some that are dropped."""

    first: int
    period: int
    rows: int
    dropped: int

    @property
    def is_single(self) -> bool:
        return self.rows == 1 and not self.dropped


@dataclass(frozen=True, slots=True)
class Edge:
    """A reader of a tensor's line buffer, both as numbers of nodes: groups, then sources."""

    maker: int
    reader: int
    tensor: int
    window: Window


class Timing:
    """Turns of all groups and sources of one grouping, and the order of groups in a tick."""

    def __init__(
        self,
        groups: Sequence[Draft],
        sources: Sequence[Flow],
        makers: Mapping[int, int],
        row_bytes: Mapping[int, int],
    ) -> None:
        """`makers`: tensor that is read from a line buffer → its group, or the number of groups
        plus that of its source. `row_bytes`: of its line buffer."""
        self._row_bytes = row_bytes
        nodes: list[Draft | Flow] = [*groups, *sources]
        self.turns = [Turns(n.first, n.period, n.at_once, n.dropped) for n in nodes]
        self._groups = len(groups)
        self.edges = [
            Edge(makers[tensor], reader, tensor, window)
            for reader, group in enumerate(groups)
            for tensor, window in group.reads.items()
        ]
        self._reader_first: set[Edge] = set()
        self._run_later()
        self._run_readers_first()
        self._count_from_0()

    def lag(self, edge: Edge) -> int:
        """How many slots the buffer has for rows that are newer than those that the reader looks
        at."""
        maker = self.turns[edge.maker]
        if self.is_waiting(edge):
            return self._waiting_depth(edge) - edge.window.rows
        ahead = self.turns[edge.reader].first - maker.first
        turns = ahead // maker.period + 1 - (edge in self._reader_first)
        return maker.rows * turns - 1 - (edge.window.rows - 1 - edge.window.above)

    def is_waiting(self, edge: Edge) -> bool:
        """Whether rows come several at a time and wait until their one reader gets to them."""
        return not self.turns[edge.maker].is_single and len(self.readers[edge.tensor]) == 1

    def _waiting_depth(self, edge: Edge) -> int:
        """The slots that the reader looks at come first. Before turn t of the maker it has run
        `done` times, and has dropped `stride` rows each time. It all comes again every `stride`
        turns, from the reader's first one on."""
        maker, reader, window = self.turns[edge.maker], self.turns[edge.reader], edge.window
        ahead = reader.first - maker.first
        begun = max(0, ahead // maker.period)
        depth = window.rows
        for turn in range(begun, begun + window.stride + 1):
            done = max(0, -((ahead - maker.period * turn) // reader.period))
            depth = max(depth, maker.rows * (turn + 1) + window.above - window.stride * done)
        return depth + maker.dropped

    def depth(self, tensor: int) -> int:
        return max(self.lag(edge) + edge.window.rows for edge in self.readers[tensor])

    @cached_property
    def readers(self) -> Mapping[int, list[Edge]]:
        """By tensor."""
        found: dict[int, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.tensor, []).append(edge)
        return found

    def _count_from_0(self) -> None:
        """In the longest ticks that all turns are multiples of."""
        earliest = min(turns.first for turns in self.turns)
        tick = gcd(*(t for turns in self.turns for t in (turns.first - earliest, turns.period)))
        for turns in self.turns:
            turns.first = (turns.first - earliest) // tick
            turns.period //= tick

    def order(self) -> list[int]:
        """The groups as they run in a tick: makers before readers, but for case 2."""
        after = self._constraints()
        waiting = dict.fromkeys(range(self._groups), 0)
        for followers in after.values():
            for follower in followers:
                waiting[follower] += 1
        found: list[int] = []
        while waiting:
            ready = (g for g, count in waiting.items() if not count)
            group = min(ready, key=lambda g: (self.turns[g].first, g))
            del waiting[group]
            found.append(group)
            for follower in after.get(group, ()):
                waiting[follower] -= 1
        return found

    def _run_later(self) -> None:
        """Case 1, from the last to the first, as readers that run later give room to makers."""
        by_time = sorted(range(len(self.turns)), key=lambda k: -self.turns[k].first)
        made: dict[int, list[Edge]] = {}
        for edge in self.edges:
            made.setdefault(edge.maker, []).append(edge)
        for node in by_time:
            slack = min((self.lag(edge) for edge in made.get(node, ())), default=0)
            if slack > 0 and self.turns[node].is_single:
                self._delay(node, slack, made[node])

    def _delay(self, node: int, slack: int, made: Sequence[Edge]) -> None:
        """By as many of `slack` rows as saves most."""
        turns = self.turns[node]
        near = {edge.tensor for edge in made}
        near.update(edge.tensor for edge in self.edges if edge.reader == node)
        first, best = turns.first, (self._bytes(near), 0)
        for rows in range(1, slack + 1):
            turns.first = first + rows * turns.period
            best = min(best, (self._bytes(near), rows))
        turns.first = first + best[1] * turns.period

    def _bytes(self, tensors: set[int]) -> int:
        return sum(self.depth(tensor) * self._row_bytes[tensor] for tensor in tensors)

    def _run_readers_first(self) -> None:
        """Case 2, where it makes a buffer smaller and goes with all other orders."""
        for edge in sorted(self._late_readers(), key=lambda e: -self._row_bytes[e.tensor]):
            before = self.depth(edge.tensor)
            self._reader_first.add(edge)
            if self.depth(edge.tensor) == before or self._leads(edge.maker, edge.reader):
                self._reader_first.discard(edge)

    def _late_readers(self) -> Iterator[Edge]:
        """Groups that look at older rows of what another group makes in the same tick."""
        for edge in self.edges:
            is_single = self.turns[edge.maker].is_single
            if edge.maker < self._groups and is_single and self.lag(edge) > 0:
                ahead = self.turns[edge.reader].first - self.turns[edge.maker].first
                if ahead % self.turns[edge.maker].period == 0:
                    yield edge

    def _leads(self, start: int, stop: int) -> bool:
        """Whether one group must run before another by way of any orders."""
        after, seen, left = self._constraints(), {start}, [start]
        while left:
            for follower in after.get(left.pop(), ()):
                if follower == stop:
                    return True
                if follower not in seen:
                    seen.add(follower)
                    left.append(follower)
        return False

    def _constraints(self) -> dict[int, list[int]]:
        """Group → groups that run behind it in a tick."""
        after: dict[int, list[int]] = {}
        for edge in self.edges:
            if edge.maker < self._groups:
                first, then = edge.maker, edge.reader
                if edge in self._reader_first:
                    first, then = then, first
                after.setdefault(first, []).append(then)
        return after

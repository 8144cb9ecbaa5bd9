"""The best path through the cuts, from 0 to n, over options of bounded RAM.

A path is ranked by (weighted sum of what it costs and keeps, segments, copied bytes). The rank is
one integer, its fields side by side, so that a sum of ranks is the rank of the path: see
`_rank_bits`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

import numpy as np

from splitopt.solvers.dominance import undominated
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.shortest_paths import least_weights, to_end

Label = tuple[int, int, int, int]
"""(rank, resource used, number of the option taken, position of the label it extends)."""


@dataclass(frozen=True)
class Path:
    """Options from 0 to n, their largest RAM, their rank (weighted, segments, copied)."""

    options: tuple[Option, ...]
    peak: int
    rank: tuple[int, int, int]


@dataclass(frozen=True)
class PathFinder:
    """Asks for best paths of one instance, under any bound on the RAM of an option.

    max_segments limits a path where the rank puts cost before segments, max_cost where it does not
    put cost alone first: then a node keeps all labels that no other dominates in rank and in what
    is limited. Where the limited amount comes first in the rank, the best label is enough.
    """

    instance: PartitionInstance

    def best(self, ram_limit: int) -> Path | None:
        """The best path with no option above `ram_limit`; None where there is none."""
        n, limits = self.instance.n, self._limits
        nodes: list[list[Label]] = [[] for _ in range(n + 1)]
        nodes[0] = [(0, 0, -1, 0)]
        for start in range(n):
            labels = nodes[start] = self._kept(nodes[start])
            for ram, stop, more, resource, number in self._arcs[start] if labels else ():
                if ram <= ram_limit:
                    limit = limits[stop]
                    nodes[stop] += [
                        (rank + more, used + resource, number, position)
                        for position, (rank, used, _, _) in enumerate(labels)
                        if used + resource <= limit
                    ]
        nodes[n] = self._kept(nodes[n])
        path = self._trace(nodes)
        return path if path is not None and self._keeps_limits(path) else None

    @cached_property
    def thresholds(self) -> tuple[int, ...]:
        """All RAM figures of options within the capacity, rising."""
        return tuple(sorted({ram for ram in self.instance.rams if self.instance.goal.fits(ram)}))

    def _kept(self, labels: list[Label]) -> list[Label]:
        if self._resource[0] == "nothing":
            return [min(labels)] if labels else []
        return undominated(labels, itemgetter(0, 1))

    @cached_property
    def keeps(self) -> bool:
        """Whether options keep anything for good."""
        return any(option.kept for option in self.instance.options)

    @cached_property
    def _rank_bits(self) -> tuple[int, int]:
        """Bits below the segments, and below the cost, that no path can overflow."""
        n = self.instance.n
        copied = n * max((option.copied_bytes for option in self.instance.options), default=0)
        copied_bits = copied.bit_length() + 1
        return copied_bits, copied_bits + n.bit_length() + 1

    @cached_property
    def _resource(self) -> tuple[str, int]:
        """What is limited and comes later in the rank, and its limit."""
        goal = self.instance.goal
        if goal.cost_weight and goal.max_segments is not None:
            return "segments", goal.max_segments
        is_cost_first = goal.cost_weight and not (goal.ram_weight and self.keeps)
        if goal.max_cost is not None and not is_cost_first:
            return "cost", goal.max_cost
        return "nothing", 0

    @cached_property
    def _limits(self) -> list[int]:
        """How much of the resource a path to each cut may use: the rest needs at least something,
        or gives it back, where costs are negative."""
        name, limit = self._resource
        starts, stops, amounts = (
            np.array(
                [(o.start, o.stop, _used(name, o)) for o in self.instance.options], dtype=np.int64
            )
            .reshape(-1, 3)
            .T
        )
        weights = least_weights(self.instance.n, starts, stops, amounts)
        return [limit - int(rest) for rest in to_end(weights, np.add)]

    @cached_property
    def _arcs(self) -> list[list[tuple[int, int, int, int, int]]]:
        """For each start: (ram, stop, rank, resource, number of the option)."""
        segment_bits, cost_bits = self._rank_bits
        arcs: list[list[tuple[int, int, int, int, int]]] = [[] for _ in range(self.instance.n)]
        pairs = zip(self.instance.options, self.instance.rams, strict=True)
        for number, (option, ram) in enumerate(pairs):
            rank = (self.instance.added(option) << cost_bits) + (1 << segment_bits)
            rank += option.copied_bytes
            resource = _used(self._resource[0], option)
            arcs[option.start].append((ram, option.stop, rank, resource, number))
        return arcs

    def _trace(self, nodes: Sequence[Sequence[Label]]) -> Path | None:
        """The path whose last label is the best one at n."""
        node, position = self.instance.n, 0
        if not nodes[node]:
            return None
        numbers = []
        while node:
            _, _, number, position = nodes[node][position]
            numbers.append(number)
            node = self.instance.options[number].start
        options = tuple(self.instance.options[number] for number in reversed(numbers))
        added = sum(self.instance.added(option) for option in options)
        rank = (added, len(options), sum(option.copied_bytes for option in options))
        return Path(options, max(self.instance.rams[number] for number in numbers), rank)

    def _keeps_limits(self, path: Path) -> bool:
        """For a limit that comes first in the rank: the best path has the smallest value of it."""
        most, limit = self.instance.most_segments, self.instance.goal.max_cost
        added = sum(option.cost for option in path.options)
        return len(path.options) <= most and (limit is None or added <= limit)


def _used(resource: str, option: Option) -> int:
    return {"segments": 1, "cost": option.cost, "nothing": 0}[resource]

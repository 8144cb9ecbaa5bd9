"""Best path through the cuts, from 0 to n, over options of bounded RAM; knows no peak.

A path is ranked by (weighted cost, segments, copied bytes). The rank is one integer, its fields
side by side, so that a sum of ranks is the rank of the path: see `_Rank`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from splitopt.solvers.partition.instance import Option, PartitionInstance

Label = tuple[int, int, int, int]
"""(rank, resource used, number of the option taken, position of the label it extends)."""


@dataclass(frozen=True)
class Path:
    """Options from 0 to n, their largest RAM, their rank (weighted cost, segments, copied)."""

    options: tuple[Option, ...]
    peak: int
    rank: tuple[int, int, int]


@dataclass(frozen=True)
class PathFinder:
    """Asks for best paths of one instance, under any bound on the RAM of an option.

    max_segments limits a path where the rank puts cost before segments, max_cost where it puts
    segments before cost: then a node keeps all labels that no other dominates in rank and in what
    is limited. Where the limited amount comes first in the rank, one label is enough.
    """

    instance: PartitionInstance

    def best(self, ram_limit: int) -> Path | None:
        """The best path with no option above `ram_limit`; None where there is none."""
        rank_limited = self._resource is None
        nodes = self._single(ram_limit) if rank_limited else self._multiple(ram_limit)
        path = self._trace(nodes)
        return path if path is not None and self._keeps_limits(path) else None

    @cached_property
    def thresholds(self) -> tuple[int, ...]:
        """All RAM figures of options within the capacity, rising."""
        capacity = self.instance.capacity
        rams = sorted(set(self.instance.rams))
        return tuple(ram for ram in rams if capacity is None or ram <= capacity)

    @cached_property
    def _rank_bits(self) -> tuple[int, int]:
        """Bits below the segments, and below the cost, that no path can overflow."""
        n = self.instance.n
        copied = n * max((option.copied_bytes for option in self.instance.options), default=0)
        copied_bits = copied.bit_length() + 1
        return copied_bits, copied_bits + n.bit_length() + 1

    @cached_property
    def _resource(self) -> str | None:
        objective = self.instance.objective
        if objective.cost_weight:
            return None if self.instance.max_segments is None else "segments"
        return None if objective.max_cost is None else "cost"

    @cached_property
    def _resource_limit(self) -> int:
        limits = {"segments": self.instance.max_segments, "cost": self.instance.objective.max_cost}
        return limits.get(self._resource or "") or 0

    @cached_property
    def _arcs(self) -> list[list[tuple[int, int, int, int, int]]]:
        """For each start: (ram, stop, rank, resource, number of the option)."""
        segment_bits, cost_bits = self._rank_bits
        weight = self.instance.objective.cost_weight
        arcs: list[list[tuple[int, int, int, int, int]]] = [[] for _ in range(self.instance.n)]
        pairs = zip(self.instance.options, self.instance.rams, strict=True)
        for number, (option, ram) in enumerate(pairs):
            rank = (weight * option.cost << cost_bits) + (1 << segment_bits) + option.copied_bytes
            resource = option.cost if self._resource == "cost" else 1
            arcs[option.start].append((ram, option.stop, rank, resource, number))
        return arcs

    def _single(self, ram_limit: int) -> list[list[Label]]:
        """At most one label for each node."""
        n = self.instance.n
        ranks: list[int | None] = [None] * (n + 1)
        ranks[0] = 0
        taken = [-1] * (n + 1)
        for start in range(n):
            rank = ranks[start]
            if rank is None:
                continue
            for ram, stop, more, _, number in self._arcs[start]:
                if ram <= ram_limit:
                    known = ranks[stop]
                    if known is None or rank + more < known:
                        ranks[stop] = rank + more
                        taken[stop] = number
        return [
            [] if rank is None else [(rank, 0, number, 0)]
            for rank, number in zip(ranks, taken, strict=True)
        ]

    def _multiple(self, ram_limit: int) -> list[list[Label]]:
        """All labels of a node that none dominates, the best rank first."""
        n = self.instance.n
        limit = self._resource_limit
        nodes: list[list[Label]] = [[] for _ in range(n + 1)]
        nodes[0] = [(0, 0, -1, 0)]
        for start in range(n):
            labels = nodes[start] = _undominated(nodes[start])
            for ram, stop, more, resource, number in self._arcs[start]:
                if ram <= ram_limit:
                    nodes[stop] += [
                        (rank + more, used + resource, number, position)
                        for position, (rank, used, _, _) in enumerate(labels)
                        if used + resource <= limit
                    ]
        nodes[n] = _undominated(nodes[n])
        return nodes

    def _trace(self, nodes: Sequence[Sequence[Label]]) -> Path | None:
        node, position = self.instance.n, 0
        if not nodes[node]:
            return None
        numbers = []
        while node:
            _, _, number, position = nodes[node][position]
            numbers.append(number)
            node = self.instance.options[number].start
        return self.path_of(reversed(numbers))

    def path_of(self, numbers: Iterable[int]) -> Path:
        """The path that takes the options of these numbers, in their order."""
        taken = tuple(numbers)
        options = tuple(self.instance.options[number] for number in taken)
        cost = self.instance.objective.cost_weight * sum(option.cost for option in options)
        rank = (cost, len(options), sum(option.copied_bytes for option in options))
        return Path(options, max(self.instance.rams[number] for number in taken), rank)

    def _keeps_limits(self, path: Path) -> bool:
        """For a limit that comes first in the rank: the best path has the least of it."""
        most, limit = self.instance.max_segments, self.instance.objective.max_cost
        added = sum(option.cost for option in path.options)
        return (most is None or len(path.options) <= most) and (limit is None or added <= limit)


def _undominated(labels: list[Label]) -> list[Label]:
    """Labels by rising rank, each using less of the resource than all before it."""
    kept: list[Label] = []
    for label in sorted(labels):
        if not kept or label[1] < kept[-1][1]:
            kept.append(label)
    return kept

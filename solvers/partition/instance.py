"""A partition problem: items in a fixed order, options to run their segments, limits, objective."""

from dataclasses import dataclass
from functools import cached_property

from splitopt.solvers.partition.boundary import Boundary, BoundaryLoad, BoundaryLoads

_INT64_SAFE = 2**62


@dataclass(frozen=True)
class Option:
    """One way to run the segment [start, stop); `key` tells apart those of the same segment.

    `cost` holds all that this segment adds, the copies into and out of it too; `copied_bytes` are
    those copies. `apart`: it reads its inputs while it makes its outputs, so that these cannot
    share bytes, and what comes from outside of all segments or goes there is kept for it, too.
    """

    start: int
    stop: int
    arena_bytes: int
    cost: int
    copied_bytes: int = 0
    key: int | str = 0
    apart: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ValueError(f"option: got [{self.start}, {self.stop}), want 0 <= start < stop")
        if min(self.arena_bytes, self.cost, self.copied_bytes) < 0:
            raise ValueError(f"option [{self.start}, {self.stop}): a negative amount")


@dataclass(frozen=True)
class Objective:
    """Minimise ram_weight * peak + cost_weight * added cost, under at most `max_cost`.

    Ties: fewer segments, then fewer copied bytes.
    """

    ram_weight: int
    cost_weight: int
    max_cost: int | None = None

    def __post_init__(self) -> None:
        if min(self.ram_weight, self.cost_weight) < 0 or not self.ram_weight + self.cost_weight:
            raise ValueError(
                f"objective: got weights {self.ram_weight} and {self.cost_weight}, "
                "want both >= 0 and one > 0"
            )
        if self.max_cost is not None and self.max_cost < 0:
            raise ValueError(f"objective: got max_cost {self.max_cost}, want >= 0 or None")

    def weigh(self, peak: int, cost: int) -> int:
        return self.ram_weight * peak + self.cost_weight * cost


@dataclass(frozen=True)
class PartitionInstance:
    """Items 0..n-1, the options of their segments, the values that may cross a cut, the limits.

    A segment without an option cannot be chosen.

    Raises: ValueError where a part lies outside the items or sums could leave 64 bits.
    """

    n: int
    options: tuple[Option, ...]
    boundaries: tuple[Boundary, ...]
    capacity: int | None = None
    objective: Objective = Objective(1, 0)
    max_segments: int | None = None

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"instance: got {self.n} items, want at least 1")
        if self.capacity is not None and self.capacity < 0:
            raise ValueError(f"instance: got capacity {self.capacity}, want >= 0 or None")
        if self.max_segments is not None and self.max_segments < 1:
            raise ValueError(f"instance: got max_segments {self.max_segments}, want >= 1 or None")
        self._check_options()
        for index, boundary in enumerate(self.boundaries):
            if boundary.last_item >= self.n:
                raise ValueError(f"boundary {index} names an item beyond the {self.n} there are")
        self._check_sums()

    def _check_options(self) -> None:
        seen = set()
        for option in self.options:
            name = (option.start, option.stop, option.key)
            if option.stop > self.n:
                raise ValueError(f"option {name} ends beyond the {self.n} items")
            if name in seen:
                raise ValueError(f"option {name} is there twice")
            seen.add(name)

    def _check_sums(self) -> None:
        peak = max((o.arena_bytes for o in self.options), default=0)
        peak += 2 * sum(b.size for b in self.boundaries)
        cost = self.n * max((o.cost for o in self.options), default=0)
        copied = self.n * max((o.copied_bytes for o in self.options), default=0)
        most = max(self.objective.weigh(peak, cost), peak * self.n, cost, copied)
        if most >= _INT64_SAFE:
            raise ValueError(f"instance: weighted sums reach {most}, want less than 2**62")

    @cached_property
    def loads(self) -> BoundaryLoads:
        return BoundaryLoads(self.n, self.boundaries)

    def boundary_load(self, start: int, stop: int) -> BoundaryLoad:
        """Bytes of the boundary buffer while segment [start, stop) runs."""
        return self.loads.of(start, stop)

    def ram(self, option: Option) -> int:
        """arena + through + max(in, out), or all of the boundary buffer at once if `apart`."""
        load = self.boundary_load(option.start, option.stop)
        return option.arena_bytes + (load.ram_apart if option.apart else load.ram)

    @cached_property
    def rams(self) -> tuple[int, ...]:
        """`ram` of every option, in their order."""
        return tuple(self.ram(option) for option in self.options)

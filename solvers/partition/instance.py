"""A partition problem: items in a fixed order, options to run their segments, and the goal."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from splitopt.solvers.partition.boundary import Boundary, SegmentLoads

_MOST_WEIGHTED = 2**62
"""Sums of CP-SAT must stay within 64 bits."""
_MOST_SUM = 2**58
"""Half of shortest_paths.NEVER."""


@dataclass(frozen=True)
class Roll:
    """Two boundary values (by index) that may share bytes while an option runs: `made` is written
    over the bytes of `read` that were read before.

    Either offset(read) - offset(made) >= lead, or they share none.
    """

    read: int
    made: int
    lead: int

    def saved(self, read_size: int, made_size: int) -> int:
        """How many bytes less than both values the two take at least."""
        return read_size + made_size - max(self.lead + read_size, made_size)


@dataclass(frozen=True)
class Option:
    """One option to run the segment [start, stop); `key` tells apart those of the same segment.

    `cost` holds all that this segment adds, the copies into and out of it too, and may be negative;
    `copied_bytes` are those copies. `apart`: it reads its inputs while it makes its outputs, so
    that these cannot share bytes, and what comes from outside of all segments or goes there is
    kept for it, too. `rolls`: pairs of these that may nevertheless, each value in one at most.
    `by_rows`: it is handed over piecemeal what comes from outside of all segments, so that of this
    only what another segment reads is kept. `way` tells apart those of the same key that differ in
    cost and in what they put into each of the instance's stores, `stored` bytes (empty: nothing).
    `kept` bytes of RAM are taken for good: they add to every peak of a plan that has the option.
    `low`: its arena begins at the low end of the region, as that of every such option does.
    """

    start: int
    stop: int
    arena_bytes: int
    cost: int
    copied_bytes: int = 0
    key: int = 0
    apart: bool = False
    rolls: tuple[Roll, ...] = ()
    by_rows: bool = False
    way: int = 0
    stored: tuple[int, ...] = ()
    kept: int = 0
    low: bool = False

    @property
    def name(self) -> tuple[int, int, int, int]:
        return self.start, self.stop, self.key, self.way

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ValueError(f"option: got [{self.start}, {self.stop}), want 0 <= start < stop")
        if min(self.arena_bytes, self.copied_bytes, self.kept, *self.stored) < 0:
            raise ValueError(f"option [{self.start}, {self.stop}): a negative amount")
        if self.by_rows and not self.apart:
            raise ValueError(f"option [{self.start}, {self.stop}): only one apart takes rows")
        values = [value for roll in self.rolls for value in (roll.read, roll.made)]
        if self.rolls and (not self.apart or len(set(values)) < len(values)):
            raise ValueError(
                f"option [{self.start}, {self.stop}): only one apart rolls, and no value twice"
            )


@dataclass(frozen=True)
class Goal:
    """Minimise ram_weight * peak + cost_weight * added cost, within the limits (None: no limit).

    Ties: fewer segments, then fewer copied bytes.
    """

    ram_weight: int
    cost_weight: int
    capacity: int | None = None
    max_cost: int | None = None
    max_segments: int | None = None

    def __post_init__(self) -> None:
        if min(self.ram_weight, self.cost_weight) < 0 or not self.ram_weight + self.cost_weight:
            raise ValueError(
                f"goal: got weights {self.ram_weight} and {self.cost_weight}, "
                "want both >= 0 and one > 0"
            )
        limits = (("capacity", 0), ("max_cost", 0), ("max_segments", 1))
        for name, least in limits:
            got = getattr(self, name)
            if got is not None and got < least:
                raise ValueError(f"goal: got {name} {got}, want >= {least} or None")

    def weigh(self, peak: int, cost: int) -> int:
        """What is minimised first."""
        return self.ram_weight * peak + self.cost_weight * cost

    @property
    def most_value(self) -> int | None:
        """No plan within the limits weighs more; None where no limit says so."""
        peak = self.capacity if self.ram_weight else 0
        cost = self.max_cost if self.cost_weight else 0
        return None if peak is None or cost is None else self.weigh(peak, cost)

    def fits(self, peak: int) -> bool:
        """Whether the peak keeps the capacity."""
        return self.capacity is None or peak <= self.capacity


@dataclass(frozen=True)
class PartitionInstance:
    """Items 0..n-1, the options of their segments, the values that may cross a cut, the goal.

    A segment without an option cannot be chosen. `stores`: how many bytes the options of a plan may
    put into each, all together.

    Raises: ValueError where a part lies outside the items or sums could leave 64 bits.
    """

    n: int
    options: tuple[Option, ...]
    boundaries: tuple[Boundary, ...]
    goal: Goal = Goal(1, 0)
    stores: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"instance: got {self.n} items, want at least 1")
        self._check_options()
        for index, boundary in enumerate(self.boundaries):
            if boundary.last_item >= self.n:
                raise ValueError(f"boundary {index} names an item beyond the {self.n} there are")
        self._check_sums()

    def _check_options(self) -> None:
        seen = set()
        for option in self.options:
            name = option.name
            if option.stored and len(option.stored) != len(self.stores):
                raise ValueError(f"option {name} wants {len(self.stores)} amounts to store")
            if option.stop > self.n:
                raise ValueError(f"option {name} ends beyond the {self.n} items")
            if name in seen:
                raise ValueError(f"option {name} is there twice")
            seen.add(name)
            for roll in option.rolls:
                self._check_roll(option, roll)

    def _check_roll(self, option: Option, roll: Roll) -> None:
        """What is read must not be needed later, and what is made not be there before."""
        name = f"option [{option.start}, {option.stop})"
        if not all(0 <= value < len(self.boundaries) for value in (roll.read, roll.made)):
            raise ValueError(f"{name} rolls values that are not there")
        read, made = self.boundaries[roll.read], self.boundaries[roll.made]
        is_given = read.first_item is None
        comes_in = not option.by_rows if is_given else read.start_item < option.start
        is_last = option.start <= read.last_item < option.stop and not read.is_result
        if not comes_in or not is_last:
            raise ValueError(f"{name} rolls boundary {roll.read}, which it does not read last")
        goes_out = made.is_result or made.last_item >= option.stop
        is_made = made.is_made and option.start <= made.start_item < option.stop
        if not is_made or not goes_out:
            raise ValueError(f"{name} rolls boundary {roll.made}, which it does not make")
        if not 0 <= roll.lead <= made.size:
            raise ValueError(f"{name} rolls with a lead of {roll.lead}, want 0 to {made.size}")

    def _check_sums(self) -> None:
        peak = max((o.arena_bytes for o in self.options), default=0)
        peak += 2 * sum(b.size for b in self.boundaries)
        cost = self.n * max((abs(o.cost) for o in self.options), default=0)
        copied = self.n * max((o.copied_bytes for o in self.options), default=0)
        peak += self.n * max((o.kept for o in self.options), default=0)
        stored = self.n * max((max(o.stored, default=0) for o in self.options), default=0)
        weighted = self.goal.weigh(max(1, peak), max(1, cost))
        if weighted >= _MOST_WEIGHTED:
            raise ValueError(f"instance: weighted sums reach {weighted}, want less than 2**62")
        if (most := max(peak * self.n, cost, copied, stored)) >= _MOST_SUM:
            raise ValueError(f"instance: sums reach {most}, want less than 2**58")

    @cached_property
    def _loads(self) -> SegmentLoads:
        return SegmentLoads(self.n, self.boundaries)

    def ram(self, option: Option) -> int:
        """arena + through + max(in, out), or all of the boundary buffer at once if `apart`, less
        what rolls save. No layout needs less: a pair that shares bytes has no gap between its ends.
        """
        how = {"apart": option.apart, "by_rows": option.by_rows}
        held = self._loads.ram(option.start, option.stop, **how)
        saved = (
            roll.saved(self.boundaries[roll.read].size, self.boundaries[roll.made].size)
            for roll in option.rolls
        )
        return option.arena_bytes + held - sum(saved)

    @cached_property
    def rams(self) -> tuple[int, ...]:
        """`ram` of every option, in their order."""
        return tuple(self.ram(option) for option in self.options)

    def added(self, option: Option) -> int:
        """What the option adds to the weighted sum, whatever the others are."""
        return self.goal.weigh(option.kept, option.cost)

    def fits_stores(self, options: Iterable[Option]) -> bool:
        """Whether what these options store together fits into each store."""
        amounts = zip(*(option.stored for option in options if option.stored), strict=True)
        return all(sum(own) <= room for own, room in zip(amounts, self.stores, strict=False))

    @property
    def most_segments(self) -> int:
        """The limit on segments, or as many as there are items."""
        return self.n if self.goal.max_segments is None else self.goal.max_segments

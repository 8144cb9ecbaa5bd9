"""A partition plan: the chosen options in order, where everything lies in one region, its cost."""

from collections.abc import Iterable
from dataclasses import dataclass

from splitopt.solvers.partition.instance import Goal, Option


@dataclass(frozen=True)
class Placement:
    """A boundary value (by its index) at `offset`, kept for segments first..last, both included.

    Segments are numbered, not half-open steps: these two are names.
    """

    boundary: int
    offset: int
    size: int
    first_segment: int
    last_segment: int


@dataclass(frozen=True)
class Layout:
    """A region: where boundary values lie, and the arena of each segment (`arena_offsets`; empty
    if all begin at 0). What options keep for good is not in it, but beside it.

    Segment k copies in at half-step 2k and out at 2k + 1, its arena lives in [2k, 2k + 2). A value
    made by segment a and last read by b lives in [2a + 1, 2b + 1), one there from the start and
    first read by a in [2a, 2b + 1). Where a runs apart, it begins at 2a; where b does, it ends at
    2b + 2.
    """

    region_bytes: int
    placements: tuple[Placement, ...]
    arena_offsets: tuple[int, ...] = ()

    def arena_offset(self, segment: int) -> int:
        return self.arena_offsets[segment] if self.arena_offsets else 0


@dataclass(frozen=True)
class PartitionPlan:
    """Options that tile the items, with their layout."""

    options: tuple[Option, ...]
    layout: Layout


@dataclass(frozen=True)
class PlanCost:
    """Peak bytes, added cost, segments, copied bytes."""

    peak: int
    added: int
    segments: int
    copied_bytes: int

    def ranked(self, goal: Goal) -> tuple[int, int, int]:
        """What is minimised, in this order: weighted sum, segments, copied bytes."""
        return goal.weigh(self.peak, self.added), self.segments, self.copied_bytes


def kept_bytes(options: Iterable[Option]) -> int:
    """What these options keep for good, together."""
    return sum(option.kept for option in options)


def plan_cost(plan: PartitionPlan) -> PlanCost:
    """The peak is the layout's region, and what is kept: a load without a layout is not a plan."""
    return PlanCost(
        peak=plan.layout.region_bytes + kept_bytes(plan.options),
        added=sum(option.cost for option in plan.options),
        segments=len(plan.options),
        copied_bytes=sum(option.copied_bytes for option in plan.options),
    )

"""A partition plan: the chosen options in order, and where everything lies in one region."""

from dataclasses import dataclass

from splitopt.solvers.partition.instance import Option


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
    if all begin at 0).

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

    @property
    def cuts(self) -> tuple[int, ...]:
        return tuple(option.start for option in self.options[1:])

"""Says what a valid partition plan is; independent of any solver and of the instance's tables."""

from collections.abc import Iterator
from itertools import combinations, pairwise

from splitopt.solvers.invalid import InvalidPlan
from splitopt.solvers.packing.instance import LiveRange
from splitopt.solvers.partition.instance import PartitionInstance
from splitopt.solvers.partition.plan import PartitionPlan, Placement, plan_cost


def check_plan(instance: PartitionInstance, plan: PartitionPlan, cost: int | None = None) -> None:
    """Raises InvalidPlan with the first rule that the plan, or the claimed `cost`, breaks."""
    _check_tiling(instance, plan)
    _check_limits(instance, plan)
    _check_kept(instance, plan)
    _check_arenas(plan)
    _check_overlaps(instance, plan)
    _check_region(instance, plan)
    _check_cost(instance, plan, cost)


def _check_tiling(instance: PartitionInstance, plan: PartitionPlan) -> None:
    known = set(instance.options)
    for option in plan.options:
        if option not in known:
            raise InvalidPlan(f"the instance has no option {option}")
    if not plan.options or plan.options[0].start != 0 or plan.options[-1].stop != instance.n:
        raise InvalidPlan(f"the segments do not reach from item 0 to item {instance.n}")
    for left, right in pairwise(plan.options):
        if left.stop != right.start:
            raise InvalidPlan(f"a segment stops at {left.stop}, the next starts at {right.start}")


def _check_limits(instance: PartitionInstance, plan: PartitionPlan) -> None:
    count, most = len(plan.options), instance.goal.max_segments
    if most is not None and count > most:
        raise InvalidPlan(f"the plan has {count} segments, at most {most} are allowed")
    added, limit = plan_cost(plan).added, instance.goal.max_cost
    if limit is not None and added > limit:
        raise InvalidPlan(f"the plan adds a cost of {added}, at most {limit} is allowed")
    for store, room in enumerate(instance.stores):
        stored = sum(option.stored[store] for option in plan.options if option.stored)
        if stored > room:
            raise InvalidPlan(f"the plan puts {stored} bytes into store {store}, which has {room}")


def _check_kept(instance: PartitionInstance, plan: PartitionPlan) -> None:
    """Exactly the values that more than one segment needs, and those that a segment apart takes
    from outside or gives there, are placed, for their whole life."""
    want = dict(_needed(instance, plan))
    for placement in plan.layout.placements:
        name = f"boundary {placement.boundary}"
        if placement.boundary not in want:
            raise InvalidPlan(f"{name} is placed twice, or crosses no cut")
        size, first, last = want.pop(placement.boundary)
        if placement.size != size:
            raise InvalidPlan(f"{name} is placed with {placement.size} bytes, it has {size}")
        if (placement.first_segment, placement.last_segment) != (first, last):
            raise InvalidPlan(
                f"{name} is kept for segments {placement.first_segment} to "
                f"{placement.last_segment}, it is needed for {first} to {last}"
            )
        if placement.offset < 0:
            raise InvalidPlan(f"{name} has the negative offset {placement.offset}")
    if want:
        raise InvalidPlan(f"boundary {min(want)} crosses a cut and is not placed")


def _needed(
    instance: PartitionInstance, plan: PartitionPlan
) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """(boundary, (size, first segment, last segment)) of the values that must be kept."""
    segment_of = [k for k, o in enumerate(plan.options) for _ in range(o.start, o.stop)]
    for index, value in enumerate(instance.boundaries):
        users = {segment_of[item] for item in value.readers}
        if value.first_item is not None:
            users.add(segment_of[value.first_item])
        only = plan.options[min(users)]
        is_outer = value.is_result or (value.first_item is None and not only.by_rows)
        if len(users) > 1 or (is_outer and only.apart):
            yield index, (value.size, min(users), max(users))


def _check_arenas(plan: PartitionPlan) -> None:
    arenas = plan.layout.arena_offsets
    if arenas and (len(arenas) != len(plan.options) or min(arenas) < 0):
        raise InvalidPlan(f"want an offset >= 0 for each of {len(plan.options)} arenas")
    for k, option in enumerate(plan.options):
        if option.low and plan.layout.arena_offset(k):
            raise InvalidPlan(f"the arena of segment {k} does not begin at the low end")


def _check_overlaps(instance: PartitionInstance, plan: PartitionPlan) -> None:
    real = [placement for placement in plan.layout.placements if placement.size]
    for a, b in combinations(real, 2):
        apart = a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
        if apart or _may_roll(instance, plan, a, b) or _may_roll(instance, plan, b, a):
            continue
        if _half_steps(instance, plan, a).overlaps(_half_steps(instance, plan, b)):
            raise InvalidPlan(
                f"boundaries {a.boundary} [{a.offset}, {a.offset + a.size}) and "
                f"{b.boundary} [{b.offset}, {b.offset + b.size}) overlap while both live"
            )
    for a in real:
        for k in range(a.first_segment, a.last_segment + 1):
            start = plan.layout.arena_offset(k)
            stop = start + plan.options[k].arena_bytes
            if a.offset < stop and start < a.offset + a.size:
                raise InvalidPlan(
                    f"boundary {a.boundary} at {a.offset} lies in the arena of segment {k}, "
                    f"[{start}, {stop})"
                )


def _may_roll(
    instance: PartitionInstance, plan: PartitionPlan, read: Placement, made: Placement
) -> bool:
    """Whether both live in the half-steps of one segment only, which rolls them, and the one that
    it reads begins at least the lead above the one that it makes."""
    leads = [
        roll.lead
        for roll in plan.options[made.first_segment].rolls
        if (roll.read, roll.made) == (read.boundary, made.boundary)
    ]
    before, behind = (_half_steps(instance, plan, p) for p in (read, made))
    segment = 2 * made.first_segment
    inside = before.stop <= segment + 2 and behind.start >= segment
    return inside and any(read.offset - made.offset >= lead for lead in leads)


def _half_steps(
    instance: PartitionInstance, plan: PartitionPlan, placement: Placement
) -> LiveRange:
    """Copied out at 2k + 1 by the segment that makes it; copied in for the last time at 2k. A
    segment apart copies in and out at both."""
    made = instance.boundaries[placement.boundary].first_item is not None
    first, last = 2 * placement.first_segment, 2 * placement.last_segment
    if made and not plan.options[placement.first_segment].apart:
        first += 1
    if plan.options[placement.last_segment].apart:
        last += 1
    return LiveRange(first, last + 1)


def _check_region(instance: PartitionInstance, plan: PartitionPlan) -> None:
    ends = [plan.layout.arena_offset(k) + o.arena_bytes for k, o in enumerate(plan.options)]
    ends += [placement.offset + placement.size for placement in plan.layout.placements]
    region = plan.layout.region_bytes
    if region != max(ends):
        raise InvalidPlan(f"the region is said to be {region} bytes, {max(ends)} are used")
    peak = region + sum(option.kept for option in plan.options)
    if not instance.goal.fits(peak):
        raise InvalidPlan(f"the plan needs {peak} bytes, the capacity is {instance.goal.capacity}")


def _check_cost(instance: PartitionInstance, plan: PartitionPlan, cost: int | None) -> None:
    real = plan_cost(plan).ranked(instance.goal)[0]
    if cost is not None and cost != real:
        raise InvalidPlan(f"the plan is said to cost {cost}, it costs {real}")

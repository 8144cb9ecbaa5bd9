"""Says what a valid packing plan is; independent of any planner."""

from itertools import combinations

from splitopt.solvers.invalid import InvalidPlan
from splitopt.solvers.packing.instance import PackingInstance
from splitopt.solvers.packing.plan import PackingPlan


def check_plan(instance: PackingInstance, plan: PackingPlan) -> None:
    """Raises InvalidPlan with the first rule that the plan breaks."""
    _check_offsets(instance, plan)
    _check_overlaps(instance, plan)
    _check_capacity(instance, plan)


def _check_offsets(instance: PackingInstance, plan: PackingPlan) -> None:
    if len(plan.offsets) != len(instance.buffers):
        raise InvalidPlan(f"{len(plan.offsets)} offsets for {len(instance.buffers)} buffers")
    for index, (buffer, offset) in enumerate(zip(instance.buffers, plan.offsets, strict=True)):
        if offset < 0:
            raise InvalidPlan(f"buffer {index} has the negative offset {offset}")
        if buffer.offset is not None and buffer.offset != offset:
            raise InvalidPlan(f"buffer {index} is pinned at {buffer.offset}, not at {offset}")


def _check_overlaps(instance: PackingInstance, plan: PackingPlan) -> None:
    """Zero bytes overlap nothing."""
    placed = zip(instance.buffers, plan.offsets, strict=True)
    real = [(i, b, offset) for i, (b, offset) in enumerate(placed) if b.size]
    for (i, a, a_offset), (j, b, b_offset) in combinations(real, 2):
        apart = a_offset + a.size <= b_offset or b_offset + b.size <= a_offset
        if a.live.overlaps(b.live) and not apart:
            raise InvalidPlan(
                f"buffers {i} [{a_offset}, {a_offset + a.size}) and "
                f"{j} [{b_offset}, {b_offset + b.size}) overlap while both live"
            )


def _check_capacity(instance: PackingInstance, plan: PackingPlan) -> None:
    high = plan.high_water_mark(instance)
    if instance.capacity is not None and high > instance.capacity:
        raise InvalidPlan(f"the plan needs {high} bytes, the capacity is {instance.capacity}")

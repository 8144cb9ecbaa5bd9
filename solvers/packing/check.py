"""Says what a valid packing plan is; independent of any planner."""

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
    """Zero bytes overlap nothing. By rising start: what starts behind a stop lives later."""
    placed = enumerate(zip(instance.buffers, plan.offsets, strict=True))
    real = sorted(
        (*b.live.steps, offset, offset + b.size, i) for i, (b, offset) in placed if b.size
    )
    for k, (_, stop, low, high, i) in enumerate(real):
        for start, _, other_low, other_high, j in real[k + 1 :]:
            if start >= stop:
                break
            if low < other_high and other_low < high:
                first, second = sorted([(i, low, high), (j, other_low, other_high)])
                raise InvalidPlan(
                    f"buffers {first[0]} [{first[1]}, {first[2]}) and "
                    f"{second[0]} [{second[1]}, {second[2]}) overlap while both live"
                )


def _check_capacity(instance: PackingInstance, plan: PackingPlan) -> None:
    high = plan.high_water_mark(instance)
    if instance.capacity is not None and high > instance.capacity:
        raise InvalidPlan(f"the plan needs {high} bytes, the capacity is {instance.capacity}")

"""What `solve` finds at once, from columns: for callers that pack very many small instances."""

from collections.abc import Sequence

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.packing.local_search import Orders
from splitopt.solvers.packing.solve import BRIEFLY, brief_deadline
from splitopt.solvers.packing.times import has_few_steps
from splitopt.solvers.params import SolveParams


def soon_at(
    load: int, shapes: Sequence[tuple[int, int, int]], params: SolveParams
) -> list[int] | None:
    """Offsets of buffers (size, start, stop) under their peak load, as `solve` finds them; None
    where that takes it more than its first tries, or more than one group. TFLM's greedy plan is
    known not to reach the load."""
    ranges = [(start, stop) for _, start, stop in shapes]
    if not (params.hints and params.cheap_proofs and _is_one_group(ranges)):
        return None
    if not has_few_steps(ranges):
        return None
    orders = Orders([size for size, _, _ in shapes], ranges, {})
    deadline = brief_deadline(Deadline(params.time_limit_s))
    found = orders.searched(load, deadline, params.seed, BRIEFLY)
    return found.offsets if found.mark == load else None


def _is_one_group(ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether some buffer lives across every step between the first and the last; none is empty."""
    reached = None
    for start, stop in sorted(ranges):
        if start >= stop or (reached is not None and start >= reached):
            return False
        reached = stop if reached is None else max(reached, stop)
    return True

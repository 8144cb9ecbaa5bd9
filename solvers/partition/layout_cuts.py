"""What CP-SAT learns of a choice of options whose layout needs more than it claims."""

from collections.abc import Sequence

from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.conflicts import conflicts_of
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.model import LayoutCut
from splitopt.solvers.partition.stand_ins import is_no_easier


def layout_cuts(
    instance: PartitionInstance, numbers: Sequence[int], peak: int, params: SolveParams
) -> list[LayoutCut]:
    """Cuts for the choice of these options, whose layout needs more than its peak."""

    def among(option: Option) -> frozenset[int]:
        return frozenset(i for i, o in enumerate(instance.options) if is_no_easier(o, option))

    return [
        LayoutCut(tuple(map(among, conflict.options)), conflict.region)
        for conflict in conflicts_of(instance, numbers, peak, params)
    ]

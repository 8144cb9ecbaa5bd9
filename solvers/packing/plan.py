"""A packing plan: one offset for each buffer."""

from dataclasses import dataclass

from splitopt.solvers.packing.instance import PackingInstance


@dataclass(frozen=True)
class PackingPlan:
    """Offsets in the order of the instance's buffers."""

    offsets: tuple[int, ...]

    def high_water_mark(self, instance: PackingInstance) -> int:
        """Maximum of offset + size."""
        pairs = zip(self.offsets, instance.buffers, strict=True)
        return max((offset + buffer.size for offset, buffer in pairs), default=0)

    def fragmentation(self, instance: PackingInstance) -> int:
        """What the placement loses: high-water mark minus peak load."""
        return self.high_water_mark(instance) - instance.peak_load

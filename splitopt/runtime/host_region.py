"""The ends of a stage as a runner holds them: in one stretch of bytes, each where the plan puts it.

So an output that is written over rows of an input which are still to be read makes wrong values
here, too. What nobody has written yet is rubbish.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from splitopt.base.errors import ToolError
from splitopt.runtime.worker_process import Array

Shape = tuple[int, ...]


class Region:
    """`offsets`: of ends by name, in bytes; other ends are arrays of their own."""

    def __init__(self, size_bytes: int, offsets: Mapping[str, int], samples: int) -> None:
        self.offsets = dict(offsets)
        rng = np.random.default_rng(1)
        self._bytes = rng.integers(0, 256, (samples, size_bytes), np.uint8)

    def end(self, name: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """The end's own bytes, as [samples, *shape]. Raises ToolError where they do not fit."""
        samples, size_bytes = self._bytes.shape
        if name not in self.offsets:
            return np.zeros((samples, *shape), dtype)
        start = self.offsets[name]
        stop = start + int(np.prod(shape)) * dtype.itemsize
        if stop > size_bytes:
            raise ToolError(f"tensor {name} ends at {stop} of a region of {size_bytes} bytes")
        return self._bytes[:, start:stop].view(dtype).reshape(samples, *shape)

    def put(self, name: str, values: Array) -> Array:
        """The end, with these values in it."""
        if name not in self.offsets:
            return values
        end = self.end(name, values.shape[1:], values.dtype)
        end[...] = values
        return end


def region_of(stage: Mapping[str, Any], before: Region | None, samples: int) -> tuple[Region, bool]:
    """The region of a stage, and whether it is new: two stages in a row that have the same ends in
    the same places share it, as the second one goes on where the first one stopped."""
    places = stage["places"] or {"size_bytes": 0, "offsets": {}}
    if before is not None and before.offsets and before.offsets == places["offsets"]:
        return before, False
    return Region(places["size_bytes"], places["offsets"], samples), True

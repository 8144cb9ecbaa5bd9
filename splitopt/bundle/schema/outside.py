"""What a plan has of boundary tensors beside the main SRAM: a part of explain.json."""

from __future__ import annotations

from splitopt.bundle.schema.common import Count, Line, Shape


class HeldOutside(Shape):
    """What boundary tensors take of a memory, and the model's inputs among them, in bytes."""

    memory: Line
    size_bytes: Count
    input_bytes: Count = 0

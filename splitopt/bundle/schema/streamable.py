"""Which ops can be streamed: a part of explain.json."""

from __future__ import annotations

from splitopt.bundle.schema.common import Line, Op, Shape, Text


class OpRange(Shape):
    """Ops [start, stop)."""

    start: Op
    stop: Op


class NotStreamed(Shape):
    """Ops of one type that no stream can hold; `reason` ends a sentence on such an op."""

    op_type: Line
    ops: tuple[Op, ...]
    reason: Text


class Streamable(Shape):
    """Which ops can make one row at a time: `runs` are the longest streams, in order of the model;
    all other ops are `refused`."""

    runs: tuple[OpRange, ...]
    refused: tuple[NotStreamed, ...]

"""The op that no cut gets below, what is in RAM while it runs, and which op comes next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splitopt.explain.memory.pieces import LiveTensor, alive_at
from splitopt.planning.lower_bound import floor_of
from splitopt.planning.segment_options import SegmentTable


@dataclass(frozen=True)
class FloorFact:
    """`least_ram_bytes`: every piece with the op needs that much. `alive`: the largest first.

    `held_start`, `held_stop`: the ops that the largest of these is alive at. `next_op` sets the
    floor, at `next_ram_bytes`, once these are out of the way; None where they are all ops.
    """

    op: int
    name: str
    least_ram_bytes: int
    live_bytes: int
    alive: tuple[LiveTensor, ...]
    held_start: int
    held_stop: int
    next_op: str | None
    next_ram_bytes: int


def floor_fact(table: SegmentTable) -> FloorFact:
    graph, floor = table.graph, floor_of(table)
    alive = alive_at(graph, table, floor.op)
    start, stop = _held(table, floor.op, alive)
    least = least_by_op(table)
    others = [op for op in range(len(graph.ops)) if not start <= op < stop]
    following = max(others, key=least.__getitem__, default=None)
    return FloorFact(
        op=floor.op,
        name=graph.op_name(floor.op),
        least_ram_bytes=floor.least_ram_bytes,
        live_bytes=floor.live_bytes,
        alive=alive,
        held_start=start,
        held_stop=stop,
        next_op=None if following is None else graph.op_name(following),
        next_ram_bytes=0 if following is None else least[following],
    )


def least_by_op(table: SegmentTable) -> tuple[int, ...]:
    """For each op, the least RAM of any piece with it; `floor_of` is where this is largest."""
    over_starts = np.minimum.accumulate(table.ram_bound, axis=0)
    over_both = np.minimum.accumulate(over_starts[:, ::-1], axis=1)[:, ::-1]
    return tuple(int(over_both[op, op + 1]) for op in range(len(table.graph.ops)))


def _held(table: SegmentTable, op: int, alive: tuple[LiveTensor, ...]) -> tuple[int, int]:
    """The ops at which the largest thing alive is alive; scratch is at its own op only."""
    tensor = alive[0].tensor if alive else None
    if tensor is None:
        return op, op + 1
    readers = table.graph.readers.get(tensor, ())
    born = table.graph.producer.get(tensor, readers[0] if readers else op)
    return born, max((born, *readers)) + 1

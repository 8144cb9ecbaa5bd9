"""Where the RAM of the unsplit model goes: parts that add up to it, loads by op, tensors."""

from __future__ import annotations

from collections.abc import Sequence

from splitopt.arena.replay import Arena, PlannedBuffer
from splitopt.base.text import printable
from splitopt.bundle.schema.explain import Ram, RamPart, TensorFact
from splitopt.graph.model import ModelGraph

_SHOWN_TENSORS = 10


def ram_of(arena: Arena, headroom_bytes: int) -> Ram:
    parts = (
        ("peak_load", "head: alive at once", arena.peak_load_bytes),
        ("fragmentation", "head: holes that the planner leaves", arena.fragmentation_bytes),
        *(
            (f"tail_{name.replace(' ', '_')}", f"tail: {name}", size)
            for name, size in arena.tail_by_category
            if size
        ),
        (
            "preparation",
            "gaps and temporary data beyond head and tail",
            arena.minimum_bytes - arena.used_bytes,
        ),
        ("rounding", "rounding up to 16", arena.size_bytes - arena.minimum_bytes),
        ("headroom", "the board's headroom", headroom_bytes),
    )
    return Ram(
        ram_bytes=arena.size_bytes + headroom_bytes,
        head_bytes=arena.head_bytes,
        peak_load_bytes=arena.peak_load_bytes,
        fragmentation_bytes=arena.fragmentation_bytes,
        tail_bytes=arena.tail_bytes,
        temporary_bytes=arena.temporary_bytes,
        arena_used_bytes=arena.used_bytes,
        arena_min_bytes=arena.minimum_bytes,
        headroom_bytes=headroom_bytes,
        parts=tuple(RamPart(code=c, name=name, size_bytes=size) for c, name, size in parts),
        estimates=arena.estimates,
    )


def load_by_op(buffers: Sequence[PlannedBuffer], ops: int) -> tuple[int, ...]:
    """Bytes alive in the head while each op runs. Op k runs at TFLM's step k + 1."""
    change = [0] * (ops + 2)
    for buffer in buffers:
        change[min(buffer.live.start, ops + 1)] += buffer.size_bytes
        change[min(buffer.live.stop, ops + 1)] -= buffer.size_bytes
    load, loads = 0, []
    for delta in change:
        load += delta
        loads.append(load)
    return tuple(loads[1 : ops + 1])


def tensor_facts(
    graph: ModelGraph, buffers: Sequence[PlannedBuffer], peak_op: int
) -> tuple[TensorFact, ...]:
    """Every planned tensor; scratch is left out. Steps become ops: op k runs at step k + 1."""
    found = []
    for buffer in buffers:
        if buffer.tensor is None:
            continue
        tensor = graph.tensors[buffer.tensor]
        start, stop = max(buffer.live.start - 1, 0), max(buffer.live.stop - 1, 0)
        found.append(
            TensorFact(
                tensor=tensor.index,
                name=printable(tensor.name),
                shape=tensor.shape,
                dtype=tensor.dtype.name,
                size_bytes=tensor.bytes,
                made_by=graph.producer.get(tensor.index),
                start=start,
                stop=stop,
                at_peak=start <= peak_op < stop,
            )
        )
    return tuple(found)


def longest_lived(facts: Sequence[TensorFact]) -> tuple[TensorFact, ...]:
    """The tensors that live longest: by lifetime, then by size, then as in the file."""
    order = sorted(facts, key=lambda t: (t.start - t.stop, -t.size_bytes, t.tensor))
    return tuple(order[:_SHOWN_TENSORS])


def largest(facts: Sequence[TensorFact]) -> tuple[TensorFact, ...]:
    """The largest tensors: by size, then by lifetime, then as in the file."""
    order = sorted(facts, key=lambda t: (-t.size_bytes, t.start - t.stop, t.tensor))
    return tuple(order[:_SHOWN_TENSORS])

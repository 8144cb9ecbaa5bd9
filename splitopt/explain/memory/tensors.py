"""The tensors that take up RAM in the unsplit model: how large, and from which op to which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from splitopt.arena.replay import PlannedBuffer
from splitopt.base.text import printable
from splitopt.graph.model import ModelGraph

SHOWN_TENSORS = 10


@dataclass(frozen=True)
class TensorFact:
    """One activation. It takes up RAM while ops [start, stop) run; `made_by` is None for inputs.

    `at_peak`: it is alive at the op where most is.
    """

    tensor: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    size_bytes: int
    made_by: int | None
    start: int
    stop: int
    at_peak: bool

    @property
    def lifetime_ops(self) -> int:
        return self.stop - self.start


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
    """By lifetime, then by size, then as in the file."""
    order = sorted(facts, key=lambda t: (-t.lifetime_ops, -t.size_bytes, t.tensor))
    return tuple(order[:SHOWN_TENSORS])


def largest(facts: Sequence[TensorFact]) -> tuple[TensorFact, ...]:
    """By size, then by lifetime, then as in the file."""
    order = sorted(facts, key=lambda t: (-t.size_bytes, -t.lifetime_ops, t.tensor))
    return tuple(order[:SHOWN_TENSORS])

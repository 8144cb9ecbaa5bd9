"""What the plan is compared with: the unsplit model, and cuts as people choose them by hand."""

from __future__ import annotations

from dataclasses import dataclass

from splitopt.arena.replay import Arena, replay
from splitopt.cost.allocate import allocate_insn
from splitopt.cost.costs import InvokeEstimate, estimate_invoke
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import whole_model
from splitopt.planning.segment_options import SegmentTable


@dataclass(frozen=True, slots=True)
class Baseline:
    """The unsplit model on the same target."""

    arena: Arena
    ram_bytes: int
    allocate_insn: int
    invoke: InvokeEstimate


@dataclass(frozen=True, slots=True)
class HandCuts:
    """A way of cutting that needs no optimiser, judged by the same figures."""

    name: str
    cuts: tuple[int, ...]
    peak_ram_bytes: int
    added_insn: int


def unsplit(table: SegmentTable) -> Baseline:
    """The model as it is in its file."""
    graph, segment = table.graph, whole_model(table.graph)
    arena = replay(graph, segment, table.memories, table.rules.abi)
    return Baseline(
        arena=arena,
        ram_bytes=arena.size_bytes + table.headroom_bytes,
        allocate_insn=allocate_insn(graph, segment, arena.buffers, table.costs.allocate),
        invoke=estimate_invoke(table.costs, graph, 0, len(graph.ops)),
    )


def constant_bytes(graph: ModelGraph) -> list[int]:
    """Bytes of constants per op: what onnx2tf's automatic split weighs."""
    return [
        sum(graph.tensors[t].bytes for t in op.given_inputs if graph.tensors[t].is_constant)
        for op in graph.ops
    ]

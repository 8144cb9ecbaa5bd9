"""The op that no cut gets below, what is in RAM while it runs, and which op comes next."""

from __future__ import annotations

from dataclasses import replace

from splitopt.base.text import printable
from splitopt.bundle.schema.explain import LiveTensor, SingleOpBound
from splitopt.graph.model import ModelGraph
from splitopt.planning.lower_bound import fewest_inside, lowest_ram_by_op, single_op_bound
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.switching import REBUILT, Switching


def explained_bound(table: SegmentTable, switching: Switching = REBUILT) -> SingleOpBound:
    """The single-op bound with what is in RAM while its op runs, and the op that sets the bound
    next. `switching`: what the board allows; boundary tensors may lie where it says."""
    if memories := switching.without_images().memories:
        techniques = table.techniques
        anywhere = replace(techniques.switching, memories=memories)
        table = table.under(replace(techniques, switching=anywhere))
    graph, bound = table.graph, single_op_bound(table)
    alive = alive_at(fewest_inside(table), bound.op)
    start, stop = _held(graph, bound.op, alive)
    least = lowest_ram_by_op(table)
    others = [op for op in range(len(graph.ops)) if not start <= op < stop]
    following = max(others, key=least.__getitem__, default=None)
    return SingleOpBound(
        op=bound.op,
        name=graph.op_name(bound.op),
        least_ram_bytes=bound.least_ram_bytes,
        live_bytes=bound.live_bytes,
        alive=alive,
        held_start=start,
        held_stop=stop,
        next_op=None if following is None else graph.op_name(following),
        next_ram_bytes=0 if following is None else least[following],
    )


def _held(graph: ModelGraph, op: int, alive: tuple[LiveTensor, ...]) -> tuple[int, int]:
    """The ops at which the largest thing alive is alive; scratch is at its own op only."""
    tensor = alive[0].tensor if alive else None
    if tensor is None:
        return op, op + 1
    readers = graph.readers.get(tensor, ())
    born = graph.producer.get(tensor, readers[0] if readers else op)
    return born, max((born, *readers)) + 1


def alive_at(table: SegmentTable, op: int) -> tuple[LiveTensor, ...]:
    """What a piece of this op by itself has in the main SRAM, the largest first."""
    graph, found = table.graph, []
    for role, tensors in (("input", graph.ops[op].given_inputs), ("output", graph.ops[op].outputs)):
        for tensor in dict.fromkeys(tensors):
            if graph.tensors[tensor].is_activation and graph.tensors[tensor].bytes:
                found.append(_live(graph, tensor, role))
    own = {item.tensor for item in found}
    for tensor in _kept_across(graph, op):
        if table.outside.place(is_input=tensor in graph.inputs) is not None:
            continue
        role = "kept for later, outside the arena" if tensor in own else "live through"
        found.append(_live(graph, tensor, role))
    found += [
        LiveTensor(
            tensor=None, name=f"scratch of {graph.op_name(op)}", size_bytes=size, role="scratch"
        )
        for size in table.memories[op].scratch
    ]
    return tuple(sorted(found, key=lambda item: -item.size_bytes))


def _live(graph: ModelGraph, tensor: int, role: str) -> LiveTensor:
    entry = graph.tensors[tensor]
    name = f"{printable(entry.name)} {list(entry.shape)} {entry.dtype.name}"
    return LiveTensor(tensor=tensor, name=name, size_bytes=entry.bytes, role=role)


def _kept_across(graph: ModelGraph, op: int) -> list[int]:
    """Activations that exist before the op and are read after it, whether it reads them or not."""
    return [
        tensor
        for tensor, readers in sorted(graph.readers.items())
        if graph.tensors[tensor].is_activation
        and graph.producer.get(tensor, readers[0] - 1) < op < readers[-1]
    ]

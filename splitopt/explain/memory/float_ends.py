"""What float inputs and outputs cost a network that computes in integers: often the first lever."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from splitopt.base.text import printable
from splitopt.base.units import format_bytes, plural
from splitopt.bundle.schema.explain import Remedy
from splitopt.config.job import Job
from splitopt.convert.integer_io import IntegerIo, with_integer_io
from splitopt.explain.memory.remedies import proof_of
from splitopt.graph.model import ModelGraph
from splitopt.planning.lowest_peak import LowestPeak, lowest_peak
from splitopt.planning.planner import Planner
from splitopt.planning.request import Deadline, request_of
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.unsplit import unsplit


def float_end_remedy(
    graph: ModelGraph,
    job: Job,
    price: Callable[[ModelGraph], SegmentTable],
    peak_bytes: int,
    known_bytes: int,
    deadline: Deadline,
) -> Iterator[Remedy]:
    """`model.io: int8`, where it gets below `known_bytes`, with what it saves of `peak_bytes`: the
    model as it is and cut, the best that is found by the deadline.

    `job` has no limits of its own; `price` gives the segments of a graph with cuts only.
    """
    io = with_integer_io(graph)
    if not io.changed:
        return
    table = price(io.graph)
    unsplit_bytes = unsplit(table).ram_bytes
    cuts = _lowest(table, job, deadline)
    least_bytes = min(unsplit_bytes, cuts.peak_ram_bytes if cuts else unsplit_bytes)
    if least_bytes >= min(known_bytes, peak_bytes):
        return
    reaches = f"the model needs {format_bytes(unsplit_bytes)} unsplit"
    if cuts is not None and least_bytes < unsplit_bytes:
        pieces = plural(cuts.pieces, "piece")
        reaches += f", and cuts reach {format_bytes(least_bytes)} in {pieces} ({proof_of(cuts)})"
    yield Remedy(
        code="model.io",
        size_bytes=peak_bytes - least_bytes,
        worth_bytes=peak_bytes - least_bytes,
        sentence=f"{_largest(io)}; with integers there, and without "
        f"{' and '.join(_few(io.dropped_names))}, {reaches}",
        next_step="model: {path: ..., io: int8} in a job; the application then quantises its "
        "inputs by the scales that plan.json, the report and the export give",
    )


def _lowest(table: SegmentTable, job: Job, deadline: Deadline) -> LowestPeak | None:
    """None where no cuts were found in time."""
    request = request_of(table.graph, job).without_capacity()
    found = lowest_peak(Planner(table), request, is_priced=False, deadline=deadline)
    return found if isinstance(found, LowestPeak) else None


def _largest(io: IntegerIo) -> str:
    """`the FLOAT32 input 'image' takes 12,288 B`."""
    graph = io.given
    ends = [(t, "input", e) for t, e in zip(graph.inputs, io.inputs, strict=True)]
    ends += [(t, "output", e) for t, e in zip(graph.outputs, io.outputs, strict=True)]
    changed = [(graph.tensors[tensor], what) for tensor, what, end in ends if end.is_changed]
    tensor, what = max(changed, key=lambda pair: pair[0].bytes)
    name = printable(tensor.name)
    return f"the {tensor.dtype.name} {what} {name!r} takes {format_bytes(tensor.bytes)}"


def _few(names: tuple[str, ...]) -> tuple[str, ...]:
    return names if len(names) <= 3 else (*names[:2], f"{len(names) - 2} more")

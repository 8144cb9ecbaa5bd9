"""The reasons why peak RAM is not lower, each with its bytes and what an engineer can do.

The parts of the piece that sets the peak add up to it; the job's own limits come on top.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from splitopt.base.units import format_bytes
from splitopt.bundle.open import OpenBundle
from splitopt.explain.memory.cuts import Reachable
from splitopt.explain.memory.pieces import PieceMemory
from splitopt.planning.lower_bound import Floor
from splitopt.planning.segment_options import SegmentTable

_LEAST_SHARE = 0.02
_LIMITS_FIRST = 0.02
_NEARLY = 0.9


@dataclass(frozen=True)
class Reason:
    """One reason. `share` is of the peak; `code` is stable, for programs."""

    code: str
    size_bytes: int
    share: float
    sentence: str
    next_step: str

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "share": round(self.share, 6)}


def memory_reasons(
    bundle: OpenBundle,
    table: SegmentTable,
    pieces: Sequence[PieceMemory],
    floor: Floor,
    before: int,
    after: int,
    reach: Reachable | None,
) -> tuple[Reason, ...]:
    """The job's limits first where they cost something, then the parts of the peak by size."""
    peak = max(pieces, key=lambda piece: piece.ram_bytes)
    limits = [r for r in _job_limits(bundle, pieces, after, reach) if r.share >= _LIMITS_FIRST]
    parts = [r for r in _parts(bundle, table, pieces, peak, floor) if r.share >= _LEAST_SHARE]
    by_size = sorted(parts, key=lambda reason: -reason.size_bytes)
    return (*sorted(limits, key=lambda reason: -reason.size_bytes), *by_size)


def _reason(code: str, size: int, whole: int, sentence: str, next_step: str) -> Reason:
    share = size / whole if whole else 0.0
    said = f"{sentence} ({format_bytes(size)}, {100 * share:.1f} % of the peak)"
    return Reason(code, size, share, said, next_step)


def _parts(
    bundle: OpenBundle,
    table: SegmentTable,
    pieces: Sequence[PieceMemory],
    peak: PieceMemory,
    floor: Floor,
) -> Iterator[Reason]:
    whole = peak.ram_bytes
    where = f"piece {peak.index} (ops {peak.start} to {peak.stop - 1})"
    yield _live_set(bundle, table, peak, floor, where)
    yield _tail(pieces, peak, where)
    yield _reason(
        "fragmentation",
        peak.fragmentation_bytes,
        whole,
        f"TFLM's greedy planner leaves holes in the head of {where}",
        "cut elsewhere, so that fewer tensors of unlike size live at once; TFLM places the largest "
        "first, so making large tensors of equal size helps it",
    )
    yield _reason(
        "boundary",
        peak.boundary_bytes,
        whole,
        f"boundary tensors wait outside the arena while {where} runs: "
        f"{format_bytes(peak.through_bytes)} pass by, {format_bytes(peak.in_bytes)} come in, "
        f"{format_bytes(peak.out_bytes)} go out",
        "cut where less is alive: behind a pooling or a strided op, not across a skip connection",
    )
    yield _reason(
        "headroom",
        peak.headroom_bytes,
        whole,
        "the board's headroom is added to every arena",
        "reduce headroom_bytes of the board once the pieces have run on it",
    )
    yield _reason(
        "padding",
        peak.padding_bytes,
        whole,
        f"preparing {where} needs temporary memory and alignment beyond head and tail",
        "use fewer ops and tensors in this piece: temporary memory grows with them",
    )


def _live_set(
    bundle: OpenBundle, table: SegmentTable, peak: PieceMemory, floor: Floor, where: str
) -> Reason:
    """The floor op where it sets the peak or all but; else the largest live set of the piece."""
    name, whole = bundle.graph.op_name(floor.op), peak.ram_bytes
    least, op = format_bytes(floor.least_ram_bytes), peak.peak_op_index
    smaller = _smaller_op(bundle, table, floor.op if op is None else op)
    if op == floor.op or floor.least_ram_bytes >= _NEARLY * whole:
        it = "it" if op == floor.op else name
        return _reason(
            "floor_op",
            peak.live_bytes,
            whole,
            f"what is alive at once while {peak.peak_op} runs; a piece with {it} needs at least "
            f"{least}, wherever you cut",
            smaller,
        )
    return _reason(
        "live_set",
        peak.live_bytes,
        whole,
        f"what is alive at once in {where} while {peak.peak_op} runs",
        f"{smaller}; cuts can go down to {least} ({name})",
    )


def _smaller_op(bundle: OpenBundle, table: SegmentTable, op: int) -> str:
    """The largest thing alive there, and what makes it smaller."""
    graph, entry = bundle.graph, bundle.graph.ops[op]
    scratch = sum(table.memories[op].scratch)
    acts = [t for t in (*entry.given_inputs, *entry.outputs) if graph.tensors[t].is_activation]
    largest = max(acts, key=lambda t: graph.tensors[t].bytes)
    tensor = graph.tensors[largest]
    if scratch > tensor.bytes:
        return (
            f"its scratch is {format_bytes(scratch)}: fewer input channels or a smaller kernel "
            "make it smaller"
        )
    image = len(tensor.shape) > 2
    how = "the resolution or the channels" if image else "the width"
    quarter = "; half the height and width take a quarter of that" if image else ""
    return (
        f"lower {how} of {list(tensor.shape)} (it alone takes {format_bytes(tensor.bytes)}"
        f"{quarter}), or pick a board with more RAM"
    )


def _tail(pieces: Sequence[PieceMemory], peak: PieceMemory, where: str) -> Reason:
    total = sum(piece.tail_bytes for piece in pieces)
    every = (
        f"; all {len(pieces)} pieces carry {format_bytes(total)} of it together"
        if len(pieces) > 1
        else ""
    )
    return _reason(
        "tail",
        peak.tail_bytes,
        peak.ram_bytes,
        f"persistent data of {where}: interpreter, tensor and op tables, kernels' own{every}",
        "it grows with ops, tensors and channels, not with resolution: use fewer channels and ops, "
        "fuse activations, and cut this piece in two where the head allows it",
    )


def _job_limits(
    bundle: OpenBundle, pieces: Sequence[PieceMemory], after: int, reach: Reachable | None
) -> Iterator[Reason]:
    """What the job's own limits and weights cost, each by itself."""
    if reach is None or reach.free.peak_ram_bytes >= after:
        return
    allowed, settings = reach.allowed, bundle.plan.job.settings
    free = format_bytes(reach.free.peak_ram_bytes)
    for lifted in reach.lifted:
        yield _reason(
            lifted.setting,
            lifted.saved_bytes,
            after,
            f"the job's {lifted.setting}: without it cuts reach "
            f"{format_bytes(lifted.least.peak_ram_bytes)} in {len(lifted.least.cuts) + 1} pieces",
            f"loosen {lifted.setting} (cuts before ops {_listed(lifted.least.cuts)})",
        )
    if allowed is not None and reach.lifted and not any(x.saved_bytes > 0 for x in reach.lifted):
        yield _reason(
            "job_limits",
            allowed.peak_ram_bytes - reach.free.peak_ram_bytes,
            after,
            f"the job's limits together: without them cuts reach {free}",
            f"loosen {', '.join(x.setting for x in reach.lifted)} together",
        )
    if not all(piece.as_planned for piece in pieces):
        return
    if allowed is not None and bundle.plan.route == "whole":
        yield _reason(
            "objective",
            after - allowed.peak_ram_bytes,
            after,
            f"the job minimises {settings.objective.minimise!r}: the least peak under its limits "
            f"is {format_bytes(allowed.peak_ram_bytes)}",
            "set objective.minimise: peak_ram, or raise objective.ram_weight, at the price of more "
            "instructions per inference",
        )
    elif bundle.plan.route == "pieces" and allowed is not None:
        yield _reason(
            "route",
            after - allowed.peak_ram_bytes,
            after,
            f"route: pieces cuts only where the ONNX model can be cut, too; cuts of the int8 model "
            f"reach {format_bytes(allowed.peak_ram_bytes)}",
            "use route: whole, which can cut between any two ops",
        )


def _listed(cuts: Sequence[int]) -> str:
    shown = ", ".join(map(str, cuts[:8]))
    return f"{shown}, ..." if len(cuts) > 8 else shown or "none"

"""What the peak comes from and what would lower it, the same for a model and for a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter

from splitopt.base.units import ARENA_ALIGNMENT, align_up, format_bytes, more_text, plural
from splitopt.bundle.schema.explain import LowestPeak as PeakEntry
from splitopt.bundle.schema.explain import Piece, Remedy, SingleOpBound
from splitopt.graph.model import ModelGraph
from splitopt.planning.lowest_peak import BY_ROWS, MORE_TIME, STAYS, LowestPeak
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.state import stateful_ops
from splitopt.planning.unfinished import found_text
from splitopt.tiling.rows import gates_read

_NEARLY = 0.9
_WORDS = {
    "cuts": "cuts only",
    "offline_plans": "cuts with exact offline plans",
    "bands": "row bands",
    "streams": "row streams",
    STAYS: "pieces that are resident, restored or read a tensor in place",
    BY_ROWS: "row streams that are handed the model's input by rows",
}
"""Code of a technique → its name in a sentence."""

_PIECES = {
    "cuts": "pieces: {bands: false, streams: false, offline_plans: false}",
    "offline_plans": "pieces: {bands: false, streams: false}",
    "bands": "pieces: {streams: false}",
    "streams": "",
    STAYS: "",
    BY_ROWS: "pieces: {input: rows}, if your application can",
}
"""Code of a technique → what a job says that goes as far and no further."""


def technique_remedies(
    cuts: LowestPeak | None, peaks: Sequence[LowestPeak], peak_bytes: int
) -> Iterator[Remedy]:
    """What each technique saves of `peak_bytes`, with all that stand before it, where it gets below
    these; the model's input by rows only then."""
    by_code = {peak.code: peak for peak in peaks}
    if cuts is not None:
        by_code["cuts"] = cuts
    lowest = peak_bytes
    for code in _WORDS:
        if code in by_code and (code != BY_ROWS or by_code[code].peak_ram_bytes < lowest):
            yield _technique(by_code[code], by_code.get(f"{code}_within"), peak_bytes, lowest)
            lowest = min(lowest, by_code[code].peak_ram_bytes)


def _technique(
    peak: LowestPeak, within: LowestPeak | None, peak_bytes: int, lowest_bytes: int
) -> Remedy:
    """`within`: the same for little more time. `lowest_bytes`: what those before it reach."""
    proof, words = proof_of(peak), _WORDS[peak.code]
    if peak.peak_ram_bytes >= lowest_bytes:
        sentence = f"{words} get nothing below {format_bytes(lowest_bytes)} ({proof})"
        return _remedy(peak.code, 0, sentence, "none")
    worth = peak_bytes - peak.peak_ram_bytes
    start, reached = format_bytes(peak_bytes), format_bytes(peak.peak_ram_bytes)
    sentence = f"from {start}, {words} reach {reached} in {plural(peak.pieces, 'piece')} ({proof})"
    if within is not None and within.peak_ram_bytes < peak_bytes:
        is_same = within.peak_ram_bytes == peak.peak_ram_bytes
        sentence += "," if is_same else f", and {format_bytes(within.peak_ram_bytes)}"
        sentence += f" for at most {MORE_TIME} % of Invoke more than the best cuts"
    keys = f" and {_PIECES[peak.code]}" if _PIECES[peak.code] else ""
    next_step = (
        f"splitopt run with objective.minimise: smallest{keys}; {more_text(peak.added_insn)} per "
        "inference (estimate)"
    )
    return _remedy(peak.code, worth, sentence, next_step)


def peak_of(pieces: Sequence[Piece]) -> int:
    """The largest RAM of a piece, and on it what resident pieces keep in the region."""
    return max(piece.ram_bytes for piece in pieces) + sum(piece.kept_bytes for piece in pieces)


def _remedy(code: str, worth: int, sentence: str, next_step: str, size: int = 0) -> Remedy:
    return Remedy(
        code=code, size_bytes=size, worth_bytes=worth, sentence=sentence, next_step=next_step
    )


def proof_of(peak: LowestPeak | PeakEntry) -> str:
    if peak.is_proved:
        return "proved"
    cause = None if peak.unfinished is None else peak.unfinished.cause
    return f"the best {found_text(cause)}, unproved"


def peak_remedies(
    table: SegmentTable,
    pieces: Sequence[Piece],
    bound: SingleOpBound,
    peak_bytes: int,
    *,
    fits: bool,
) -> Iterator[Remedy]:
    """One for each part of the piece that sets the peak, and one for the single-op bound. Who
    `fits` the budget is not sent to buy another board."""
    or_board = "" if fits else "; or pick a board with more RAM"
    peak = max(pieces, key=attrgetter("ram_bytes"))
    held = f"piece {peak.index} (ops {peak.start} to {peak.stop - 1})"
    is_unsplit = len(pieces) == 1 and not peak.bands and not peak.groups
    where = "the unsplit model" if is_unsplit else held
    least = bound.least_ram_bytes
    is_at_bound = least <= peak.ram_bytes and (
        peak.peak_op_index == bound.op or least >= _NEARLY * peak.ram_bytes
    )
    yield _bound(table, bound, peak_bytes, peak.live_bytes if is_at_bound else 0, or_board)
    if not is_at_bound:
        op = bound.op if peak.peak_op_index is None else peak.peak_op_index
        lower = f"; cuts can go down to {format_bytes(least)} ({bound.name})"
        yield _part(
            "live_set",
            "live_bytes",
            pieces,
            f"what is alive at once in {where} while {peak.peak_op} runs",
            _smaller(table, peak, op) + (lower if least < peak.ram_bytes else "") + or_board,
        )
    yield from _other_parts(table, pieces, peak, where)


def _bound(
    table: SegmentTable, bound: SingleOpBound, peak_bytes: int, size: int, or_board: str
) -> Remedy:
    """The largest thing alive there is taken away: the same op, or another, sets the bound then."""
    largest = bound.alive[0] if bound.alive else None
    if largest is None:
        return _remedy("floor_op", 0, f"{bound.name} sets the single-op bound", "none")
    # A tensor can be there twice: in the arena, and kept for later outside it.
    held = sum(
        item.size_bytes
        for item in bound.alive
        if item is largest or (item.tensor is not None and item.tensor == largest.tensor)
    )
    rest = bound.least_ram_bytes - align_up(held, ARENA_ALIGNMENT)
    after, op = rest, "it would still need"
    if bound.next_op is not None and bound.next_ram_bytes > rest:
        after, op = bound.next_ram_bytes, f"{bound.next_op} would set the bound at"
    share = f" ({_share(size, peak_bytes)})" if size else ""
    return _remedy(
        "floor_op",
        max(0, peak_bytes - after) if after < bound.least_ram_bytes else 0,
        f"{bound.name} sets the single-op bound: a piece with it needs at least "
        f"{format_bytes(bound.least_ram_bytes)} on all rows, wherever you cut{share}; the largest "
        f"of what is alive there is {largest.name}, {format_bytes(largest.size_bytes)}, held "
        f"during ops {bound.held_start} to {bound.held_stop - 1}; without it {op} "
        f"{format_bytes(after)}",
        _smaller_op(table, bound.op) + or_board,
        size,
    )


def _smaller(table: SegmentTable, peak: Piece, op: int) -> str:
    """What makes the largest thing alive in the piece smaller. A stream and a band hold rows of a
    tensor, however many it has."""
    held = peak.largest_held
    if held is None:
        return _smaller_op(table, op)
    size = format_bytes(held.size_bytes)
    what, fewer = f"the largest buffer there, {size}, holds rows of a tensor", "columns or channels"
    if held.role == "scratch":
        what = f"the largest buffer there, {size}, is scratch"
        fewer = "channels or a smaller kernel"
    elif held.tensor is not None:
        shape = list(table.graph.tensors[held.tensor].shape)
        what = f"the largest line buffer there, {size}, holds rows of {shape}"
    return f"{what}: fewer {fewer} make it smaller, a lower height does not"


def _smaller_op(table: SegmentTable, op: int) -> str:
    """The largest thing alive there, and what makes it smaller."""
    graph, scratch = table.graph, sum(table.memories[op].scratch)
    largest = _largest_activation(graph, op)
    tensor = graph.tensors[largest]
    if scratch > tensor.bytes:
        return (
            f"its scratch is {format_bytes(scratch)}: fewer input channels or a smaller kernel "
            "make it smaller"
        )
    image = len(tensor.shape) > 2
    how = "the resolution or the channels" if image else "the width"
    quarter = "; half the height and width take a quarter of that" if image else ""
    return f"lower {how} of {list(tensor.shape)} (it takes {format_bytes(tensor.bytes)}{quarter})"


def _largest_activation(graph: ModelGraph, op: int) -> int:
    tensors = (*graph.ops[op].given_inputs, *graph.ops[op].outputs)
    activations = [t for t in tensors if graph.tensors[t].is_activation]
    return max(activations, key=lambda t: graph.tensors[t].bytes)


def _smaller_boundary(table: SegmentTable, peak: Piece) -> str:
    """The model's own input waits wherever it is cut, and so does an image for its own gate."""
    gated = _waits_for_gate(table.graph, peak)
    if gated:
        return gated
    cut = "cut where less is alive: behind a pooling or a strided op, not across a skip connection"
    graph = table.graph
    readers = range(peak.start, peak.stop)
    own = {t for op in readers for t in graph.ops[op].given_inputs} & set(graph.inputs)
    given = sum(align_up(graph.tensors[t].bytes, ARENA_ALIGNMENT) for t in own)
    if not 0 < given <= peak.in_bytes or 2 * given < peak.boundary_bytes:
        return cut
    return (
        f"{format_bytes(given)} of it are the model's own input: pieces.input: rows, if your "
        "application can hand it over row by row, or a smaller input; no cut changes it"
    )


def _waits_for_gate(graph: ModelGraph, peak: Piece) -> str:
    """Of squeeze-and-excite: what the piece reads is repeated behind it, by a gate that it begins
    to make. Empty where that is no half of the boundary tensors."""
    for op in graph.ops[peak.start : peak.stop]:
        for tensor in op.given_inputs:
            size = align_up(graph.tensors[tensor].bytes, ARENA_ALIGNMENT)
            if not graph.tensors[tensor].is_activation or 2 * size < peak.boundary_bytes:
                continue
            for reader in graph.readers[tensor]:
                gates = gates_read(graph, graph.ops[reader]) if reader >= peak.stop else []
                if any(graph.producer.get(gate, -1) >= peak.start for gate in gates):
                    return (
                        f"{format_bytes(size)} of it wait for {graph.op_name(reader)} until all "
                        "rows have made its gate: no cut changes that; a block without a gate, or "
                        "with one where the image has fewer rows or channels, takes less"
                    )
    return ""


def _other_parts(
    table: SegmentTable, pieces: Sequence[Piece], peak: Piece, where: str
) -> Iterator[Remedy]:
    total = format_bytes(sum(piece.tail_bytes for piece in pieces))
    every = f"; all {len(pieces)} pieces carry {total} of it together" if len(pieces) > 1 else ""
    yield _part(
        "tail",
        "tail_bytes",
        pieces,
        f"persistent data of {where}: interpreter, tensor and op tables, kernels' own{every}",
        "it grows with ops, tensors and channels, not with resolution: use fewer channels and ops, "
        "fuse activations, and cut this piece in two where the head allows it",
    )
    yield from _kept(table, pieces)
    yield _part(
        "fragmentation",
        "fragmentation_bytes",
        pieces,
        f"TFLM's greedy planner leaves holes in the head of {where}",
        "cut elsewhere, so that fewer tensors of unlike size live at once; TFLM places the largest "
        "first, so making large tensors of equal size helps it",
    )
    if peak.boundary_bytes:
        yield _part(
            "boundary",
            "boundary_bytes",
            pieces,
            f"boundary tensors wait outside the arena while {where} runs: live through "
            f"{format_bytes(peak.through_bytes)}, in {format_bytes(peak.in_bytes)}, out "
            f"{format_bytes(peak.out_bytes)}",
            _smaller_boundary(table, peak),
        )
    yield _part(
        "headroom",
        "headroom_bytes",
        pieces,
        "the board's headroom is added to every arena",
        "reduce headroom_bytes of the board once the pieces have run on it",
    )
    if peak.padding_bytes:
        yield _part(
            "padding",
            "padding_bytes",
            pieces,
            f"preparing {where} needs temporary memory and alignment beyond head and tail",
            "use fewer ops and tensors in this piece: temporary memory grows with them",
        )


def _part(code: str, field: str, pieces: Sequence[Piece], sentence: str, next_step: str) -> Remedy:
    """Without this part in any piece, the largest piece of what is left sets the peak. Shares are
    of the peak with what resident pieces keep."""
    part = attrgetter(field)
    peak = max(pieces, key=attrgetter("ram_bytes"))
    size = part(peak)
    worth = peak.ram_bytes - max(piece.ram_bytes - part(piece) for piece in pieces)
    said = f"{sentence} ({_share(size, peak_of(pieces))})"
    return _remedy(code, worth, said, next_step, size)


def _kept(table: SegmentTable, pieces: Sequence[Piece]) -> Iterator[Remedy]:
    """What resident pieces keep: in a memory for tails it is no part of the peak."""
    kept = sum(piece.kept_bytes for piece in pieces)
    if not kept:
        return
    own = sorted((p for p in pieces if p.kept_bytes), key=lambda p: -p.kept_bytes)
    largest = f"{format_bytes(own[0].kept_bytes)} of it piece {own[0].index}"
    who = f"the resident piece {own[0].index} keeps its tail and interpreters"
    if len(own) > 1:
        who = f"{len(own)} resident pieces keep their tails and interpreters ({largest})"
    # Once rebuilt, a piece has its tail in its own arena, and the tails share the region.
    rebuilt_bytes = max(piece.ram_bytes + piece.kept_bytes for piece in pieces)
    rebuild = (
        "pieces.switching: [rebuild] with a smaller budget_bytes: rebuilt pieces share these "
        f"bytes, for more time (these cuts would need about {format_bytes(rebuilt_bytes)}, other "
        "cuts less)"
    )
    elsewhere = "name a memory of the board that holds tails"
    yield _remedy(
        "kept",
        kept,
        f"{who} in the main SRAM between inferences ({_share(kept, peak_of(pieces))})",
        elsewhere if stateful_ops(table.graph) else f"{rebuild}; or {elsewhere}",
        kept,
    )


def _share(size: int, whole: int) -> str:
    return f"{format_bytes(size)}, {100 * size / max(1, whole):.1f} % of the peak"

"""The facts that the explanation of a model's RAM and that of a run's have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from splitopt.base.units import format_bytes, more_text, no_estimate_text
from splitopt.bundle.left_out import left_out_text
from splitopt.bundle.schema.explain import LowestPeak as PeakEntry
from splitopt.bundle.schema.explain import Memory, Piece, Remedy, SingleOpBound
from splitopt.cost.costs import InvokeEstimate
from splitopt.explain.memory.remedies import peak_remedies, proof_of, technique_remedies
from splitopt.planning.lowest_peak import BY_ROWS, STAYS, LowestPeak, unanswered
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.switching import REBUILT, Switching
from splitopt.planning.unfinished import late_text
from splitopt.planning.unsplit import Baseline


def memory_facts(
    table: SegmentTable,
    baseline: Baseline,
    bound: SingleOpBound,
    pieces: Sequence[Piece],
    cuts: LowestPeak | None,
    peaks: Sequence[LowestPeak],
    *,
    now: Sequence[Piece],
    budget_bytes: int,
    peak_bytes: int,
    limits: Iterable[Remedy] = (),
    switching: Switching = REBUILT,
) -> Memory:
    """The single-op bound, the pieces, the lowest peaks and the remedies of a model or a run.

    `now`: the pieces that remedies would improve, or the unsplit model as one, with the peak
    `peak_bytes`: what all remedies are counted from. Remedies that lie in the job itself (`limits`)
    go first, then those that are worth most. `switching`: what the board allows.
    """
    lowest = min((peak.peak_ram_bytes for peak in peaks), default=peak_bytes)
    found = [
        *technique_remedies(cuts, peaks, peak_bytes),
        *peak_remedies(table, now, bound, peak_bytes, fits=min(lowest, peak_bytes) <= budget_bytes),
    ]
    by_worth = sorted(found, key=lambda remedy: -remedy.worth_bytes)
    own = sorted(limits, key=lambda remedy: -remedy.worth_bytes)
    invoke = baseline.invoke
    return Memory(
        budget_bytes=budget_bytes,
        invoke_insn=invoke.whole,
        floor=bound,
        pieces=tuple(pieces),
        lowest_peaks=tuple(PeakEntry.model_validate(p, from_attributes=True) for p in peaks),
        lowest_peak_lines=tuple(lowest_peak_lines(peaks, baseline.ram_bytes, invoke, switching)),
        remedies=(*own, *by_worth),
        unused_memories=tuple(m.name for m in switching.without_images().memories),
        exact=baseline.arena.exact and all(piece.exact for piece in pieces),
    )


def where_text(memory: Memory) -> str:
    """Where boundary tensors lie in lowest peaks and best cuts; empty where there is no choice."""
    return " with boundary tensors in the main SRAM" if memory.unused_memories else ""


def lowest_peak_lines(
    peaks: Sequence[LowestPeak],
    unsplit_bytes: int,
    invoke: InvokeEstimate,
    switching: Switching = REBUILT,
) -> Iterator[str]:
    """Bytes and price of each technique, or that it gets no lower than those before it, or that
    there was no time for it."""
    for number, peak in enumerate(peaks):
        left = left_out_text(peak.unfinished)
        rest = f"; not looked at: {left}" if left else ""
        size = min(peak.peak_ram_bytes, unsplit_bytes)
        if size == unsplit_bytes or any(_is_as_good(simpler, peak) for simpler in peaks[:number]):
            yield f"{peak.name}: nothing below {format_bytes(size)} ({proof_of(peak)}){rest}"
        else:
            yield f"{peak.name}: {_price(peak, invoke, switching)}{rest}"
    for name in unanswered(peaks, invoke.whole, switching.all_inside()) if peaks else ():
        yield f"{name}: not looked at ({late_text()})"
    if peaks and invoke.unmeasured:
        yield f"{no_estimate_text(invoke.unmeasured)}."


def _is_as_good(peak: LowestPeak, other: LowestPeak) -> bool:
    fewer_bytes = peak.peak_ram_bytes <= other.peak_ram_bytes
    return fewer_bytes and peak.added_insn <= other.added_insn


def _price(peak: LowestPeak, invoke: InvokeEstimate, switching: Switching) -> str:
    """Bytes, and the instructions that are added, in parts of the unsplit Invoke where that has an
    estimate; what these are where pieces of the same plan are restored."""
    rest, rebuild = peak.added_insn - peak.rebuild_insn, peak.rebuild_insn
    start = f"{format_bytes(peak.peak_ram_bytes)} ({proof_of(peak)}); Invoke and copies"
    if not invoke.whole:
        return f"{start} {more_text(rest)}, AllocateTensors {more_text(rebuild)} (estimates)"
    share = 100 / invoke.whole
    restored = ""
    if peak.code in (STAYS, BY_ROWS):  # in the cheapest way already
        switching = REBUILT
    pieces = [segment.figures for segment in peak.plan.segments if segment.kept is None]
    ways = switching.fitting_ways(pieces) if switching.may_restore else ()
    if any(begin.is_restored for way in ways for begin in way.begins):
        least = sum(way.insn for way in ways)
        restored = f", {share * least:+.1f} % where pieces are restored from saved tails"
    return (
        f"{start} {share * rest:+.1f} %, AllocateTensors {share * rebuild:+.1f} % of the unsplit "
        f"Invoke (estimates){restored}"
    )

"""What is explained of a model and of a run as text: verdicts first, then tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from splitopt.base.text import Row, first_few, table
from splitopt.base.units import format_bytes, format_percent, more_text, plural
from splitopt.bundle.io_json import io_lines
from splitopt.bundle.schema.explain import (
    PEAK_PARTS,
    Memory,
    ModelExplanation,
    RunExplanation,
    RunMemory,
    TensorFact,
)
from splitopt.bundle.schema.outputs import Difference, Finding, Outputs
from splitopt.bundle.schema.streamable import Streamable
from splitopt.explain.memory.facts import where_text
from splitopt.explain.switching import SWITCHING, worth_lines

_SHOWN_CUTS = 16
_NOTE = "Instructions are estimates fitted to counts of QEMU's Cortex-M55; they are not CPU cycles."
REMEDIES = "What would lower the peak"
STREAMABLE = "What can be streamed"


@dataclass(frozen=True)
class Table:
    """A table to show: what it is, its columns, its rows. The first column is a name."""

    title: str
    header: Row
    rows: tuple[Row, ...]


def model_text(found: ModelExplanation) -> str:
    """explain.txt of a model: everything, for a terminal, a file or a bug report."""
    head = [f"{found.model} on {found.board}", "\n".join(_model_verdict(found))]
    parts = [*_switching_parts(found), *_memory_parts(found)]
    parts += [*_stream_parts(found), *map(_shown, _model_tables(found))]
    return _joined([*head, *parts, _NOTE])


def run_text(found: RunExplanation) -> str:
    """explain.txt of a run."""
    findings = () if found.outputs is None else found.outputs.findings
    return _joined(
        [
            f"{found.job}: {found.model} on {found.board}",
            "\n".join(verdict_lines(found)),
            *("\n".join(finding_lines(finding)) for finding in findings),
            *_memory_parts(found.memory),
            *map(_shown, run_tables(found)),
        ]
    )


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(parts) + "\n"


def _shown(shown: Table) -> str:
    return f"{shown.title}\n{table(shown.header, shown.rows)}"


def _switching_parts(found: ModelExplanation) -> Iterator[str]:
    if found.switching is not None:
        lines = worth_lines(found.switching, found.invoke_insn)
        yield f"{SWITCHING}:\n" + "\n".join(lines)


def _stream_parts(found: ModelExplanation) -> Iterator[str]:
    if found.streamable is not None:
        yield f"{STREAMABLE}:\n" + "\n".join(streamable_lines(found.streamable))


def streamable_lines(found: Streamable) -> Iterator[str]:
    """The longest streams, then what cannot be streamed, each with its reason."""
    runs = [f"{run.start} to {run.stop - 1}" for run in found.runs]
    yield f"one row at a time: {f'ops {first_few(runs)}' if runs else 'no op'}"
    for refused in found.refused:
        ops = first_few(refused.ops, _SHOWN_CUTS)
        word = "op" if len(refused.ops) == 1 else "ops"
        yield f"not {refused.op_type} ({word} {ops}): {refused.reason}"


def _memory_parts(memory: Memory) -> Iterator[str]:
    if memory.lowest_peaks:
        yield f"{lowest_peaks_title(memory)}:\n" + "\n".join(memory.lowest_peak_lines)
    yield f"{REMEDIES}:\n" + "\n".join(remedy_lines(memory))


def remedy_lines(memory: Memory) -> Iterator[str]:
    """What would lower the peak: what lies in the job itself, then what is worth most."""
    parts = PEAK_PARTS - {"floor_op"}
    told = [r for r in memory.remedies if r.size_bytes or r.worth_bytes or r.code not in parts]
    for number, remedy in enumerate(told, start=1):
        worth = f"at most {format_bytes(remedy.worth_bytes)}" if remedy.worth_bytes else "nothing"
        yield f"{number}. {remedy.code}, worth {worth}: {remedy.sentence}"
        if remedy.worth_bytes:
            yield f"   next: {remedy.next_step}"


def _model_verdict(found: ModelExplanation) -> Iterator[str]:
    """The answer, and what it rests on."""
    ram = found.ram
    if found.is_interrupted:
        yield "INTERRUPTED: lowest peaks are the best that were found until then."
    if found.not_run:
        yield f"NOT RUN: {found.not_run}"
    yield found.verdict
    yield (
        f"{plural(found.ops, 'op')}, {plural(found.tensors, 'tensor')}, file "
        f"{format_bytes(found.file_bytes)}; most is alive at {found.peak_op_name}."
    )
    short = ram.arena_min_bytes - ram.arena_used_bytes
    note = f"{format_bytes(short)} too small as an arena" if short > 0 else "as much as is needed"
    yield (
        f"TFLM's own arena_used_bytes() says {format_bytes(ram.arena_used_bytes)}, {note}: the "
        f"minimum arena is {format_bytes(ram.arena_min_bytes)}."
    )
    if not found.exact:
        yield "Bytes are ESTIMATES on the safe side: " + "; ".join(ram.estimates) + "."
    if found.io is not None:
        yield from io_lines(found.io)
    least = found.least
    if least is None or not found.saved_bytes:
        return
    cheap = "no cuts that reach it add less" if least.is_cheapest else "cheaper ones may exist"
    yield (
        f"Cuts before ops {first_few(least.cuts, _SHOWN_CUTS)} reach it "
        f"({plural(least.pieces, 'piece')}): {more_text(least.added_insn)} per inference "
        f"(estimate); {cheap}."
    )


def _model_tables(found: ModelExplanation) -> Iterator[Table]:
    whole = found.ram.ram_bytes
    rows = [
        (part.name, f"{part.size_bytes:,}", f"{100 * part.size_bytes / whole:.1f} %")
        for part in found.ram.parts
        if part.size_bytes
    ]
    rows.append(("RAM unsplit", f"{whole:,}", "100.0 %"))
    rows.append(("temporary data while preparing reach", f"{found.ram.temporary_bytes:,}", ""))
    yield Table("Where the RAM goes, unsplit", ("", "bytes", "share"), tuple(rows))
    yield _bound_table(found)
    if found.saved_bytes:
        yield _piece_table("The best cuts", found)
    yield _tensor_table("Largest tensors", found.largest)
    yield _tensor_table("Longest-lived tensors", found.longest_lived)
    yield Table(
        "Known boards, with their own headroom, in bytes",
        ("board", "budget", "unsplit", "split", "verdict"),
        tuple(
            (
                fit.board,
                f"{fit.budget_bytes:,}",
                f"{fit.unsplit_bytes:,}",
                "-" if fit.split_bytes is None else f"{fit.split_bytes:,}",
                fit.verdict,
            )
            for fit in found.boards
        ),
    )


def lowest_peaks_title(memory: Memory) -> str:
    return f"Lowest peak RAM by technique{where_text(memory)}"


def _bound_table(memory: Memory) -> Table:
    bound = memory.floor
    lie = " and wherever boundary tensors lie" if memory.unused_memories else ""
    return Table(
        f"Alive while {bound.name} runs, {format_bytes(bound.live_bytes)}: with tail, headroom and "
        f"boundary tensors a piece with it needs {format_bytes(bound.least_ram_bytes)} at least on "
        f"all rows, wherever you cut{lie}",
        ("tensor", "bytes", "role"),
        tuple((item.name, f"{item.size_bytes:,}", item.role) for item in bound.alive),
    )


def _tensor_table(title: str, tensors: Sequence[TensorFact]) -> Table:
    return Table(
        title,
        ("tensor", "shape", "bytes", "live during ops", "at the peak"),
        tuple(
            (
                f"{t.tensor} {t.name}",
                f"{list(t.shape)} {t.dtype}",
                f"{t.size_bytes:,}",
                f"{t.start}-{t.stop - 1} ({t.stop - t.start})" if t.stop > t.start else "none",
                "yes" if t.at_peak else "",
            )
            for t in tensors
        ),
    )


_PIECE_COLUMNS = {
    "live": "live_bytes", "frag.": "fragmentation_bytes", "head": "head_bytes",
    "tail": "tail_bytes", "other": "padding_bytes",
    "interpreters": "interpreters_bytes", "headroom": "headroom_bytes",
    "arena": "arena_bytes", "through": "through_bytes", "in": "in_bytes", "out": "out_bytes",
    "boundary": "boundary_bytes", "RAM": "ram_bytes", "kept": "kept_bytes",
}  # fmt: skip
"""Heading → field of `Piece`."""


def _piece_table(title: str, memory: Memory) -> Table:
    columns = dict(_PIECE_COLUMNS)
    if not any(piece.groups for piece in memory.pieces):
        del columns["interpreters"]
    kept = ""
    if any(piece.kept_bytes for piece in memory.pieces):
        kept = "; the peak is the largest RAM and all that is kept"
    else:
        del columns["kept"]
    return Table(
        f"{title}: RAM of each piece in bytes, and the op at which most is alive{kept}",
        ("piece", "ops", *columns, "tail %", "peak op"),
        tuple(
            (
                f"{p.index:02d}",
                f"{p.start}-{p.stop - 1}",
                *(f"{getattr(p, field):,}" for field in columns.values()),
                f"{100 * p.tail_bytes / p.ram_bytes:.0f}",
                p.peak_op,
            )
            for p in memory.pieces
        ),
    )


def verdict_lines(found: RunExplanation) -> Iterator[str]:
    """The two answers, each in a sentence or two, and what they rest on."""
    outputs, memory = found.outputs, found.memory
    if outputs is not None:
        yield f"Outputs: {outputs.verdict}"
    yield f"Memory: {memory.verdict}"
    if outputs is not None:
        run = outputs.samples
        yield f"Samples: {run.run} of {run.total} run, {run.source}."
        if run.statistics is not None:
            yield f"Input: {run.statistics}."
    if not memory.exact:
        yield "Bytes are estimates on the safe side: some ops have no measured rule."


def finding_lines(finding: Finding) -> Iterator[str]:
    """The heading, then where, evidence and next step, indented."""
    yield f"{finding.severity.value.upper()} {finding.title}"
    yield f"  where: {finding.where}"
    yield from (f"  evidence: {line}" for line in finding.evidence)
    yield f"  next: {finding.next_step}"


def run_tables(found: RunExplanation) -> Iterator[Table]:
    if found.outputs is not None:
        yield from _output_tables(found.outputs)
    memory = found.memory
    saved = format_percent(-memory.saved_bytes, memory.before_bytes)
    yield Table(
        "Peak RAM in bytes",
        ("", "bytes", "change"),
        (
            ("unsplit", f"{memory.before_bytes:,}", ""),
            ("as it is", f"{memory.after_bytes:,}", saved),
            *_limited_rows(memory),
            ("budget", f"{memory.budget_bytes:,}", ""),
        ),
    )
    yield _bound_table(memory)
    yield _piece_table("As it is", memory)
    yield _single_table(memory)


def _limited_rows(memory: RunMemory) -> Iterator[Row]:
    reach, before = memory.reachable, memory.before_bytes
    if reach is None:
        return
    for name, least in (("lowest under the job's limits", reach.allowed), ("lowest", reach.free)):
        if least is None or (least is reach.allowed and not reach.lifted):
            continue
        sure = "proved" if least.is_proved else "unproved"
        change = format_percent(least.peak_ram_bytes - before, before)
        pieces = plural(least.pieces, "piece")
        yield f"{name} of cuts ({pieces}, {sure})", f"{least.peak_ram_bytes:,}", change


def _single_table(memory: RunMemory) -> Table:
    before, single = memory.before_bytes, memory.single_cuts
    return Table(
        f"Single cuts: {single.useless} of {plural(single.possible, 'cut')} save nothing by "
        "themselves; the best",
        ("cut before op", "peak RAM B", "saved B", "saved", "across the cut B"),
        tuple(
            (
                str(c.before_op),
                f"{c.peak_ram_bytes:,}",
                f"{before - c.peak_ram_bytes:,}",
                f"{100 * (before - c.peak_ram_bytes) / before:.1f} %",
                f"{c.boundary_bytes:,}",
            )
            for c in single.best
        ),
    )


def _output_tables(outputs: Outputs) -> Iterator[Table]:
    yield Table(
        "Pieces: isolated (fed with the whole model's values) and in the chain",
        ("piece", "ops", "isolated", "in the chain", "verdict"),
        tuple(
            (
                f"{p.index:02d}",
                f"{p.start}-{p.stop - 1}",
                _decibels(p.isolated),
                _decibels(p.chained),
                p.verdict,
            )
            for p in outputs.pieces
        ),
    )
    yield Table(
        "What is handed over, in the chain against the whole model",
        ("tensor", "made by", "read by", "SQNR", "constant", "saturated"),
        tuple(
            (
                b.name,
                f"{b.maker:02d}" if b.maker is not None else "-",
                ", ".join(f"{k:02d}" for k in b.readers) or "output",
                _decibels(b.chained),
                "yes" if b.constant else "no",
                f"{100 * b.saturated_share:.1f} %",
            )
            for b in outputs.boundaries
        ),
    )


def _decibels(apart: Difference | None) -> str:
    if apart is None:
        return "-"
    return "equal" if apart.largest == 0 else f"{apart.sqnr_db:.1f} dB"

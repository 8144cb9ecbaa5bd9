"""A diagnosis as text: verdicts first, findings by severity, then tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from splitopt.base.text import Row, table
from splitopt.base.units import format_bytes, format_percent, plural
from splitopt.explain.memory.memory import MemoryDiagnosis
from splitopt.explain.outputs.array_compare import Distance
from splitopt.explain.outputs.finding import Finding
from splitopt.explain.outputs.outputs import OutputDiagnosis
from splitopt.explain.run import Diagnosis


@dataclass(frozen=True)
class Table:
    """A table to show: what it is, its columns, its rows. The first column is a name."""

    title: str
    header: Row
    rows: tuple[Row, ...]


def verdict_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """The two answers, each in a sentence or two, and what they rest on."""
    outputs, memory = diagnosis.outputs, diagnosis.memory
    yield f"Outputs: {outputs.verdict}"
    yield f"Memory: {memory.verdict}"
    ran = f"{outputs.samples} of {outputs.total_samples}"
    yield f"Samples: {ran} run, {outputs.source}."
    if outputs.statistics is not None:
        yield f"Input: {outputs.statistics}."
    if not memory.exact:
        yield "Bytes are estimates on the safe side: some ops have no measured rule."


def finding_lines(finding: Finding) -> Iterator[str]:
    """The heading, then where, evidence and next step, indented."""
    yield f"{finding.severity.value.upper()} {finding.title}"
    yield f"  where: {finding.where}"
    yield from (f"  evidence: {line}" for line in finding.evidence)
    yield f"  next: {finding.next_step}"


def reason_lines(memory: MemoryDiagnosis) -> Iterator[str]:
    """Why the peak is not lower, each with what can be done."""
    for number, reason in enumerate(memory.reasons, start=1):
        yield f"{number}. {reason.sentence}"
        yield f"   next: {reason.next_step}"


def tables(diagnosis: Diagnosis) -> Iterator[Table]:
    yield from _output_tables(diagnosis.outputs)
    yield from _memory_tables(diagnosis.memory)


def explain_text(diagnosis: Diagnosis) -> str:
    """explain.txt: everything, for a terminal, a file or a bug report."""
    parts = [
        f"{diagnosis.job}: {diagnosis.model} on {diagnosis.board}",
        "\n".join(verdict_lines(diagnosis)),
        *("\n".join(finding_lines(finding)) for finding in diagnosis.outputs.findings),
        "Why the peak is not lower:\n" + "\n".join(reason_lines(diagnosis.memory)),
        "How far plans get:\n" + "\n".join(diagnosis.memory.ladder_lines),
        *(f"{t.title}\n{table(t.header, t.rows)}" for t in tables(diagnosis)),
    ]
    return "\n\n".join(parts) + "\n"


def _output_tables(outputs: OutputDiagnosis) -> Iterator[Table]:
    yield Table(
        "Pieces: alone (fed with the whole model's values) and in the chain",
        ("piece", "ops", "alone", "in the chain", "verdict"),
        tuple(
            (
                f"{p.index:02d}",
                f"{p.start}-{p.stop - 1}",
                _decibels(p.alone),
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
                f"{b.passed.maker:02d}" if b.passed.maker is not None else "-",
                ", ".join(f"{k:02d}" for k in b.passed.readers) or "output",
                _decibels(b.passed.apart),
                "yes" if b.passed.constant else "no",
                f"{100 * b.passed.saturated:.1f} %",
            )
            for b in outputs.boundaries
        ),
    )


def _decibels(apart: Distance | None) -> str:
    if apart is None:
        return "-"
    return "equal" if apart.largest == 0 else f"{apart.sqnr_db:.1f} dB"


def _memory_tables(memory: MemoryDiagnosis) -> Iterator[Table]:
    before = memory.before_bytes
    yield Table(
        "Peak RAM in bytes",
        ("", "bytes", "change"),
        (
            ("unsplit", f"{before:,}", ""),
            ("as it is", f"{memory.after_bytes:,}", format_percent(-memory.saved_bytes, before)),
            *_least_rows(memory),
            ("budget", f"{memory.budget_bytes:,}", ""),
        ),
    )
    yield Table(
        f"Alive while {memory.floor_op} runs, {format_bytes(memory.floor.live_bytes)}: with tail, "
        "headroom and boundary tensors a piece with it needs "
        f"{format_bytes(memory.floor.least_ram_bytes)} at least",
        ("tensor", "bytes", "role"),
        tuple((item.name, f"{item.size_bytes:,}", item.role) for item in memory.floor_live),
    )
    yield _piece_table(memory)
    yield _single_table(memory)


def _piece_table(memory: MemoryDiagnosis) -> Table:
    return Table(
        "RAM of each piece in bytes, and the op at which most is alive",
        (
            "piece", "ops", "live", "frag.", "tail", "tail %", "other", "headroom", "through",
            "in", "out", "RAM", "peak op",
        ),
        tuple(
            (
                f"{p.index:02d}",
                f"{p.start}-{p.stop - 1}",
                f"{p.live_bytes:,}",
                f"{p.fragmentation_bytes:,}",
                f"{p.tail_bytes:,}",
                f"{100 * p.tail_bytes / p.ram_bytes:.0f}",
                f"{p.padding_bytes:,}",
                f"{p.headroom_bytes:,}",
                f"{p.through_bytes:,}",
                f"{p.in_bytes:,}",
                f"{p.out_bytes:,}",
                f"{p.ram_bytes:,}",
                p.peak_op,
            )
            for p in memory.pieces
        ),
    )  # fmt: skip


def _single_table(memory: MemoryDiagnosis) -> Table:
    before = memory.before_bytes
    single = memory.single
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


def _least_rows(memory: MemoryDiagnosis) -> Iterator[Row]:
    reach, before = memory.reachable, memory.before_bytes
    if reach is None:
        return
    for name, least in (("least under the job's limits", reach.allowed), ("least", reach.free)):
        if least is None or (least is reach.allowed and not reach.lifted):
            continue
        sure = "proved" if least.proved else "unproved"
        pieces = plural(len(least.cuts) + 1, "piece")
        change = format_percent(least.peak_ram_bytes - before, before)
        yield f"{name} ({pieces}, {sure})", f"{least.peak_ram_bytes:,}", change

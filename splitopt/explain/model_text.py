"""The facts of one model as text: the verdict first, then tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from splitopt.base.text import Row, table
from splitopt.base.units import format_bytes, format_kinsn, plural
from splitopt.explain.memory.tensors import TensorFact
from splitopt.explain.model import ModelFacts

_SHOWN_CUTS = 16
_NOTE = "Instructions are estimates fitted to counts of QEMU's Cortex-M55; they are not CPU cycles."


@dataclass(frozen=True)
class Section:
    """A table to show: what it is, its columns, its rows. The first column is a name."""

    title: str
    header: Row
    rows: tuple[Row, ...]


def verdict_lines(facts: ModelFacts) -> Iterator[str]:
    """The answer, and what it rests on."""
    ram = facts.ram
    yield facts.verdict
    yield (
        f"{plural(facts.ops, 'op')}, {plural(facts.tensors, 'tensor')}, file "
        f"{format_bytes(facts.file_bytes)}; most is alive at {facts.peak_op_name}."
    )
    short = ram.too_small_bytes
    note = f"{format_bytes(short)} too small as an arena" if short > 0 else "as much as is needed"
    yield (
        f"TFLM's own arena_used_bytes() says {format_bytes(ram.arena_used_bytes)}, {note}: the "
        f"minimum arena is {format_bytes(ram.arena_min_bytes)}."
    )
    if not facts.is_exact:
        yield "Bytes are ESTIMATES on the safe side: " + "; ".join(ram.estimates) + "."
    if facts.least is not None and facts.saved_bytes:
        yield _cuts_line(facts)


def _cuts_line(facts: ModelFacts) -> str:
    assert facts.least is not None, "asked for where cuts save something"
    least = facts.least
    shown = ", ".join(map(str, least.cuts[:_SHOWN_CUTS]))
    more = ", ..." if len(least.cuts) > _SHOWN_CUTS else ""
    cheap = (
        "no cuts that reach it add less"
        if least.added_status == "OPTIMAL"
        else "cheaper ones may exist"
    )
    return (
        f"Cuts before ops {shown}{more} reach it ({plural(len(least.pieces), 'piece')}) and add an "
        f"estimated {format_kinsn(least.added_insn)} to each inference; {cheap}."
    )


def lever_lines(facts: ModelFacts) -> Iterator[str]:
    """What would help next, the one that is worth most first."""
    for number, lever in enumerate(facts.levers, start=1):
        worth = f"at most {format_bytes(lever.worth_bytes)}" if lever.worth_bytes else "nothing"
        yield f"{number}. {lever.code}, worth {worth}: {lever.sentence}"
        if lever.worth_bytes:
            yield f"   next: {lever.next_step}"


def _ladder_part(facts: ModelFacts) -> Iterator[str]:
    if facts.ladder:
        yield "How far plans get:\n" + "\n".join(facts.ladder_lines)


def sections(facts: ModelFacts) -> Iterator[Section]:
    yield _ram_section(facts)
    yield Section(
        f"Alive while {facts.floor.name} runs, {format_bytes(facts.floor.live_bytes)}: a piece "
        f"with it needs {format_bytes(facts.floor.least_ram_bytes)} at least, wherever you cut",
        ("tensor", "bytes", "role"),
        tuple((item.name, f"{item.size_bytes:,}", item.role) for item in facts.floor.alive),
    )
    yield from _piece_sections(facts)
    yield _tensor_section("Largest tensors", facts.largest)
    yield _tensor_section("Longest-lived tensors", facts.longest_lived)
    yield _board_section(facts)


def facts_text(facts: ModelFacts) -> str:
    """explain.txt: everything, for a terminal, a file or a bug report."""
    parts = [
        f"{facts.model} on {facts.board}",
        "\n".join(verdict_lines(facts)),
        *_ladder_part(facts),
        "What would help next:\n" + "\n".join(lever_lines(facts)),
        *(f"{s.title}\n{table(s.header, s.rows)}" for s in sections(facts)),
        _NOTE,
    ]
    return "\n\n".join(parts) + "\n"


def _ram_section(facts: ModelFacts) -> Section:
    whole = facts.ram.ram_bytes
    rows = [
        (part.name, f"{part.size_bytes:,}", f"{100 * part.size_bytes / whole:.1f} %")
        for part in facts.ram.parts
        if part.size_bytes
    ]
    rows.append(("RAM unsplit", f"{whole:,}", "100.0 %"))
    rows.append(("temporary data while preparing reach", f"{facts.ram.temporary_bytes:,}", ""))
    return Section("Where the RAM goes, unsplit", ("", "bytes", "share"), tuple(rows))


def _piece_sections(facts: ModelFacts) -> Iterator[Section]:
    if facts.least is None or not facts.saved_bytes:
        return
    yield Section(
        "The split with the least peak, in bytes",
        ("piece", "ops", "head", "holes", "tail", "arena", "boundary", "RAM"),
        tuple(
            (
                f"{p.index:02d}",
                f"{p.start}-{p.stop - 1}",
                f"{p.head_bytes:,}",
                f"{p.fragmentation_bytes:,}",
                f"{p.tail_bytes:,}",
                f"{p.arena_bytes:,}",
                f"{p.boundary_bytes:,}",
                f"{p.ram_bytes:,}",
            )
            for p in facts.least.pieces
        ),
    )


def _tensor_section(title: str, tensors: Sequence[TensorFact]) -> Section:
    return Section(
        title,
        ("tensor", "shape", "bytes", "live during ops", "at the peak"),
        tuple(
            (
                f"{t.tensor} {t.name}",
                f"{list(t.shape)} {t.dtype}",
                f"{t.size_bytes:,}",
                f"{t.start}-{t.stop - 1} ({t.lifetime_ops})" if t.lifetime_ops else "none",
                "yes" if t.at_peak else "",
            )
            for t in tensors
        ),
    )


def _board_section(facts: ModelFacts) -> Section:
    return Section(
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
            for fit in facts.boards
        ),
    )

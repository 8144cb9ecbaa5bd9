"""A comparison as text for a terminal, and as markdown for a pull request; the verdict first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from splitopt.base.text import Row, markdown, one_line, printable, table
from splitopt.base.units import format_bytes, format_insn, plural
from splitopt.report.compare import Change, Comparison, Difference, SweepComparison

TITLES = {
    "peak_ram_bytes": "peak RAM",
    "largest_arena_bytes": "largest arena",
    "added_insn": "estimated added instructions per inference",
    "pieces": "pieces",
    "file_bytes": "piece files",
    "status": "status",
    "exact": "exact bytes",
    "checks": "checks",
}
_MOST_SHOWN = 30
_HASH_SHOWN = 12
Either = Comparison | SweepComparison


def verdict(found: Either) -> str:
    """One sentence: what became of the peak and of the added time."""
    if isinstance(found, SweepComparison):
        single = len(found.only_before) + len(found.only_after)
        rest = f"; {plural(single, 'point')} in one of them only" if single else ""
        return f"{len(found.differing)} of {plural(found.matched, 'shared point')} differ{rest}."
    changed = [change for change in found.changes if change.is_change]
    if not changed:
        return "No figure changed."
    numbers = [c for c in changed if c.figure in ("peak_ram_bytes", "added_insn")]
    said = [f"{TITLES[c.figure]} {_moved(c)}" for c in numbers]
    others = [TITLES[c.figure] for c in changed if c not in numbers]
    if others:
        said.append(
            f"changed, too: {', '.join(others)}" if said else f"{', '.join(others)} changed"
        )
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def _moved(change: Change) -> str:
    verb = "rose" if (change.absolute or 0) > 0 else "fell"
    before, after = _value(change.figure, change.before), _value(change.figure, change.after)
    share = "" if change.relative is None else f" ({100 * change.relative:+.1f} %)"
    return f"{verb} from {before} to {after}{share}"


def comparison_text(found: Either) -> str:
    parts = [
        f"A: {found.before.where}\nB: {found.after.where}",
        verdict(found),
        "\n".join(f"WARNING: {one_line(text)}" for text in found.warnings),
        *(f"{title}{table(header, rows)}" for title, header, rows in _tables(found)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def comparison_markdown(found: Either) -> str:
    """For a pull request: nothing in it that an untrusted name could turn into markup."""
    parts = [
        f"**{markdown(verdict(found))}**",
        "\n".join(f"> **Warning:** {markdown(text)}" for text in found.warnings),
        "\n".join(f"- **Limit broken:** {markdown(line)}" for line in found.broken),
        *(
            (f"{markdown(title.strip())}\n\n" if title else "") + _markdown(header, rows)
            for title, header, rows in _tables(found)
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _tables(found: Either) -> Iterator[tuple[str, Row, Sequence[Row]]]:
    if isinstance(found, SweepComparison):
        yield from _sweep_tables(found)
    else:
        yield "", ("", "A", "B", "change", ""), _run_rows(found)
    differences = [_difference(d) for d in found.job[:_MOST_SHOWN]]
    if differences:
        yield f"{_counted('What was asked', len(found.job))}\n", ("key", "A", "B"), differences
    if found.versions:
        versions = [(printable(c.figure), _word(c.before), _word(c.after)) for c in found.versions]
        yield "Versions that differ\n", ("", "A", "B"), versions[:_MOST_SHOWN]


def _run_rows(found: Comparison) -> list[Row]:
    rows: list[Row] = [_row(TITLES[change.figure], change) for change in found.changes]
    rows += [_row(f"check {printable(change.figure)}", change) for change in found.checks]
    before, after = found.before, found.after
    hashes = Change("", *(run.plan.model.sha256[:_HASH_SHOWN] for run in (before, after)))
    rows.append(_row("model SHA-256", hashes))
    versions = (before.versions.get("splitopt"), after.versions.get("splitopt"))
    rows.append(_row("splitopt", Change("", *versions)))
    return rows


def _row(title: str, change: Change) -> Row:
    absolute, relative = change.absolute, change.relative
    moved = "" if absolute is None else _signed(change.figure, absolute)
    if absolute is None and change.is_change:
        moved = "differs"
    share = "" if relative is None else f"{100 * relative:+.1f} %"
    before, after = _value(change.figure, change.before), _value(change.figure, change.after)
    return (title, before, after, moved, share)


def _sweep_tables(found: SweepComparison) -> Iterator[tuple[str, Row, Sequence[Row]]]:
    rows: list[Row] = []
    for point in found.differing[:_MOST_SHOWN]:
        for change in point.changes:
            rows.append(
                (
                    _asked(point.key),
                    f"{printable(point.before_id)}, {printable(point.after_id)}",
                    *_row(TITLES[change.figure], change),
                )
            )
    if rows:
        title = _counted("Points that differ", len(found.differing))
        yield f"{title}\n", ("point", "ids", "figure", "A", "B", "change", ""), rows
    for name, keys in (("A", found.only_before), ("B", found.only_after)):
        if keys:
            shown: list[Row] = [(_asked(key),) for key in keys[:_MOST_SHOWN]]
            yield f"{_counted(f'Points of {name} only', len(keys))}\n", ("point",), shown


def _asked(key: Sequence[str]) -> str:
    """`mbv2.tflite, board, 65,536 B, minimise=peak_ram`."""
    model, board, budget, objective, most, *number = key
    parts = [model, board, f"{int(budget):,} B" if budget else "", objective]
    parts += [f"at most {most} pieces" if most else "", *(f"no. {n}" for n in number)]
    return ", ".join(printable(part) for part in parts if part)


def _counted(title: str, count: int) -> str:
    return f"{title} ({_MOST_SHOWN} of {count})" if count > _MOST_SHOWN else title


def _difference(difference: Difference) -> Row:
    return printable(difference.key), _word(difference.before), _word(difference.after)


def _value(figure: str, value: Any) -> str:
    if not isinstance(value, int):
        return _word(value)
    if figure.endswith("_bytes"):
        return format_bytes(value)
    return format_insn(value) if figure.endswith("_insn") else f"{value:,}"


def _signed(figure: str, value: int) -> str:
    if not value:
        return "0"
    return f"{'+' if value > 0 else '-'}{_value(figure, abs(value))}"


def _word(value: Any) -> str:
    return "-" if value is None else printable(str(value))


def _markdown(header: Row, rows: Sequence[Row]) -> str:
    lines = [header, tuple("---" if k == 0 else "---:" for k in range(len(header)))]
    cells = [*lines, *rows]
    return "\n".join(
        "| " + " | ".join(c if k == 1 else markdown(c) for c in row) + " |"
        for k, row in enumerate(cells)
    )

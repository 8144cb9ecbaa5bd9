"""splitopt pack: offsets with the lowest high-water mark for buffers with live ranges.

Instances are CSV as google/minimalloc has them: `id,lower,upper,size`, live in [lower, upper), ids
of any kind; plans have `offset` besides.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from splitopt.base.errors import InfeasibleError, ToolError, UsageError
from splitopt.base.files import read_file
from splitopt.base.text import csv_cell
from splitopt.solvers.outcome import Status
from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance
from splitopt.solvers.packing.plan import PackingPlan
from splitopt.solvers.packing.solve import fit
from splitopt.solvers.params import SolveParams

MAX_BYTES = 16 << 20
_MOST_BUFFERS = 20_000
_LARGEST = 2**48
_COLUMNS = ("id", "lower", "upper", "size")


@dataclass(frozen=True)
class NamedInstance:
    """Buffers with their ids, and their rows as they stood in the file."""

    ids: tuple[str, ...]
    rows: tuple[tuple[int, int, int], ...]
    instance: PackingInstance


@dataclass(frozen=True)
class Packed:
    """Where each buffer lies, in bytes, and what is proved of it; `plan_csv` is plan.csv."""

    document: dict[str, Any]
    offsets: tuple[int, ...]
    plan_csv: str

    @property
    def line(self) -> str:
        found = self.document
        return (
            f"{found['status']}: high-water mark {found['mark_bytes']:,}, "
            f"bound {found['bound_bytes']:,}, "
            f"{found['peak_load_bytes']:,} alive at once, {found['buffers']} buffers, "
            f"{found['wall_s']:.2f} s"
        )


def pack(
    file: Path, capacity: int | None, *, time_limit_s: float, workers: int, seed: int
) -> Packed:
    """Packs the buffers of a CSV file somehow into `capacity` bytes, or into as few as it takes.

    Raises UsageError for a wrong file, InfeasibleError where the buffers cannot fit, ToolError
    where time runs out without an answer.
    """
    named = read_instance(file, capacity)
    params = SolveParams(time_limit_s=time_limit_s, seed=seed % 2**31, workers=workers)
    outcome = fit(named.instance, params)
    load = named.instance.peak_load
    document = {
        "schema_version": 1,
        "file": str(file),
        "buffers": len(named.ids),
        "peak_load_bytes": load,
        "capacity_bytes": capacity,
        "status": outcome.status.name,
        "mark_bytes": outcome.cost,
        "bound_bytes": outcome.bound,
        "wall_s": round(outcome.wall_s, 3),
    }
    if outcome.status is Status.INFEASIBLE:
        error = InfeasibleError(
            f"{file}: does not fit {capacity:,} bytes (proved in {outcome.wall_s:.2f} s); "
            f"{load:,} bytes are alive at once"
        )
        error.facts = document
        raise error
    if outcome.plan is None:
        raise ToolError(
            f"{file}: no plan within {time_limit_s:g} s, and none ruled out (bound "
            f"{outcome.bound:,}); raise --time-limit"
        )
    return Packed(document, tuple(outcome.plan.offsets), plan_text(named, outcome.plan))


def read_instance(path: Path, capacity: int | None) -> NamedInstance:
    """Times count from the earliest one.

    Raises UsageError that names the line.
    """
    ids, rows = [], []
    for name, row in _rows(path):
        ids.append(name)
        rows.append(row)
    if not rows:
        raise UsageError(f"{path}: holds no buffers; want lines of {','.join(_COLUMNS)}")
    first = min(lower for lower, _, _ in rows)
    buffers = tuple(
        Buffer(size, LiveRange(lower - first, upper - first)) for lower, upper, size in rows
    )
    return NamedInstance(tuple(ids), tuple(rows), PackingInstance(buffers, capacity))


def plan_text(named: NamedInstance, plan: PackingPlan) -> str:
    """The instance's lines with an offset each."""
    lines = [",".join((*_COLUMNS, "offset"))]
    for name, (lower, upper, size), offset in zip(named.ids, named.rows, plan.offsets, strict=True):
        lines.append(f"{_quoted(name)},{lower},{upper},{size},{offset}")
    return "\n".join(lines) + "\n"


def _rows(path: Path) -> Iterator[tuple[str, tuple[int, int, int]]]:
    data = read_file(path, MAX_BYTES)
    try:
        reader = csv.reader(data.decode("utf-8").splitlines(), strict=True)
        header = [cell.strip() for cell in next(reader, [])]
        places = _places(path, header)
        for row in reader:
            if row:
                yield _row(path, reader.line_num, row, places, len(header))
            if reader.line_num > _MOST_BUFFERS + 1:
                raise UsageError(f"{path}: more than {_MOST_BUFFERS:,} buffers; not read")
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: is not a CSV file ({error})") from error


def _places(path: Path, header: Sequence[str]) -> tuple[int, ...]:
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
        raise UsageError(
            f"{path}, line 1: got the columns {','.join(header)[:80]!r}, want "
            f"{','.join(_COLUMNS)} among them"
        )
    return tuple(header.index(name) for name in _COLUMNS)


def _row(
    path: Path, line: int, row: Sequence[str], places: Sequence[int], width: int
) -> tuple[str, tuple[int, int, int]]:
    if len(row) != width:
        raise UsageError(f"{path}, line {line}: got {len(row)} cells, want {width}")
    name, *cells = (row[place].strip() for place in places)
    lower, upper, size = (
        _number(path, line, key, cell) for key, cell in zip(_COLUMNS[1:], cells, strict=True)
    )
    if lower >= upper:
        raise UsageError(f"{path}, line {line}: lower {lower} is not below upper {upper}")
    return name, (lower, upper, size)


def _number(path: Path, line: int, key: str, cell: str) -> int:
    if not (cell.isascii() and cell.isdecimal() and int(cell[:20]) <= _LARGEST and len(cell) < 20):
        raise UsageError(f"{path}, line {line}: {key}: got {cell[:40]!r}, want a whole number >= 0")
    return int(cell)


def _quoted(name: str) -> str:
    name = csv_cell(name)
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',"\n') else name

"""What the benchmark of planning prints of its cases, and how their answers are compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bench.stages import STAGES

Row = dict[str, Any]
"""A case: `model`, `ask`, `status`, and what there is of the rest; see planning_case.py."""


def header(ask: str) -> str:
    if ask == "explain":
        return f"{'model':20}    CPU s     MiB  first line s     run CPU s  explain/run"
    stages = "".join(f"{stage:>9}" for stage in STAGES)
    return f"{'model':20}    CPU s{stages}     MiB  answer"


def line_of(row: Row) -> str:
    if "cpu_s" not in row:
        return f"{row['model']:20}  {row['status']}"
    start = f"{row['model']:20} {row['cpu_s']:8.2f}"
    if row["ask"] == "explain":
        run_s = row["run_cpu_s"] or math.nan
        start += f"{row['memory_mib']:8.0f}{row['first_line_s']:14.2f}"
        return f"{start}{run_s:14.2f}{row['cpu_s'] / run_s:13.2f}"
    stages = "".join(f"{row['stages'].get(stage, 0):9.2f}" for stage in STAGES)
    return f"{start}{stages}{row['memory_mib']:8.0f}  {answer(row)}"


def answer(row: Row) -> str:
    status, agreed = row["status"], f", {row['dp']}" if row["dp"] else ""
    if "points" in row:
        return f"{status}, {len(row['points'])} points{agreed}"
    if "cost" not in row:
        return f"{status}, bound {row['bound']}{agreed}"
    said = f"{status} {row['cost']:,}: {row['peak_ram_bytes']:,} B in {row['pieces']} pieces"
    if not is_proved(row):
        gap = 100 * (row["cost"] - row["bound"]) / max(1, abs(row["cost"]))
        said += f", bound {row['bound']:,}, gap {gap:.1f} %"
    return said + agreed


def growth(rows: Sequence[Row]) -> str:
    """The slope of log time over log ops by least squares, of the cases that were proved."""
    proved = [row for row in rows if is_proved(row)]
    points = [(math.log(row["ops"]), math.log(max(row["cpu_s"], 1e-3))) for row in proved]
    if len({x for x, _ in points}) < 2:
        return ""
    middle, height = (sum(values) / len(points) for values in zip(*points, strict=True))
    square = sum((x - middle) ** 2 for x, _ in points)
    slope = sum((x - middle) * (y - height) for x, y in points) / square
    return f"{'':20} CPU time grows with ops to the power of {slope:.2f}"


def is_proved(row: Row) -> bool:
    return row["status"] in ("OPTIMAL", "COMPLETE", "DONE") and "ops" in row


def differences(rows: Sequence[Row]) -> tuple[int, list[str]]:
    """How many proved optima were compared with the complete front of their model; and what differs
    there, or between CP-SAT and the dynamic programme."""
    fronts = {row["model"]: row for row in rows if row["ask"] == "front" and is_proved(row)}
    optima = [row for row in rows if "cost" in row and is_proved(row) and row["model"] in fronts]
    found = [f"{named(row)}: {row['dp']}" for row in rows if "differ" in row.get("dp", "")]
    for row in optima:
        least = least_of(fronts[row["model"]], row)
        if least != row["cost"]:
            found.append(f"{named(row)}: costs {row['cost']}, on the front {least}")
    return len(optima), found


def named(row: Row) -> str:
    return f"{row['model']}, {row['ask']}"


def least_of(front: Row, row: Row) -> int:
    """The least cost over the points of a front, by the objective of another case."""
    points = front["points"]
    if row["ask"] == "peak":
        return min(peak for peak, _ in points)
    if row["ask"] == "budget":
        return min(added for peak, added in points if peak <= row["capacity"])
    ram_weight, cost_weight = front["weights"]
    return min(ram_weight * peak + cost_weight * added for peak, added in points)

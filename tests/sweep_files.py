"""Sweeps written for tests, and what their rows say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from splitopt.bundle.schema.sweep import Record

MODELS = Path(__file__).resolve().parents[1] / "configs" / "models"

ROW: dict[str, Any] = {
    "id": "0001", "kind": "budget", "job": "job", "model": "/somewhere/m.tflite", "board": "b",
    "budget_bytes": 1000, "objective": {"minimise": "smallest"}, "max_pieces": None,
    "status": "OPTIMAL", "peak_ram_bytes": 900, "added_insn": 50, "pieces": 2, "cuts": [3],
    "exact": True, "largest_arena_bytes": 800, "unsplit_ram_bytes": 1200,
    "estimated_invoke_insn": 1000, "floor": None, "smallest_feasible_budget_bytes": None,
    "plan": "plans/0001/plan.json", "proved": None, "dominated": False, "wall_s": 0.1,
    "solver_s": 0.1, "error": None, "anything": [1],
}  # fmt: skip
UNPLANNED: dict[str, Any] = {
    "peak_ram_bytes": None, "added_insn": None, "pieces": None, "cuts": None, "plan": None,
    "exact": None, "largest_arena_bytes": None,
}  # fmt: skip
SWEEP: dict[str, Any] = {
    "schema_version": 1, "name": "grid", "path": "grid.yaml", "settings": {}, "points": 1,
    "counts": {}, "fronts": [], "wall_s": 1, "solver_s": 1, "versions": {}, "command": [],
    "created_utc": "",
}  # fmt: skip


class Ask(Protocol):
    """Writes a job on one of the project's models, and a sweep of it."""

    def __call__(self, grid: str, *, name: str = ..., more: str = ..., job: str = ...) -> Path: ...


def asking(folder: Path) -> Ask:
    def make(grid: str, *, name: str = "resnet8", more: str = "", job: str = "") -> Path:
        (folder / "job.yaml").write_text(
            f"model: {{path: {MODELS / f'{name}_digits_int8.tflite'}}}\n"
            f"board: corstone300_128k\nobjective: {{minimise: smallest}}\n{job}"
        )
        sweep = folder / "sweep.yaml"
        sweep.write_text(f"job: job.yaml\ngrid: {grid}\n{more}")
        return sweep

    return make


def points_of(rows: Sequence[Record]) -> list[tuple[int, int, int]]:
    """(peak in bytes, added instructions, segments)."""
    return [(r.peak_ram_bytes or 0, r.added_insn or 0, len(r.cuts or ()) + 1) for r in rows]

"""Sweeps written for tests, and what their rows say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

MODELS = Path(__file__).resolve().parents[1] / "configs" / "models"


class Ask(Protocol):
    """Writes a job on one of the project's models, and a sweep of it."""

    def __call__(self, grid: str, *, name: str = ..., more: str = ..., job: str = ...) -> Path: ...


def asking(folder: Path) -> Ask:
    def make(grid: str, *, name: str = "resnet8", more: str = "", job: str = "") -> Path:
        (folder / "job.yaml").write_text(
            f"model: {{path: {MODELS / f'{name}_digits_int8.tflite'}}}\n"
            f"board: corstone300_128k\nobjective: {{minimise: peak_ram}}\n{job}"
        )
        sweep = folder / "sweep.yaml"
        sweep.write_text(f"job: job.yaml\ngrid: {grid}\n{more}")
        return sweep

    return make


def points_of(rows: Sequence[dict[str, Any]]) -> list[tuple[int, int, int]]:
    """(peak in bytes, added instructions, segments)."""
    return [(r["peak_ram_bytes"], r["added_insn"], len(r["cuts"] or ()) + 1) for r in rows]

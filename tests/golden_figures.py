"""Figures measured on a (simulated) Cortex-M55, the oracle of the arena model and of the costs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent / "golden" / "m55_measured.json"
_DATA: dict[str, Any] = json.loads(_FILE.read_text("utf-8"))

MODELS: dict[str, dict[str, int]] = _DATA["models"]
SPLITS: dict[str, list[dict[str, Any]]] = _DATA["splits"]
SPLIT_MODELS: tuple[str, ...] = tuple(SPLITS)


@dataclass(frozen=True)
class MeasuredPiece:
    start: int
    stop: int
    used_bytes: int
    size_bytes: int
    allocate_insn: int


def measured_pieces(model: str, ops: int) -> list[MeasuredPiece]:
    """Every piece of every measured split of a model."""
    found = []
    for split in SPLITS[model]:
        segments = pairwise([0, *split["cuts"], ops])
        figures = zip(
            split["arena_used_bytes"],
            split["arena_min_bytes_rounded16"],
            split["allocate_tensors_insn"],
            strict=True,
        )
        found += [MeasuredPiece(*s, *f) for s, f in zip(segments, figures, strict=True)]
    return found

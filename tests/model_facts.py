"""Models explained on a board, for tests of what is said of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from models import Builder

from splitopt.bundle.schema.explain import ModelExplanation
from splitopt.convert.open_model import open_model
from splitopt.explain.model import explain_model
from splitopt.explain.subject import subject_of


def facts(model: Path, board: Path | str | None) -> ModelExplanation:
    job = subject_of(model, None if board is None else str(board))
    return explain_model(job, open_model(job))


def small(folder: Path, name: bytes = b"plain") -> Path:
    """Seven RELUs on tensors of unlike sizes, with holes in TFLM's plan."""
    builder = Builder()
    sizes = (4592, 4496, 4800, 4896, 320, 4000, 128, 2048)
    tensors = [builder.typed([1, size], "INT8") for size in sizes]
    builder.graph.tensors[tensors[2]].name = name
    for source, out in pairwise(tensors):
        builder.relu(source, out)
    path = folder / "small.tflite"
    path.write_bytes(builder.bytes([tensors[0]], [tensors[-1]]))
    return path

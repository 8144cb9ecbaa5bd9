"""Models explained on a board, for tests of what is said of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from models import chain_of_sizes

from splitopt.bundle.schema.explain import ModelExplanation
from splitopt.config.given import Given
from splitopt.convert.open_model import open_model
from splitopt.explain.model import explain_model
from splitopt.explain.subject import subject_of


def facts(model: Path, board: Path | str | None) -> ModelExplanation:
    job = subject_of(model, Given(board=None if board is None else str(board)))
    return explain_model(job, open_model(job))


@cache
def known_facts(model: Path, board: Path | str) -> ModelExplanation:
    """The same, once a process, of files that stay as they are."""
    return facts(model, board)


def small(folder: Path, name: bytes = b"plain") -> Path:
    """Seven ops between tensors of unlike sizes, with holes in TFLM's plan."""
    sizes = (4592, 4496, 4800, 4896, 320, 4000, 128, 2048)
    path = folder / "small.tflite"
    path.write_bytes(chain_of_sizes(sizes, {2: name}))
    return path

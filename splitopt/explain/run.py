"""A whole diagnosis of one bundle: outputs, then memory, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from splitopt.base.text import printable
from splitopt.base.version import VERSION
from splitopt.bundle.open import open_bundle
from splitopt.explain.memory.memory import MemoryDiagnosis, diagnose_memory
from splitopt.explain.outputs.missing_rows import on_all_rows
from splitopt.explain.outputs.outputs import OutputDiagnosis, diagnose_outputs
from splitopt.explain.outputs.samples import DataFile, choose_samples

SCHEMA_VERSION = 1


_MOST_OPS_AT_ONCE = 150


@dataclass(frozen=True)
class Diagnosis:
    """What `splitopt explain` says about one bundle."""

    run_dir: Path
    job: str
    model: str
    board: str
    outputs: OutputDiagnosis
    memory: MemoryDiagnosis

    @property
    def has_faults(self) -> bool:
        return bool(self.outputs.faults)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "splitopt": VERSION,
            "run_dir": str(self.run_dir),
            "job": self.job,
            "model": self.model,
            "board": self.board,
            "has_faults": self.has_faults,
            "outputs": self.outputs.to_dict(),
            "memory": self.memory.to_dict(),
        }


def diagnose_folder(
    folder: Path, data: DataFile | None = None, progress: Callable[[str], None] = lambda _: None
) -> Diagnosis:
    """Diagnoses a bundle; nothing in it is changed.

    Raises SplitoptError: UsageError and ModelError for a folder that is no whole bundle and for
    data that do not fit, ToolError where TFLM cannot run the whole model.
    """
    progress("reading the bundle")
    bundle = open_bundle(folder)
    samples = choose_samples(bundle, data)
    with on_all_rows(bundle) as (tall, findings):
        outputs = diagnose_outputs(tall, samples, progress, findings)
    memory = diagnose_memory(bundle, progress, with_ladder=True)
    return Diagnosis(
        run_dir=folder,
        job=printable(bundle.plan.job.name),
        model=printable(bundle.model_path.name),
        board=bundle.plan.board.name,
        outputs=outputs,
        memory=memory,
    )


def diagnose_run(
    folder: Path, *, is_suspect: bool, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any] | None:
    """What a run says of itself in its own report: always its memory, as long as that is quick;
    its outputs where a check failed or the conversion was warned of. Raises SplitoptError."""
    if is_suspect:
        return diagnose_folder(folder, progress=progress).to_dict()
    bundle = open_bundle(folder)
    if len(bundle.graph.ops) > _MOST_OPS_AT_ONCE:
        return None
    return {
        "schema_version": SCHEMA_VERSION,
        "outputs": None,
        "memory": diagnose_memory(bundle, progress).to_dict(),
    }

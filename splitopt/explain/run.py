"""A whole explanation of one run: its outputs, then its memory."""

from __future__ import annotations

from pathlib import Path

from splitopt.base.progress import Progress
from splitopt.base.text import printable
from splitopt.base.version import VERSION
from splitopt.bundle.open import open_bundle
from splitopt.bundle.schema.explain import RunExplanation
from splitopt.explain.memory.run_memory import explain_run_memory
from splitopt.explain.outputs.missing_rows import on_all_rows
from splitopt.explain.outputs.outputs import explain_outputs
from splitopt.explain.outputs.samples import DataFile, choose_samples

_MOST_OPS_AT_ONCE = 150


def explain_run(
    folder: Path, data: DataFile | None = None, progress: Progress = lambda _: None
) -> RunExplanation:
    """Why outputs are wrong and memory is what it is; nothing in the bundle is changed.

    Raises SplitoptError: UsageError and ModelError for a folder that is no whole bundle and for
    data that do not fit, ToolError where TFLM cannot run the whole model.
    """
    progress("reading the bundle")
    bundle = open_bundle(folder)
    samples = choose_samples(bundle, data)
    with on_all_rows(bundle) as (tall, findings):
        outputs = explain_outputs(tall, samples, progress, findings)
    return RunExplanation(
        splitopt=VERSION,
        run_dir=str(folder),
        job=printable(bundle.plan.job.name),
        model=printable(bundle.model_path.name),
        board=bundle.plan.board.name,
        has_faults=bool(outputs.faults),
        outputs=outputs,
        memory=explain_run_memory(bundle, progress, with_lowest_peaks=True),
    )


def diagnose_run(
    folder: Path, *, is_suspect: bool, progress: Progress = lambda _: None
) -> RunExplanation | None:
    """What a run says of itself in its own report: its memory, as long as that is quick; its
    outputs, too, where a check failed or the conversion was warned of. Raises SplitoptError."""
    if is_suspect:
        return explain_run(folder, progress=progress)
    bundle = open_bundle(folder)
    if len(bundle.graph.ops) > _MOST_OPS_AT_ONCE:
        return None
    return RunExplanation(
        splitopt=VERSION, outputs=None, memory=explain_run_memory(bundle, progress)
    )

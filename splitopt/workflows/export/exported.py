"""A bundle → a folder of C++ sources that a firmware can take in as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from splitopt.base.errors import ToolError, UsageError
from splitopt.base.owned_folder import owned_folder, remove_orphans
from splitopt.base.progress import Progress
from splitopt.bundle.host_run import chained_outputs, require_as_written
from splitopt.bundle.open import open_bundle
from splitopt.runtime.arrays import random_inputs
from splitopt.workflows.export.layouts import LAYOUTS, Layout
from splitopt.workflows.export.sources import sources_of

GOLDEN_INPUTS = 2


def export_bundle(
    folder: Path,
    out: Path,
    progress: Progress = lambda _: None,
    *,
    layout: Layout = "cmake",
) -> list[Path]:
    """The files written, in `out`, which must be absent or empty; whole or not at all. The C++ is
    the same in each layout.

    Raises UsageError, ModelError or ToolError.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: already exists; pass another --out")
    bundle = open_bundle(folder)
    require_as_written(bundle)
    progress("running golden inputs on this machine")
    feeds = random_inputs(bundle.graph, GOLDEN_INPUTS, bundle.plan.job.settings.verify.seed)
    texts = LAYOUTS[layout](sources_of(bundle, feeds, chained_outputs(bundle, feeds)))
    progress(f"writing {out}")
    try:
        return _write(out, texts)
    except OSError as error:
        raise ToolError(
            f"{out}: cannot be written ({error.strerror}); pass another --out"
        ) from error


def _write(out: Path, texts: Mapping[str, str]) -> list[Path]:
    out.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".partial-{out.name}-"
    remove_orphans(out.parent, prefix)
    with owned_folder(out.parent, prefix) as partial:
        for name, text in texts.items():
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        partial.chmod(0o755)
        partial.rename(out)  # takes the place of an empty folder, too
    return [out / name for name in texts]

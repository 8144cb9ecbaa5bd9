"""A bundle → a folder of C++ sources that a firmware can take in as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from splitopt.base.errors import ToolError, UsageError
from splitopt.base.owned_folder import owned_folder, remove_orphans
from splitopt.base.progress import Progress
from splitopt.base.units import format_bytes, plural
from splitopt.bundle.host_run import chained_outputs, require_as_written
from splitopt.bundle.open import open_bundle
from splitopt.bundle.runner_links import used_memories
from splitopt.runtime.arrays import random_inputs
from splitopt.workflows.export.layouts import LAYOUTS, Layout
from splitopt.workflows.export.proved import unproved_line
from splitopt.workflows.export.sources import Sources, sources_of
from splitopt.workflows.export.stores import constant_of

GOLDEN_INPUTS = 2


@dataclass(frozen=True)
class Exported:
    """What was written. `kinds`: how many files of each kind; `region_bytes`: of the region that
    the firmware declares, `stores`: of each further memory, by its constant; `unproved`: why not
    to rely on it, empty where all was proved."""

    files: tuple[Path, ...]
    kinds: Mapping[str, int]
    namespace: str
    region_bytes: int
    stores: Mapping[str, int]
    unproved: str


def export_bundle(
    folder: Path,
    out: Path,
    progress: Progress = lambda _: None,
    *,
    layout: Layout = "cmake",
    name: str | None = None,
) -> Exported:
    """Writes `out`, which must be absent or empty; whole or not at all. The C++ is the same in
    each layout. `name`: of its namespace and build target; else the job's.

    Raises UsageError, ModelError or ToolError.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: already exists; pass another --out")
    bundle = open_bundle(folder)
    require_as_written(bundle)
    progress("running golden inputs on this machine")
    feeds = random_inputs(bundle.graph, GOLDEN_INPUTS, bundle.plan.job.settings.verify.seed)
    own = name or bundle.plan.job.name
    sources = sources_of(bundle, own, feeds, chained_outputs(bundle, feeds))
    texts = LAYOUTS[layout](sources)
    progress(f"writing {out}")
    try:
        written = _write(out, texts)
    except OSError as error:
        raise ToolError(
            f"{out}: cannot be written ({error.strerror}); pass another --out"
        ) from error
    return Exported(
        files=tuple(written),
        kinds=_kinds(sources, len(written)),
        namespace=sources.namespace,
        region_bytes=bundle.plan.layout.region_bytes,
        stores={constant_of(own): own.used_bytes for own in used_memories(bundle.plan)},
        unproved=unproved_line(bundle),
    )


def export_lines(run_dir: Path, out: Path, written: Exported) -> Iterator[str]:
    """What was written, what the firmware declares, and what comes next."""
    kinds = ", ".join(f"{kind} ({count})" for kind, count in written.kinds.items())
    yield f"{plural(len(written.files), 'file')} in {out}: {kinds}"
    sizes = [f"{format_bytes(written.region_bytes)} ({written.namespace}::kRegionBytes)"]
    sizes += [f"{format_bytes(n)} ({written.namespace}::{k})" for k, n in written.stores.items()]
    yield f"Region to declare: {', and beside it '.join(sizes)}"
    yield (
        f"Next: read {out / 'README.md'} and build; splitopt time {run_dir} runs the same pieces "
        "on QEMU, with --log it reads what a board printed"
    )


def _kinds(sources: Sources, count: int) -> dict[str, int]:
    pieces = sum(name.startswith("piece_") for name in sources.model)
    return {
        "runner": len(sources.runner),
        "pieces": pieces,
        "plan": len(sources.model) - pieces,
        "check, build files and README": count - len(sources.library),
    }


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

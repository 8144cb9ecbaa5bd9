"""A bundle → a folder of C++ sources that a firmware can take in as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from splitopt.base.errors import ToolError, UsageError
from splitopt.base.owned_folder import owned_folder, remove_orphans
from splitopt.base.progress import Progress
from splitopt.base.text import code_span
from splitopt.base.units import format_bytes, plural
from splitopt.bundle.host_run import chained_outputs, require_as_written
from splitopt.bundle.open import OpenBundle, open_bundle
from splitopt.bundle.runner_links import used_memories
from splitopt.bundle.schema.io import IoEnd
from splitopt.graph.model import Tensor
from splitopt.runtime.arrays import Array, random_inputs
from splitopt.runtime.op_resolver import resolver_header
from splitopt.runtime.program import RUNNER_HEADERS, RUNNER_SOURCES, runner_folder
from splitopt.workflows.export.by_rows import rows_text
from splitopt.workflows.export.code import (
    golden_text,
    header_text,
    piece_names,
    piece_text,
    plan_text,
)
from splitopt.workflows.export.flash import file_paths, flash_text
from splitopt.workflows.export.io_header import NamedEnd, io_header_text
from splitopt.workflows.export.stores import check_text, kept_text, prepare_text
from splitopt.workflows.export.tables import Tables, host_tables, planned_tables

_GOLDEN_INPUTS = 2


def export_bundle(folder: Path, out: Path, progress: Progress = lambda _: None) -> list[Path]:
    """The files written, in `out`, which must be absent or empty; whole or not at all.

    Raises UsageError, ModelError or ToolError.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: already exists; pass another --out")
    bundle = open_bundle(folder)
    require_as_written(bundle)
    progress("running golden inputs on this machine")
    feeds = random_inputs(bundle.graph, _GOLDEN_INPUTS, bundle.plan.job.settings.verify.seed)
    texts = _texts(bundle, feeds, chained_outputs(bundle, feeds))
    progress(f"writing {out}")
    try:
        return _write(out, texts)
    except OSError as error:
        raise ToolError(
            f"{out}: cannot be written ({error.strerror}); pass another --out"
        ) from error


def namespace_of(job_name: str) -> str:
    """A C++ name: `kws-v2` → `kws_v2_model`."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", job_name).strip("_").lower()[:60] or "split"
    return f"{'m' if name[0].isdigit() else ''}{name}_model"


def _texts(
    bundle: OpenBundle, feeds: Sequence[Array], outputs: list[list[bytes]]
) -> dict[str, str]:
    graph, plan, namespace = bundle.graph, bundle.plan, namespace_of(bundle.plan.job.name)
    planned = planned_tables(
        bundle,
        [(segment.arena_offset, segment.arena_bytes) for segment in plan.segments],
        {entry.tensor: entry.offset for entry in plan.layout.boundary},
        plan.layout.region_bytes,
    )
    host = host_tables(bundle)
    about = f"{plural(len(bundle.pieces), 'piece')} of {bundle.plan.job.name}, made by splitopt."
    ops = {name for piece in bundle.pieces for name in piece.graph.op_types}
    inputs = [[_bytes(feed, n) for feed in feeds] for n in range(_GOLDEN_INPUTS)]
    words = _words(bundle, namespace, planned, outputs[0])
    texts = {
        name: (runner_folder() / name).read_text("utf-8")
        for name in RUNNER_HEADERS + RUNNER_SOURCES
    }
    for name in ("CMakeLists.txt", "check.cc", "README.md"):
        texts[name] = _filled(name, words)
    pieces = {path: path.read_bytes() for path in file_paths(bundle)}
    for (path, data), name in zip(pieces.items(), piece_names(planned.links), strict=True):
        texts[f"piece_{path.stem.replace('-', '_')}.cc"] = piece_text(namespace, name, data)
    ends, files = (len(graph.inputs), len(graph.outputs)), list(pieces.values())
    return texts | {
        "resolver.h": resolver_header(ops, namespace),
        f"{namespace}_io.h": io_header_text(namespace, *_named_ends(bundle)),
        f"{namespace}.h": header_text(namespace, about, planned, host, used_memories(plan)),
        f"{namespace}.cc": plan_text(namespace, planned, host, files, ends),
        "golden.h": golden_text(namespace, inputs, outputs),
    }


def _words(
    bundle: OpenBundle,
    namespace: str,
    planned: Tables,
    outputs: Sequence[bytes],
) -> dict[str, str]:
    """What stands between @...@ in the files that are the same for every plan."""
    graph = bundle.graph
    ends = [f"- input {k}: {_end(_input(bundle, t))}" for k, t in enumerate(graph.inputs)]
    ends += [f"- output {k}: {_end(_output(bundle, t))}" for k, t in enumerate(graph.outputs)]
    return {
        "NAMESPACE": namespace,
        "PIECES": plural(len(bundle.pieces), "piece"),
        "MODEL": code_span(Path(bundle.plan.model.path).name),
        "BOARD": code_span(bundle.plan.board.name),
        "REGION": format_bytes(planned.region_bytes),
        "HEADROOM": format_bytes(bundle.plan.board.headroom_bytes),
        "UNSPLIT": format_bytes(bundle.plan.baseline.ram_bytes),
        "INPUTS": ", ".join(f"input{k}" for k in range(len(graph.inputs))),
        "OUTPUTS": ", ".join(f"output{k}" for k in range(len(graph.outputs))),
        "ENDS": "\n".join(ends),
        "INPUT_COUNT": str(len(graph.inputs)),
        "OUTPUT_COUNT": str(len(outputs)),
        "FLASH": flash_text(bundle, planned),
        "STORES": check_text(namespace, used_memories(bundle.plan)),
        "PREPARE": prepare_text(bundle.plan),
        "KEPT": kept_text(namespace, bundle.plan),
        "ROWS": rows_text(planned.links),
        "LARGEST_OUTPUT": str(max(-(-len(data) // 16) * 16 for data in outputs)),
    }


def _named_ends(bundle: OpenBundle) -> tuple[list[NamedEnd], list[NamedEnd]]:
    """Inputs and outputs as the pieces have them, by the names of the model as given."""
    graph, io = bundle.graph, bundle.plan.io
    inputs = [_input(bundle, tensor) for tensor in graph.inputs]
    outputs = [_output(bundle, tensor) for tensor in graph.outputs]
    if io is None or (len(io.inputs), len(io.outputs)) != (len(inputs), len(outputs)):
        return [NamedEnd(t.name, t) for t in inputs], [NamedEnd(t.name, t) for t in outputs]

    def named(tensor: Tensor, end: IoEnd) -> NamedEnd:
        return NamedEnd(end.name, tensor, end.was if end.is_changed else "")

    return list(map(named, inputs, io.inputs)), list(map(named, outputs, io.outputs))


def _input(bundle: OpenBundle, tensor: int) -> Tensor:
    piece = bundle.readers[tensor][0]
    return next(own for index, own in piece.inputs if index == tensor)


def _output(bundle: OpenBundle, tensor: int) -> Tensor:
    return next(own for index, own in bundle.makers[tensor].outputs if index == tensor)


def _end(tensor: Tensor) -> str:
    text = f"{list(tensor.shape)} {tensor.dtype.name}, {format_bytes(tensor.bytes)}"
    affine = tensor.quantization
    if affine is None or not affine.scales:
        return text
    return f"{text}, real = {affine.scales[0]:.9g} · (integer - {affine.zero_points[0]})"


def _bytes(arrays: Array, sample: int) -> bytes:
    return np.ascontiguousarray(arrays[sample]).tobytes()


def _filled(name: str, words: Mapping[str, str]) -> str:
    text = (files("splitopt.workflows.export") / "static" / name).read_text("utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda found: words[found[1]], text)


def _write(out: Path, texts: Mapping[str, str]) -> list[Path]:
    out.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".partial-{out.name}-"
    remove_orphans(out.parent, prefix)
    with owned_folder(out.parent, prefix) as partial:
        for name, text in texts.items():
            (partial / name).write_text(text, "utf-8")
        partial.chmod(0o755)
        partial.rename(out)  # takes the place of an empty folder, too
    return [out / name for name in texts]

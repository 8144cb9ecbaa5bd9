"""The C++ files of an export, the same in every layout, and the words of its README."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from splitopt.arena.m55_kernels import CMSIS_NN_COMMIT, TFLM_COMMIT
from splitopt.base.text import code_span
from splitopt.base.units import format_bytes, plural
from splitopt.bundle.open import CORRESPONDENCE, OpenBundle, correspondence_of
from splitopt.bundle.runner_links import used_memories
from splitopt.bundle.schema.io import IoEnd
from splitopt.bundle.schema.plan import Plan
from splitopt.graph.model import Tensor
from splitopt.runtime.arrays import Array
from splitopt.runtime.kept_tails import word_hash
from splitopt.runtime.links import Link
from splitopt.runtime.op_resolver import resolver_header
from splitopt.runtime.program import RUNNER_HEADERS, RUNNER_SOURCES, runner_folder
from splitopt.runtime.stream_tables import NOWHERE
from splitopt.workflows.export.beside import beside_text
from splitopt.workflows.export.by_rows import placed_inputs, placed_text, rows_text, whole_text
from splitopt.workflows.export.code import (
    golden_text,
    header_text,
    piece_names,
    piece_text,
    plan_text,
)
from splitopt.workflows.export.flash import file_paths, flash_text
from splitopt.workflows.export.io_header import NamedEnd, io_header_text
from splitopt.workflows.export.proved import proved_text, unproved_line
from splitopt.workflows.export.room import room_text
from splitopt.workflows.export.stores import check_text, declared_text, kept_text, prepare_text
from splitopt.workflows.export.tables import Tables, host_tables, planned_tables
from splitopt.workflows.export.together import together_text

_FROM_SIMULATOR = ("console.h", "line.cc", "stopwatch.h", "stopwatch.cc")
_OWN = ("check.h", "check.cc", "counter.h")
_MAIN = "check_main.cc"
_ELEMENTS = {
    "INT8": ("std::int8_t", 1),
    "INT16": ("std::int16_t", 2),
    "INT32": ("std::int32_t", 4),
    "INT64": ("std::int64_t", 8),
    "FLOAT32": ("float", 4),
}
"""Type of element → its C++ type and bytes; others are arrays of bytes."""


@dataclass(frozen=True)
class Sources:
    """Name → text. `runner`: the same in each export; `model`: pieces and plan; `check`: what
    compares with golden outputs and times, without its `main`, which some layouts have a program
    of their own for. `words`: what stands between @...@ in templates."""

    namespace: str
    runner: Mapping[str, str]
    model: Mapping[str, str]
    check: Mapping[str, str]
    main: Mapping[str, str]
    words: Mapping[str, str]

    @property
    def library(self) -> dict[str, str]:
        """What a firmware takes in."""
        return {**self.runner, **self.model}


def namespace_of(job_name: str) -> str:
    """A C++ name: `kws-v2` → `kws_v2_model`."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", job_name).strip("_").lower()[:60] or "split"
    return f"{'m' if name[0].isdigit() else ''}{name}_model"


def sources_of(
    bundle: OpenBundle, name: str, feeds: Sequence[Array], outputs: Sequence[Sequence[bytes]]
) -> Sources:
    """`name`: of the export; `feeds`: golden inputs, several of each; `outputs`: what they must
    give, [sample][output]."""
    graph, plan, namespace = bundle.graph, bundle.plan, namespace_of(name)
    planned = planned_tables(
        bundle,
        [(segment.arena_offset, segment.arena_bytes) for segment in plan.segments],
        {entry.tensor: entry.offset for entry in plan.layout.boundary},
        plan.layout.region_bytes,
    )
    about = f"{plural(len(bundle.pieces), 'piece')} of {plan.job.name}, made by splitopt."
    inputs = [[_bytes(feed, n) for feed in feeds] for n in range(len(outputs))]
    runner = {
        name: (runner_folder() / name).read_text("utf-8")
        for name in RUNNER_HEADERS + RUNNER_SOURCES
    }
    words = _words(bundle, namespace, planned, outputs[0])
    words["RUNNER"] = f"{word_hash(text.encode() for text in runner.values()):08x}"
    pieces = {path: path.read_bytes() for path in file_paths(bundle)}
    ends, models = (len(graph.inputs), len(graph.outputs)), list(pieces.values())
    host, memories = host_tables(bundle), used_memories(plan)
    model = {}
    for (path, data), name in zip(pieces.items(), piece_names(planned.links), strict=True):
        model[f"piece_{path.stem.replace('-', '_')}.cc"] = piece_text(namespace, name, data)
    model |= {
        "resolver.h": resolver_header(_op_types(bundle), namespace),
        f"{namespace}_io.h": io_header_text(namespace, *_user_named_ends(bundle)),
        f"{namespace}.h": header_text(namespace, about, planned, host, memories),
        f"{namespace}.cc": plan_text(namespace, planned, host, models, ends),
    }
    simulated = runner_folder() / "sim"
    check = {name: (simulated / name).read_text("utf-8") for name in _FROM_SIMULATOR}
    check |= {name: filled(f"check/{name}", words) for name in _OWN}
    check |= {"room.h": room_text(bundle), "golden.h": golden_text(namespace, inputs, outputs)}
    main = {_MAIN: filled(f"check/{_MAIN}", words)}
    return Sources(namespace, runner, model, check, main, words)


def _words(
    bundle: OpenBundle,
    namespace: str,
    planned: Tables,
    outputs: Sequence[bytes],
) -> dict[str, str]:
    """What stands between @...@ in the files that are the same for every plan."""
    graph = bundle.graph
    onnx = {t: f" (ONNX `{code_span(name)}`)" for t, name in _onnx_names(bundle).items()}
    ends = [
        f"- input {k}{onnx.get(t, '')}: {_end(_input(bundle, t))}"
        for k, t in enumerate(graph.inputs)
    ]
    ends += [
        f"- output {k}{onnx.get(t, '')}: {_end(_output(bundle, t))}"
        for k, t in enumerate(graph.outputs)
    ]
    ends += _order_lines(bundle)
    placed = {link.model_index: link for link in placed_inputs(planned.links)}
    buffers = [
        _place(namespace, placed[k], _input(bundle, t))
        if k in placed
        else _buffer(f"input{k}", _input(bundle, t))
        for k, t in enumerate(graph.inputs)
    ]
    buffers += [_buffer(f"output{k}", _output(bundle, t)) for k, t in enumerate(graph.outputs)]
    unproved = unproved_line(bundle)
    return {
        "NAMESPACE": namespace,
        "TFLM": TFLM_COMMIT,
        "CMSIS_NN": CMSIS_NN_COMMIT,
        "UNPROVED": f"\n**{unproved}**\n" if unproved else "",
        "PROVED": proved_text(bundle),
        "PIECES": plural(len(bundle.pieces), "piece"),
        "MODEL": code_span(Path(bundle.plan.model.path).name),
        "BOARD": code_span(bundle.plan.board.name),
        "REGION": _region_text(bundle.plan),
        "BESIDE": _beside(bundle, planned, placed),
        "UNSPLIT": format_bytes(bundle.plan.baseline.ram_bytes),
        "INPUTS": ", ".join(f"input{k}" for k in range(len(graph.inputs))),
        "OUTPUTS": ", ".join(f"output{k}" for k in range(len(graph.outputs))),
        "BUFFERS": "\n".join(buffers),
        "ENDS": "\n".join(ends),
        "INPUT_COUNT": str(len(graph.inputs)),
        "OUTPUT_COUNT": str(len(outputs)),
        "FLASH": flash_text(bundle, planned),
        "STORES": check_text(namespace, used_memories(bundle.plan)),
        "DECLARED": declared_text(namespace, used_memories(bundle.plan)),
        "PREPARE": prepare_text(bundle.plan),
        "KEPT": kept_text(namespace, bundle.plan),
        "ROWS": f"{placed_text(namespace, planned.links)}{whole_text(planned.links)}"
        f"{rows_text(planned.links)}",
        "TOGETHER": together_text(bundle.plan),
        "LARGEST_OUTPUT": str(max(-(-len(data) // 16) * 16 for data in outputs)),
    }


def _beside(bundle: OpenBundle, planned: Tables, placed: Collection[int]) -> str:
    """What lies beside the region. `placed`: inputs of the model that have their place in it."""
    graph = bundle.graph
    own = [_input(bundle, t) for k, t in enumerate(graph.inputs) if k not in placed]
    own += [_output(bundle, t) for t in graph.outputs]
    buffer_bytes = sum(-(-tensor.bytes // 16) * 16 for tensor in own)
    return beside_text(len(_op_types(bundle)), len(planned.stores), buffer_bytes)


def _op_types(bundle: OpenBundle) -> frozenset[str]:
    return frozenset(name for piece in bundle.pieces for name in piece.graph.op_types)


def _region_text(plan: Plan) -> str:
    """What the region takes and holds, and what the plan takes of other memories."""
    is_beside = any(entry.memory is not None for entry in plan.layout.boundary)
    held = "arenas and the boundary tensors in it" if is_beside else "arenas and boundary tensors"
    beside = [f"{format_bytes(own.used_bytes)} in {own.name}" for own in used_memories(plan)]
    region = f"{format_bytes(plan.layout.region_bytes)} in one region"
    headroom = f"headroom of {format_bytes(plan.board.headroom_bytes)} included"
    return "; ".join([f"{region}, {held} together, {headroom}", *beside])


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


def _user_named_ends(bundle: OpenBundle) -> tuple[list[NamedEnd], list[NamedEnd]]:
    """The same, by the names of the ONNX model that it came from, if it did."""
    onnx, graph = _onnx_names(bundle), bundle.graph
    inputs, outputs = _named_ends(bundle)
    return (
        [replace(e, name=onnx.get(t, e.name)) for t, e in zip(graph.inputs, inputs, strict=True)],
        [replace(e, name=onnx.get(t, e.name)) for t, e in zip(graph.outputs, outputs, strict=True)],
    )


def _onnx_names(bundle: OpenBundle) -> dict[int, str]:
    """Tensor → what the ONNX model calls it; of several names the one that comes first."""
    if not (bundle.folder / CORRESPONDENCE).is_file():
        return {}
    matches = correspondence_of(bundle).matches
    return {match.tflite_tensor: match.onnx_tensor for match in reversed(matches)}


def _input(bundle: OpenBundle, tensor: int) -> Tensor:
    piece = bundle.readers[tensor][0]
    return next(own for index, own in piece.inputs if index == tensor)


def _output(bundle: OpenBundle, tensor: int) -> Tensor:
    return next(own for index, own in bundle.makers[tensor].outputs if index == tensor)


def _order_lines(bundle: OpenBundle) -> list[str]:
    """What the ONNX model has with channels first, as far as its names were matched by values."""
    if not (bundle.folder / CORRESPONDENCE).is_file():
        return []
    layouts = {own.tflite_tensor: own.layout for own in correspondence_of(bundle).matches}
    ends = [(f"input {k}", t) for k, t in enumerate(bundle.graph.inputs)]
    ends += [(f"output {k}", t) for k, t in enumerate(bundle.graph.outputs)]
    names = [name for name, tensor in ends if layouts.get(tensor) == "nhwc"]
    if not names:
        return []
    return ["", f"{', '.join(names)}: NHWC, channels last, where the ONNX model has NCHW."]


def _buffer(name: str, tensor: Tensor) -> str:
    """A C++ array that holds a tensor."""
    element, element_bytes = _ELEMENTS.get(tensor.dtype.name, ("std::uint8_t", 1))
    return f"alignas(16) static {element} {name}[{tensor.bytes // element_bytes}];"


def _place(namespace: str, link: Link, tensor: Tensor) -> str:
    """A C++ pointer to where the region or a store holds an input."""
    element, _ = _ELEMENTS.get(tensor.dtype.name, ("std::uint8_t", 1))
    name = f"{namespace}::kInput{link.model_index}"
    place = f"region + {name}Offset"
    if link.store != NOWHERE:
        place = f"stores[{link.store}]->Place({name}Offset, {name}Bytes)"
    return (
        f"static auto* const input{link.model_index} =\n    reinterpret_cast<{element}*>({place});"
    )


def _end(tensor: Tensor) -> str:
    text = f"{list(tensor.shape)} {tensor.dtype.name}, {format_bytes(tensor.bytes)}"
    affine = tensor.quantization
    if affine is None or not affine.scales:
        return text
    return f"{text}, real = {affine.scales[0]:.9g} · (integer - {affine.zero_points[0]})"


def _bytes(arrays: Array, sample: int) -> bytes:
    return np.ascontiguousarray(arrays[sample]).tobytes()


def filled(name: str, words: Mapping[str, str]) -> str:
    """A template of this folder with its @WORDS@ in place."""
    text = (files("splitopt.workflows.export") / "static" / name).read_text("utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda found: words[found[1]], text)

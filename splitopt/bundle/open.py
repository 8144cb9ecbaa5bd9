"""A bundle on disk, read and checked: its plan, the whole int8 model, and every piece file.

Does not run anything: what the pieces compute is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from splitopt.base.errors import UsageError
from splitopt.base.files import read_file, read_text
from splitopt.base.json_input import load_json
from splitopt.base.text import first_few, printable
from splitopt.bundle.folder import sha256_of
from splitopt.bundle.load import read_plan, tile
from splitopt.bundle.piece import Piece, is_file, read_pieces
from splitopt.bundle.schema.plan import Plan
from splitopt.config.job import MAX_TABLE_BYTES
from splitopt.convert.names.record import Correspondence
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of
from splitopt.graph.tflite_reader import MAX_FILE_BYTES, parse_tflite

COST_TABLE = "cost_table.json"
"""A bundle's own copy of its job's cost table."""

CORRESPONDENCE = "correspondence.json"
"""A bundle's record of the names that its ONNX model and its int8 model share."""


@dataclass(frozen=True)
class OpenBundle:
    """A bundle whose files were read and found to belong together."""

    folder: Path
    plan: Plan
    model_path: Path
    graph: ModelGraph
    pieces: tuple[Piece, ...]

    @cached_property
    def makers(self) -> Mapping[int, Piece]:
        """Tensor → the piece whose output it is."""
        return {t: piece for piece in self.pieces for t in piece.segment.outputs}

    @cached_property
    def readers(self) -> Mapping[int, tuple[Piece, ...]]:
        found: dict[int, tuple[Piece, ...]] = {}
        for piece in self.pieces:
            for tensor in piece.segment.inputs:
                found[tensor] = (*found.get(tensor, ()), piece)
        return found

    @cached_property
    def handed_over(self) -> tuple[int, ...]:
        """The model's inputs, then every tensor that a piece makes for the outside, in order."""
        made = (t for piece in self.pieces for t in piece.segment.outputs)
        return tuple(dict.fromkeys((*self.graph.inputs, *made)))

    @cached_property
    def _onnx_names(self) -> Mapping[int, str]:
        boundary = self.plan.layout.boundary
        return {entry.tensor: entry.onnx_tensor for entry in boundary if entry.onnx_tensor}

    def tensor_name(self, tensor: int) -> str:
        """`tensor 37 'model/mean' (ONNX Mean_output)`, fit for a terminal."""
        text = f"tensor {tensor} {printable(self.graph.tensors[tensor].name)!r}"
        onnx = self._onnx_names.get(tensor)
        return f"{text} (ONNX {printable(onnx)})" if onnx else text


def has_offline_plans(bundle: OpenBundle) -> bool:
    """Whether splitopt placed tensors in pieces that run on all rows, or in bands."""
    return any(piece.graph.offline_offsets for piece in bundle.pieces)


def cost_table_of(bundle: OpenBundle) -> tuple[str, str]:
    """The cost table that the run rested on, and where it lies; empty strings without one.

    It is the bundle's own copy. Bundles of older versions have none: there it is the file that
    the job names. Raises UsageError where that cannot be read.
    """
    job, own = bundle.plan.job, bundle.folder / COST_TABLE
    if own.is_file():
        path = own
    elif job.settings.cost_table is not None:
        path = Path(job.path).parent / job.settings.cost_table
    else:
        return "", ""
    return read_text(path, MAX_TABLE_BYTES, f"the job's cost table (or a copy at {own})"), str(path)


def correspondence_of(bundle: OpenBundle) -> Correspondence:
    """The names that the ONNX model and the int8 model share.

    Raises UsageError for a bundle without them, and for a broken correspondence.json.
    """
    path = bundle.folder / CORRESPONDENCE
    try:
        return Correspondence.from_dict(load_json(path))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: not a correspondence of names ({error})") from error


def open_bundle(folder: Path) -> OpenBundle:
    """Reads a run's plan, whole int8 model and piece files, and checks that they belong together.

    Raises UsageError or ModelError: not a bundle, a piece is missing, or the model has changed.
    """
    plan = read_plan(folder)
    model_path, data = _read_model(folder, plan)
    graph = parse_tflite(data, name=model_path.stem, where=str(model_path))
    segments = _segments(folder, plan, graph)
    pieces = read_pieces(folder, plan, segments, graph)
    return OpenBundle(folder, plan, model_path, graph, pieces)


def _read_model(folder: Path, plan: Plan) -> tuple[Path, bytes]:
    """The int8 model that was cut: the bundle's own copy, or where the plan says it lies."""
    own, path = folder / "model.tflite", Path(plan.model.path)
    wrong = (
        "changed since the job was run (its SHA-256 differs); run the job again, or copy the old "
        f"model to {own}"
    )
    if own.is_file():
        path = own
        wrong = (
            "is not the model that was cut (its SHA-256 differs); put the model that was cut "
            "there, unchanged, or run the job again"
        )
    elif not is_file(path):
        raise UsageError(
            f"{printable(plan.model.path)}: the whole model is not there, and the pieces can not "
            "be judged without it; call splitopt from where the job was run, or copy the model to "
            f"{own}"
        )
    data = _read(path)
    if sha256_of(data) != plan.model.sha256:
        raise UsageError(f"{path}: {wrong}")
    return path, data


def _read(path: Path) -> bytes:
    return read_file(path, MAX_FILE_BYTES)


def _segments(folder: Path, plan: Plan, graph: ModelGraph) -> list[Segment]:
    """The plan's segments; they tile the model and name what its ops read and make."""
    where, n = folder / "plan.json", len(graph.ops)
    if not tile(plan, n):
        raise UsageError(f"{where}: $.segments: do not follow one another from op 0 to op {n}")
    found = []
    for k, entry in enumerate(plan.segments):
        own = segment_of(graph, entry.start, entry.stop)
        for key, got, want in (
            ("inputs", entry.inputs, own.inputs),
            ("outputs", entry.outputs, own.outputs),
        ):
            if sorted(got) != sorted(want):
                raise UsageError(
                    f"{where}: $.segments[{k}].{key}: got [{first_few(got)}], "
                    f"want [{first_few(want)}]"
                )
        found.append(Segment(entry.start, entry.stop, entry.inputs, entry.outputs, own.tensors))
    return found

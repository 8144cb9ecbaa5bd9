"""Models run on this machine, in TFLM and in LiteRT's reference kernels, in a child process.

Model files are untrusted input, and TFLM writes through a null pointer when its arena is too small:
no interpreter is loaded into this process. Every failure is a ToolError.
Arrays have a leading sample axis: a model's input [1, 96, 96, 1] is fed as [N, 1, 96, 96, 1].
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from splitopt.base.errors import ToolError
from splitopt.runtime.worker_process import Array, run_worker
from splitopt.tiling.plan import Execution
from splitopt.tiling.streams.plain import plain_stream
from splitopt.tiling.streams.stream import Stream

DEFAULT_TIMEOUT_S = 120.0
DEFAULT_MEMORY_BYTES = 2 << 30

_WORKER = "splitopt.runtime.host_worker"
NO_KERNEL = "Didn't find op for builtin opcode"  # what LiteRT says of an op that it lacks


@dataclass(frozen=True)
class Bands:
    """A model that runs several times on rows of its inputs (axis 1 of a sample).

    `output_rows`: of each output, whole; of these, an earlier stage may have made some already.
    """

    executions: tuple[Execution, ...]
    output_rows: tuple[int, ...]


@dataclass(frozen=True)
class StreamFiles:
    """A stream, and the file of each of its groups."""

    stream: Stream
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Places:
    """Where ends of a stage lie, by name, in a stretch of `size_bytes`."""

    size_bytes: int
    offsets: Mapping[str, int]


@dataclass(frozen=True)
class Stage:
    """One model of a chain, with names for its inputs and outputs in the model's own order.

    `stream`: of a segment that runs a row at a time; names are then in the order of its sources and
    of its outputs, and `path` is the first of its files. `places`: of ends that may share bytes.

    `keep` pairs a name with the index of an inner tensor to return too. TFLM then plans no
    tensor over another: its arena needs the sum of all activations, and in the wheel about
    8 KB more than that and the tail.
    Be generous with `arena_bytes`: the total that TFLM reports does not suffice for every model.
    """

    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    arena_bytes: int
    keep: tuple[tuple[str, int], ...] = ()
    bands: Bands | None = None
    stream: StreamFiles | None = None
    places: Places | None = None

    def __post_init__(self) -> None:
        assert self.arena_bytes > 0, f"an arena of {self.arena_bytes} bytes"
        assert self.inputs, f"{self.path}: a model without inputs"
        assert len({*self.made}) == len(self.made), f"a name given twice: {self.made}"

    @property
    def made(self) -> tuple[str, ...]:
        return self.outputs + tuple(name for name, _ in self.keep)


def run_tflm_chain(
    stages: Sequence[Stage],
    feeds: Mapping[str, Array],
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> dict[str, Array]:
    """All tensors that the stages make, by name; a stage reads feeds and tensors made before it."""
    _check_chain(stages, feeds)
    job = {
        "kind": "tflm",
        "stages": [
            {
                "file": _absolute(stage.path),
                "inputs": stage.inputs,
                "outputs": stage.outputs,
                "arena_bytes": stage.arena_bytes,
                "keep": dict(stage.keep),
                "bands": None if stage.bands is None else _plain_bands(stage.bands),
                "stream": None if stage.stream is None else _plain_files(stage.stream),
                "places": None if stage.places is None else asdict(stage.places),
            }
            for stage in stages
        ],
    }
    return run_worker(_WORKER, job, feeds, timeout_s=timeout_s, memory_bytes=memory_bytes).arrays


def refusal_of_tflm(
    path: Path,
    arena_bytes: int,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> str | None:
    """Why TFLM does not run the model, in its own words; None where it does.

    One AllocateTensors and one Invoke. The child makes the inputs, all zeros; as some models
    divide by one, an Invoke that fails is tried again on ones.
    """
    job = {"kind": "refusal", "file": _absolute(path), "arena_bytes": arena_bytes}
    reply = run_worker(_WORKER, job, {}, timeout_s=timeout_s, memory_bytes=memory_bytes)
    refusal: str | None = reply.json["refusal"]
    return refusal


@dataclass(frozen=True)
class LitertRun:
    """Tensors by name, and the number of biases whose axis was corrected for LiteRT."""

    arrays: dict[str, Array]
    repaired_biases: int


def run_litert(
    path: Path,
    feeds: Sequence[Array],
    outputs: Sequence[str] = (),
    keep: Mapping[str, int] | None = None,
    *,
    repair_bias_axis: bool = False,
    is_optimised: bool = False,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> LitertRun:
    """The outputs named by `outputs` (none, or all) and the tensors that `keep` names by index.

    `feeds`: one array per input of the model. LiteRT refuses files whose biases claim an axis that
    they do not have; `repair_bias_axis` runs a copy in which that one field is corrected.
    `is_optimised`: not in the reference kernels but in those of apps, of which there are more.
    """
    _check_samples(feeds)
    names = [f"input {position}" for position in range(len(feeds))]
    job = {
        "kind": "litert",
        "file": _absolute(path),
        "inputs": names,
        "outputs": list(outputs),
        "keep": dict(keep or {}),
        "repair_bias_axis": repair_bias_axis,
        "is_optimised": is_optimised,
    }
    arrays = dict(zip(names, feeds, strict=True))
    reply = run_worker(_WORKER, job, arrays, timeout_s=timeout_s, memory_bytes=memory_bytes)
    return LitertRun(reply.arrays, reply.json["repaired_biases"])


@dataclass(frozen=True)
class LitertOp:
    """One op as a model of its own (`data`), with names for its inputs and outputs."""

    name: str
    data: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class LitertOpsRun:
    """Outputs by name; LiteRT's words on each op that it did not run, by the op's name."""

    arrays: dict[str, Array]
    refused: dict[str, str]
    repaired_biases: int


def run_litert_ops(
    ops: Sequence[LitertOp],
    feeds: Mapping[str, Array],
    timeout_s: float = DEFAULT_TIMEOUT_S,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> LitertOpsRun:
    """Each op by itself in LiteRT, all in one process; none reads what another made.

    `feeds`: the inputs of all ops, by name. False axes of biases are corrected.
    """
    _check_samples(list(feeds.values()))
    job = {
        "kind": "litert_ops",
        "ops": [{"name": op.name, "inputs": op.inputs, "outputs": op.outputs} for op in ops],
    }
    files = {f"op {k}": np.frombuffer(op.data, np.uint8) for k, op in enumerate(ops)}
    read = {name: feeds[name] for op in ops for name in op.inputs}
    reply = run_worker(
        _WORKER, job, {**files, **read}, timeout_s=timeout_s, memory_bytes=memory_bytes
    )
    return LitertOpsRun(reply.arrays, reply.json["refused"], reply.json["repaired_biases"])


def tflm_version() -> str:
    return _version("tflite-micro")


def litert_version() -> str:
    return _version("ai-edge-litert")


def _plain_bands(bands: Bands) -> dict[str, Any]:
    """For the worker: of each execution, [row, rows] per input and [from row, row, rows] per
    output."""
    return {
        "output_rows": bands.output_rows,
        "executions": [
            {
                "inputs": [[span.row, span.rows] for span in execution.inputs],
                "outputs": [[span.from_row, span.row, span.rows] for span in execution.outputs],
            }
            for execution in bands.executions
        ],
    }


def _plain_files(files: StreamFiles) -> dict[str, Any]:
    return {
        "stream": plain_stream(files.stream),
        "files": [_absolute(path) for path in files.paths],
    }


def _check_chain(stages: Sequence[Stage], feeds: Mapping[str, Array]) -> None:
    assert stages, "a chain of no stages"
    _check_samples(list(feeds.values()))
    known = set(feeds)
    for stage in stages:
        unknown = set(stage.inputs) - known
        assert not unknown, f"{stage.path}: nothing makes {sorted(unknown)}"
        again = set() if stage.bands is not None else known & set(stage.made)
        assert not again, f"{stage.path}: {sorted(again)} made twice"
        known.update(stage.made)


def _check_samples(feeds: Sequence[Array]) -> None:
    samples = {len(feed) for feed in feeds}
    assert len(samples) == 1, f"feeds differ in their number of samples: {sorted(samples)}"
    assert min(samples) > 0, "feeds of no samples"


def _absolute(path: Path) -> str:
    return str(Path(path).resolve())


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise ToolError(
            f"{distribution} is not installed: run pip install splitopt again"
        ) from None

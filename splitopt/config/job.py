"""A job: one model, one board, what to minimise, and how far to go to prove it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from splitopt.base.errors import UsageError
from splitopt.base.files import read_text
from splitopt.base.yaml_input import Strict, check, load_yaml
from splitopt.config.board import MAX_RAM_BYTES, Board, find_board, read_board
from splitopt.config.target import TargetSpec, anchored, read_target

Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False, strict=False)]
Cut = Annotated[int, Field(ge=1)] | str
_FINEST_WEIGHT = 10**6
_LARGEST_WEIGHT = 2**30  # times the largest RAM, the solver's sums stay below 2**62
_MOST_INSN = 10**15
MAX_TABLE_BYTES = 1 << 20


class ModelFile(Strict):
    path: str


class CalibrationSpec(Strict):
    """Samples of an ONNX model's input: an .npz (`key`), an .npy, or a folder of npy, npz or png.

    `test` and `label`: arrays of the same .npz to check the conversion on; without `test`, the
    last fifth of the samples is held out.
    """

    path: str
    key: str | None = None
    test: str | None = None
    label: str | None = None


class PreprocessSpec(Strict):
    """(x - mean) / std per channel, before calibration; images lie as `layout` says."""

    mean: tuple[float, ...] = ()
    std: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)], ...] = ()
    layout: Literal["nhwc", "nchw"] = "nhwc"


class ConvertSpec(Strict):
    """How onnx2tf is called, and where conversions are kept (default: the user's cache)."""

    command: tuple[str, ...] | None = None
    time_limit_s: Annotated[float, Field(gt=0, le=86400, strict=False)] = 600.0
    cache: str | None = None


class ObjectiveSpec(Strict):
    """`weighted`: ram_weight per byte of peak RAM, time_weight_per_kinsn per 1,000 instructions.

    `max_added_insn` bounds the added time whatever is minimised; the budget bounds the peak.
    """

    minimise: Literal["weighted", "peak_ram", "added_time"] = "weighted"
    ram_weight: Weight = 1.0
    time_weight_per_kinsn: Weight = 1.0
    max_added_insn: Annotated[int, Field(ge=0, le=_MOST_INSN)] | None = None


class PiecesSpec(Strict):
    """`bands`: segments may run several times, on a range of rows each. `offline_plans`: pieces may
    carry exact plans of their memory."""

    max: Annotated[int, Field(ge=1, le=10**6)] | None = None
    zero_arena: bool = False
    bands: bool = True
    offline_plans: bool = True


class CutSpec(Strict):
    """Cuts by op index (the cut before that op) or by the name of the tensor made before it."""

    allow: tuple[Cut, ...] | None = None
    forbid: tuple[Cut, ...] = ()


class SolveSpec(Strict):
    time_limit_s: Annotated[float, Field(gt=0, le=86400, strict=False)] = 60.0
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    workers: Annotated[int, Field(ge=1, le=64)] = 1


class VerifySpec(Strict):
    """Random inputs, and optionally given ones: `data` is an .npy or .npz (then `key`)."""

    inputs: Annotated[int, Field(ge=1, le=10_000)] = 8
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    data: str | None = None
    key: str | None = None
    litert: bool = True
    time_limit_s: Annotated[float, Field(gt=0, le=86400, strict=False)] = 300.0


class JobSpec(Strict):
    """The keys of a job file, as written.

    `route`: `whole` converts an ONNX model once and cuts the int8 model, bit for bit; `pieces` cuts
    the ONNX model and converts each piece on its own.
    """

    model: ModelFile
    calibration: CalibrationSpec | None = None
    preprocess: PreprocessSpec = PreprocessSpec()
    convert: ConvertSpec = ConvertSpec()
    route: Literal["whole", "pieces"] = "whole"
    board: Board | str
    budget_bytes: Annotated[int, Field(gt=0, le=MAX_RAM_BYTES)] | None = None
    objective: ObjectiveSpec = ObjectiveSpec()
    pieces: PiecesSpec = PiecesSpec()
    cut: CutSpec = CutSpec()
    solve: SolveSpec = SolveSpec()
    verify: VerifySpec = VerifySpec()
    cost_table: str | None = None
    target: TargetSpec | Annotated[str, Field(min_length=1, max_length=4096)] = "host"
    out: str = "results"


@dataclass(frozen=True)
class Job:
    """A job with its board read and its paths resolved."""

    name: str
    file: Path
    spec: JobSpec
    board: Board
    model_path: Path

    @property
    def budget_bytes(self) -> int:
        return self.spec.budget_bytes or self.board.budget_bytes

    @property
    def target(self) -> TargetSpec | None:
        """The simulator that runs the pieces; None for `host`. Raises UsageError."""
        named = self.spec.target
        if isinstance(named, TargetSpec):
            return anchored(named, self.file.parent)
        if named == "host":
            return None
        try:
            return read_target(named, self.file.parent)
        except UsageError as error:
            raise UsageError(f"{self.file}: $.{error}") from error

    @property
    def cost_table_text(self) -> str:
        """What a table of `calibrate` holds; empty without one. Raises UsageError."""
        named = self.spec.cost_table
        if named is None:
            return ""
        return read_text(self.file.parent / named, MAX_TABLE_BYTES, "a table that calibrate wrote")

    @property
    def data_path(self) -> Path | None:
        return self.file.parent / self.spec.verify.data if self.spec.verify.data else None


def read_job(path: Path, overrides: Mapping[str, Any] | None = None) -> Job:
    """Reads a job file; `overrides` replace top-level keys, within `model` and `pieces` their keys.

    Raises UsageError.
    """
    return job_of(path, load_yaml(path), overrides)


def job_of(
    path: Path, loaded: Mapping[str, Any], overrides: Mapping[str, Any] | None = None
) -> Job:
    """The job that a file holds, whose mapping is `loaded`; as `read_job`."""
    data = dict(loaded)
    for key, value in (overrides or {}).items():
        old = data.get(key)
        merge = key in ("model", "pieces") and isinstance(old, dict)
        data[key] = {**old, **value} if merge and isinstance(old, dict) else value
    _lift_calibration(data)
    _lift_lists(data)
    if isinstance(data.get("board"), dict):
        data["board"] = check(data["board"], Board, where=str(path), under=("board",))
    spec = check(data, JobSpec, where=str(path))
    try:
        integer_weights(spec.objective)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    board = spec.board if isinstance(spec.board, Board) else _named_board(spec.board, path)
    if spec.budget_bytes is not None and spec.budget_bytes > board.sram_bytes:
        raise UsageError(
            f"{path}: $.budget_bytes: got {spec.budget_bytes}, want at most the board's "
            f"{board.sram_bytes} (sram_bytes of {board.name})"
        )
    job = Job(path.stem, path, spec, board, path.parent / spec.model.path)
    _ = job.target  # refuses what names no target
    return job


def _named_board(reference: str, job: Path) -> Board:
    try:
        file = find_board(reference, job.parent)
    except UsageError as error:
        raise UsageError(f"{job}: {error}") from error
    return read_board(file)


def _lift_calibration(data: dict[str, Any]) -> None:
    """`calibration` and `preprocess` may stand beside the model's path, too."""
    model = data.get("model")
    if isinstance(model, dict):
        inner = {k: model[k] for k in ("calibration", "preprocess") if k in model and k not in data}
        data |= inner
        data["model"] = {k: v for k, v in model.items() if k not in inner}


def _lift_lists(data: dict[str, Any]) -> None:
    """YAML has lists where the frozen models hold tuples."""
    for key in ("cut", "preprocess", "convert"):
        spec = data.get(key)
        if isinstance(spec, dict):
            data[key] = {k: tuple(v) if isinstance(v, list) else v for k, v in spec.items()}


def integer_weights(spec: ObjectiveSpec) -> tuple[int, int]:
    """(per byte of peak, per added instruction), scaled to integers of the same ratio.

    Raises UsageError for weights finer than a millionth, too far apart, or both zero.
    """
    if spec.minimise == "peak_ram":
        return 1, 0
    if spec.minimise == "added_time":
        return 0, 1
    ram = Fraction(str(spec.ram_weight))
    time = Fraction(str(spec.time_weight_per_kinsn))
    if max(ram.denominator, time.denominator) > _FINEST_WEIGHT:
        raise UsageError("$.objective: weights have at most six decimals")
    if not ram and not time:
        raise UsageError("$.objective: both weights are 0; want at least one above 0")
    time /= 1000
    scale = Fraction(lcm(ram.denominator, time.denominator))
    scale /= gcd(int(ram * scale), int(time * scale))
    weights = int(ram * scale), int(time * scale)
    if max(weights) > _LARGEST_WEIGHT:
        raise UsageError(
            "$.objective: the weights are too far apart to be exact integers; round them, or bound "
            "one side (budget_bytes, max_added_insn) and minimise the other"
        )
    return weights

"""A job: one model, one board, what to minimise, and how far to go to prove it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from splitopt.base.errors import UsageError
from splitopt.base.files import read_text
from splitopt.base.yaml_input import Strict, check, load_yaml
from splitopt.config.board import MAX_RAM_BYTES, Board, find_board, read_board
from splitopt.config.conversion import (
    CalibrationSpec,
    ConvertSpec,
    PreprocessSpec,
    Seconds,
    Shape,
)
from splitopt.config.objective import ObjectiveSpec, integer_weights
from splitopt.config.own import folder_name, refuse_commands, target_commands
from splitopt.config.target import LISTED, TargetSpec, anchored, read_target

Cut = Annotated[int, Field(ge=1)] | str
Switching = Literal["rebuild", "restore"]
MAX_TABLE_BYTES = 1 << 20
BESIDE_THE_MODEL = ("calibration", "preprocess", "input_shapes")
IN_MEMORY = Path("Job.of")
"""Stands for the file of a job that was not read from one; paths are from the working folder."""


class ModelFile(Strict):
    path: Annotated[str, Field(description="A .tflite or .onnx file, relative to this file.")]
    io: Annotated[
        Literal["as_is", "int8"], Field(description="int8: no QUANTIZE or DEQUANTIZE at the ends.")
    ] = "as_is"
    signature: Annotated[
        str | None, Field(description="Which signature of a .tflite that has several.")
    ] = None


class PiecesSpec(Strict):
    """What pieces there may be."""

    max: Annotated[int | None, Field(ge=1, le=10**6, description="Most pieces.")] = None
    zero_arena: Annotated[
        bool, Field(description="Whether your runner zeroes the arena between pieces.")
    ] = False
    bands: Annotated[
        bool, Field(description="A piece may run several times, on a range of rows each.")
    ] = True
    offline_plans: Annotated[
        bool, Field(description="A piece may carry an exact plan of its memory.")
    ] = True
    streams: Annotated[
        bool, Field(description="A piece may run one output row at a time, as several files.")
    ] = True
    rolled_ends: Annotated[
        bool,
        Field(description="Output rows of bands and streams may lie over input rows already read."),
    ] = True
    switching: Annotated[
        tuple[Switching, ...],
        LISTED,
        Field(
            min_length=1,
            description="How pieces may begin at each inference: built again, or copied back as "
            "they were saved at start-up, where the board has a memory that holds saved_tails.",
        ),
    ] = ("rebuild", "restore")
    input: Annotated[
        Literal["whole", "rows"],
        Field(
            description="rows: your application hands the model's input over row by row to a "
            "streamed first piece, and the whole of it is never in RAM."
        ),
    ] = "whole"


class CutSpec(Strict):
    """Cuts by op index (the cut before that op) or by the name of the tensor made before it."""

    allow: Annotated[
        Annotated[tuple[Cut, ...], LISTED] | None, Field(description="No other cuts.")
    ] = None
    forbid: Annotated[tuple[Cut, ...], LISTED] = ()


class SolveSpec(Strict):
    """Limits of the solver."""

    time_limit_s: Seconds = 60.0
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    workers: Annotated[int, Field(ge=1, le=64, description="Threads.")] = 1


class VerifySpec(Strict):
    """What the pieces are run on to prove that they equal the model."""

    inputs: Annotated[int, Field(ge=1, le=10_000, description="Random inputs.")] = 8
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    data: Annotated[str | None, Field(description="Inputs of your own: .npy or .npz.")] = None
    key: Annotated[str | None, Field(description="The array of the .npz.")] = None
    litert: Annotated[bool, Field(description="Compare with LiteRT, too.")] = True
    time_limit_s: Seconds = 300.0


class JobSpec(Strict):
    """The keys of a job file, as written; paths are relative to the file."""

    model: ModelFile
    input_shapes: Annotated[
        Mapping[str, Shape],
        Field(
            description="Shapes of an ONNX model's inputs whose axes its file leaves open, by name."
        ),
    ] = {}
    calibration: CalibrationSpec | None = None
    preprocess: PreprocessSpec = PreprocessSpec()
    convert: ConvertSpec = ConvertSpec()
    route: Annotated[
        Literal["whole", "pieces"],
        Field(
            description="whole: an ONNX model is converted once, and the int8 model is cut, bit "
            "for bit; pieces: the ONNX model is cut, and each piece is converted on its own."
        ),
    ] = "whole"
    board: Annotated[
        Board | str, Field(description="A name (splitopt boards), a file, or a board's keys.")
    ]
    budget_bytes: Annotated[
        int | None,
        Field(
            gt=0,
            le=MAX_RAM_BYTES,
            description="RAM for arena and boundary tensors; default: the board's SRAM less "
            "what is reserved.",
        ),
    ] = None
    objective: ObjectiveSpec = ObjectiveSpec()
    pieces: PiecesSpec = PiecesSpec()
    cut: CutSpec = CutSpec()
    solve: SolveSpec = SolveSpec()
    verify: VerifySpec = VerifySpec()
    cost_table: Annotated[
        str | None, Field(description="costs.json, as splitopt calibrate writes it.")
    ] = None
    target: Annotated[
        TargetSpec | Annotated[str, Field(min_length=1, max_length=4096)],
        Field(description="host, qemu, fvp, the .yaml file of a target, or its keys."),
    ] = "host"
    out: Annotated[
        str, Field(description="Folder for results, relative to the working folder.")
    ] = "results"


@dataclass(frozen=True)
class Job:
    """One model, one board, what to minimise, and how far to go to prove it.

    Made by `read_job` from a file, and by `Job.of` without one. `spec` holds the keys as they were
    written; all sizes are in bytes.
    """

    name: str
    file: Path
    spec: JobSpec
    board: Board
    model_path: Path

    @classmethod
    def of(
        cls,
        *,
        model: str | Path | Mapping[str, Any],
        board: str | Path | Mapping[str, Any] | Board,
        budget_bytes: int | None = None,
        name: str | None = None,
        allow_commands: bool = False,
        **keys: Any,
    ) -> Job:
        """A job without a file; relative paths are relative to the working folder.

        `model`: a path, or the mapping that a job file has there. `board`: a name that
        `splitopt boards` lists, the path of a board's YAML file, its keys, or a `Board`.
        `budget_bytes`: RAM for arena and boundary tensors; default: the board's SRAM less what is
        reserved. `name`: of the folder that results go to; default: the model's. `allow_commands`:
        whether programs that it names may run. `keys`: any other key of a job file, with the same
        values (`objective={"minimise": "peak_ram"}`).

        Raises UsageError for an unknown key, a wrong value, and a board that is not there.

        >>> job = Job.of(
        ...     model="configs/models/squeeze_digits_int8.tflite",
        ...     board="corstone300_64k",
        ...     objective={"minimise": "peak_ram"},
        ... )
        >>> job.name, job.budget_bytes
        ('squeeze_digits_int8', 57344)
        """
        file = model if isinstance(model, Mapping) else {"path": str(model)}
        place = str(board) if isinstance(board, Path) else board
        data = {"model": file, "board": place, "budget_bytes": budget_bytes, **keys}
        job = job_of(IN_MEMORY, data, allow_commands=allow_commands)
        own_name = job.model_path.stem if name is None else name
        return replace(job, name=folder_name(own_name, "the job's name"))

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


def read_job(
    path: str | Path, overrides: Mapping[str, Any] | None = None, *, allow_commands: bool = False
) -> Job:
    """Reads a job file; `overrides` that are not None replace its keys: top-level ones, within
    `model` and `pieces` theirs.

    Relative paths in it are relative to the file. Raises UsageError that names the first wrong key,
    also one with a program to run, unless `allow_commands` or the person's configuration has it.

    >>> job = read_job("configs/jobs/squeeze_digits.yaml", {"budget_bytes": 40_000})
    >>> job.board.name, job.budget_bytes
    ('corstone300_64k', 40000)
    """
    path = Path(path)
    return job_of(path, load_yaml(path), overrides, allow_commands=allow_commands)


def job_from(what: Job | str | Path, *, allow_commands: bool = False) -> Job:
    """A job as it is, or the one that a file holds. Raises UsageError."""
    return what if isinstance(what, Job) else read_job(what, allow_commands=allow_commands)


def job_of(
    path: Path,
    loaded: Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    *,
    allow_commands: bool = False,
) -> Job:
    """The job that a file holds, whose mapping is `loaded`; as `read_job`."""
    data = dict(loaded)
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    for key, value in given.items():
        old = data.get(key)
        merge = key in ("model", "pieces") and isinstance(old, dict)
        data[key] = {**old, **value} if merge and isinstance(old, dict) else value
    _lift_calibration(data)
    if isinstance(data.get("board"), Mapping):
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
    if "rebuild" not in spec.pieces.switching and not board.memories:
        raise UsageError(
            f"{path}: $.pieces.switching: got [restore], but {board.name} has no memory that holds "
            "saved_tails (memories of the board); want [rebuild, restore]"
        )
    name = folder_name(path.stem, str(path))
    job = Job(name, path, spec, board, path.parent / spec.model.path)
    wanted = {f"{path}: $.convert.command": spec.convert.command}
    if (target := job.target) is not None:
        wanted |= target_commands(f"{path}: $.target", target)
    refuse_commands(wanted, allow_commands=allow_commands)
    return job


def _named_board(reference: str, job: Path) -> Board:
    try:
        file = find_board(reference, job.parent)
    except UsageError as error:
        raise UsageError(f"{job}: {error}") from error
    return read_board(file)


def _lift_calibration(data: dict[str, Any]) -> None:
    """What shapes a conversion may stand beside the model's path, too."""
    model = data.get("model")
    if isinstance(model, dict):
        inner = {k: model[k] for k in BESIDE_THE_MODEL if k in model and k not in data}
        data |= inner
        data["model"] = {k: v for k, v in model.items() if k not in inner}

"""A job: one model, one board, what to minimise, and how far to go to prove it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from splitopt.base.errors import UsageError
from splitopt.base.files import read_text
from splitopt.base.yaml_input import check, load_yaml
from splitopt.config.board import Board, find_board, read_board
from splitopt.config.job_keys import BESIDE_THE_MODEL, JobSpec
from splitopt.config.objective import Aim, integer_weights, notices
from splitopt.config.own import folder_name, refuse_commands, target_commands
from splitopt.config.target import TargetSpec, anchored, read_target

MODEL_SUFFIXES = (".tflite", ".onnx")
MAX_TABLE_BYTES = 1 << 20
IN_MEMORY = Path("Job.of")
"""Stands for the file of a job that was not read from one; paths are from the working folder."""


@dataclass(frozen=True)
class Job:
    """One model, one board, what to minimise, and how far to go to prove it.

    Made by `read_job` from a file, and by `Job.of` without one. `spec` holds the keys as they were
    written; all sizes are in bytes. `notices`: keys that have another name now.
    """

    name: str
    file: Path
    spec: JobSpec
    board: Board
    model_path: Path
    notices: tuple[str, ...] = ()

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
        values (`objective={"minimise": "smallest"}`).

        Raises UsageError for an unknown key, a wrong value, and a board that is not there.

        >>> job = Job.of(
        ...     model="configs/models/squeeze_digits_int8.tflite",
        ...     board="corstone300_64k",
        ...     objective={"minimise": "smallest"},
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
    `model` and `pieces` theirs. A model (.tflite or .onnx) is a job of nothing but itself: its
    board, and samples to quantise it with, come as overrides.

    Relative paths are relative to the file. Raises UsageError that names the first wrong key,
    also one with a program to run, unless `allow_commands` or the person's configuration has it.

    >>> job = read_job("configs/jobs/squeeze_digits.yaml", {"budget_bytes": 40_000})
    >>> job.board.name, job.budget_bytes
    ('corstone300_64k', 40000)
    """
    path = Path(path)
    return job_of(path, load_job(path), overrides, allow_commands=allow_commands)


def aiming(job: Job, aim: Aim) -> Job:
    """The job with another aim, its weights and limits as they are."""
    objective = job.spec.objective.model_copy(update={"minimise": aim})
    return replace(job, spec=job.spec.model_copy(update={"objective": objective}))


def is_model(path: Path) -> bool:
    """Whether a file is taken for a model, by its name."""
    return path.suffix.lower() in MODEL_SUFFIXES


def load_job(path: Path) -> dict[str, Any]:
    """The mapping that a job file holds, or the one that stands for a model. Raises UsageError."""
    return {"model": {"path": path.name}} if is_model(path) else load_yaml(path)


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
    if is_model(path) and data.get("board") is None:
        raise UsageError(f"{path}: want --board NAME as well (splitopt boards lists them)")
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
    if set(spec.pieces.switching) == {"restore"} and not board.holds("saved_tails"):
        raise UsageError(
            f"{path}: $.pieces.switching: got [restore], but {board.name} has no memory that holds "
            "saved_tails (memories of the board); want [rebuild, resident, restore]"
        )
    if board.abi != "m55" and not {"rebuild", "restore"} & set(spec.pieces.switching):
        raise UsageError(
            f"{path}: $.pieces.switching: got [resident], which is known of abi m55 only; "
            "want [rebuild, resident, restore]"
        )
    name = folder_name(path.stem, str(path))
    old_names = notices(data.get("objective"))
    job = Job(name, path, spec, board, path.parent / spec.model.path, old_names)
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

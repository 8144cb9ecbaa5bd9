"""What the command line says beside a job file, or beside a model that has none."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from splitopt.base.errors import UsageError
from splitopt.config.board import from_here
from splitopt.config.job import Job, is_model, job_of, load_job
from splitopt.config.objective import with_aim
from splitopt.config.size import size_of


@dataclass(frozen=True)
class Given:
    """Options as they were typed; None leaves to the job what it says. Paths are relative to the
    working folder. `calibration`: samples as `data.npz:key`, a folder, or an .npy.
    `input_shapes`: of an ONNX model's inputs, each as `name=1,3,48,192`. `time_limit_s`: of
    planning."""

    board: str | None = None
    budget: str | None = None
    objective: str | None = None
    calibration: str | None = None
    input_shapes: tuple[str, ...] = ()
    time_limit_s: float | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The options as words of a command line."""
        options = {
            "--board": self.board,
            "--budget": self.budget,
            "--objective": self.objective,
            "--calibration": self.calibration,
            "--time-limit": None if self.time_limit_s is None else f"{self.time_limit_s:g}",
        }
        named = [word for item in options.items() if item[1] is not None for word in item]
        shapes = [word for shape in self.input_shapes for word in ("--input-shape", shape)]
        return tuple(str(word) for word in (*named, *shapes))

    def over(self, loaded: Mapping[str, Any]) -> dict[str, Any]:
        """The keys of a job that these options replace. Raises UsageError."""
        found: dict[str, Any] = {}
        if self.board is not None:
            found["board"] = from_here(self.board)
        if self.budget is not None:
            found["budget_bytes"] = size_of(self.budget, "--budget")
        if self.objective is not None:
            found["objective"] = with_aim(loaded.get("objective"), self.objective)
        if self.calibration is not None:
            found["calibration"] = _samples(self.calibration)
        if self.time_limit_s is not None:
            own = loaded.get("solve")
            keys = own if isinstance(own, Mapping) else {}
            found["solve"] = {**keys, "time_limit_s": self.time_limit_s}
        if self.input_shapes:
            found["input_shapes"] = dict(map(_shape, self.input_shapes))
        return found


def read_given(what: Path, given: Given, *, allow_commands: bool = False) -> Job:
    """A job file or a model, under these options. Raises UsageError."""
    loaded = load_job(what)
    if is_model(what) and not what.exists():
        raise UsageError(f"{what}: no such file{_meant(what)}")
    return job_of(what, loaded, given.over(loaded), allow_commands=allow_commands)


def _meant(what: Path) -> str:
    """The model or job beside it whose name is nearest."""
    beside = sorted(what.parent.iterdir()) if what.parent.is_dir() else []
    files = [path.name for path in beside if is_model(path) or path.suffix in (".yaml", ".yml")]
    near = difflib.get_close_matches(what.name, files, n=1)
    return f"; did you mean {str(what.parent / near[0])!r}?" if near else ""


def found_models(whats: list[Path]) -> list[Path]:
    """Jobs and models as they are named, of a folder its models, and what a pattern stands for.

    Raises UsageError where a folder or a pattern holds none.
    """
    return [path for what in whats for path in _found(what)]


def _found(what: Path) -> list[Path]:
    if what.is_dir():
        models = sorted(path for path in what.iterdir() if path.is_file() and is_model(path))
        if not models:
            raise UsageError(f"{what}: holds no .tflite or .onnx model")
        return models
    if not what.exists() and any(char in str(what) for char in "*?["):
        parent = next(p for p in what.parents if not any(char in str(p) for char in "*?["))
        found = sorted(parent.glob(str(what.relative_to(parent))))
        if not found:
            raise UsageError(f"{what}: no file matches")
        return found
    return [what]


def _shape(text: str) -> tuple[str, list[int]]:
    name, _, sizes = text.rpartition("=")
    try:
        return name, [int(size) for size in sizes.split(",")]
    except ValueError:
        raise UsageError(
            f"--input-shape: got {text!r}, want the input's name and all its sizes "
            "(image=1,3,48,192)"
        ) from None


def _samples(text: str) -> dict[str, str]:
    path, colon, key = text.rpartition(":")
    if colon and Path(path).suffix.lower() == ".npy" and not Path(text).exists():
        raise UsageError(
            f"--calibration: got {text!r}, but an .npy holds one array and has no key; "
            f"want --calibration {path}"
        )
    if colon and Path(path).suffix.lower() == ".npz":
        return {"path": str(Path(path).absolute()), "key": key}
    return {"path": str(Path(text).absolute())}

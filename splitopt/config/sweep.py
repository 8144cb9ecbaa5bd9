"""The keys of a sweep file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from splitopt.base.errors import UsageError
from splitopt.base.yaml_input import Strict, check
from splitopt.config.board import MAX_RAM_BYTES
from splitopt.config.job import load_job
from splitopt.config.objective import ObjectiveSpec
from splitopt.config.size import Size
from splitopt.config.target import LISTED

MAX_POINTS = 10_000
Bytes = Annotated[int, Field(gt=0, le=MAX_RAM_BYTES), Size()]
Pieces = Annotated[int, Field(ge=1, le=10**6)]
Names = Annotated[str | tuple[str, ...], LISTED]


class RangeSpec(Strict):
    """start, start + step, ... up to and with `stop`."""

    start: Bytes
    stop: Bytes
    step: Bytes

    @model_validator(mode="after")
    def _rises(self) -> RangeSpec:
        if self.stop < self.start:
            raise ValueError(f"stop at or above start ({self.start})")
        count = (self.stop - self.start) // self.step + 1
        if count > MAX_POINTS:
            raise ValueError(f"at most {MAX_POINTS:,} budgets (these are {count:,}); a larger step")
        return self

    @property
    def values(self) -> tuple[int, ...]:
        return tuple(range(self.start, self.stop + 1, self.step))


class GridSpec(Strict):
    """One value or a list for each axis; what is left out is the job's own."""

    budget_bytes: Annotated[
        Literal["auto"] | Bytes | RangeSpec | tuple[Bytes, ...] | None,
        LISTED,
        Field(description="auto: every budget at which the best plan changes."),
    ] = None
    board: Names | None = None
    model: Names | None = None
    objective: Annotated[ObjectiveSpec | tuple[ObjectiveSpec, ...] | None, LISTED] = None
    max_pieces: Annotated[Pieces | tuple[Pieces, ...] | None, LISTED] = None

    @property
    def is_auto(self) -> bool:
        return self.budget_bytes == "auto"


Measure = Literal["peak_ram", "added_time", "pieces"]


class SweepSpec(Strict):
    """The keys of a sweep file; paths are relative to the file."""

    job: Annotated[Names, Field(description="A job file, or several.")]
    grid: GridSpec
    measures: Annotated[
        tuple[Measure, ...],
        LISTED,
        Field(description="What fronts are over: peak_ram and added_time; pieces, if asked for."),
    ] = ("peak_ram", "added_time")
    prove: Annotated[
        Literal["none", "front", "all"],
        Field(description="Which points are written as bundles, their pieces run and proved."),
    ] = "none"
    workers: Annotated[int, Field(ge=1, le=256, description="Processes.")] | None = None
    executor: Literal["local", "dask"] = "local"
    scheduler: Annotated[
        str | None, Field(description="The address of the Dask scheduler: tcp://host:8786.")
    ] = None
    out: str = "results"

    @field_validator("measures")
    @classmethod
    def _has_both(cls, measures: tuple[Measure, ...]) -> tuple[Measure, ...]:
        if not {"peak_ram", "added_time"} <= set(measures) or len(set(measures)) < len(measures):
            raise ValueError("peak_ram and added_time, once each; pieces may be added")
        return measures

    @property
    def counts_pieces(self) -> bool:
        return "pieces" in self.measures


def read_sweep(path: Path) -> SweepSpec:
    """A sweep file; of a job file or a model, the sweep over all its budgets.

    Raises UsageError that names the first wrong key.
    """
    data = load_job(path)
    if "model" in data and not {"job", "grid"} & set(data):
        return SweepSpec(job=path.name, grid=GridSpec(budget_bytes="auto"))
    spec = check(data, SweepSpec, where=str(path))
    _check_lists(path, data)
    if not spec.grid.model_fields_set:
        raise UsageError(f"{path}: $.grid: empty; want at least one axis (budget_bytes: auto)")
    if spec.grid.is_auto and "objective" in spec.grid.model_fields_set:
        raise UsageError(
            f"{path}: $.grid.objective: a front (budget_bytes: auto) holds the optimum of every "
            "objective; leave it out"
        )
    if (spec.executor == "dask") != (spec.scheduler is not None):
        raise UsageError(
            f"{path}: $.scheduler: want an address (tcp://host:8786) exactly with executor: dask"
        )
    return spec


def _check_lists(path: Path, data: dict[str, Any]) -> None:
    places = {"$.job": data["job"], **{f"$.grid.{k}": v for k, v in data["grid"].items()}}
    for where, value in places.items():
        if value == []:
            raise UsageError(f"{path}: {where}: an empty list; want at least one value")
        if isinstance(value, list):
            again = [v for k, v in enumerate(value) if v in value[:k]]
            if again:
                raise UsageError(f"{path}: {where}: {again[0]!r} is there twice")

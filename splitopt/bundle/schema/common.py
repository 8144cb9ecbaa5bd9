"""Bounded field types and the base classes of all documents of a bundle."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from splitopt.base.yaml_input import Strict

SCHEMA_VERSION = 2
MOST_OPS = 4_000
_MOST = 2**50

Text = Annotated[str, Field(max_length=4096)]
Texts = tuple[Text, ...]
Line = Annotated[str, Field(max_length=200)]
Long = Annotated[str, Field(max_length=65536)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=_MOST)]
Signed = Annotated[int, Field(ge=-_MOST, le=_MOST)]
Offset = Annotated[int, Field(ge=0, lt=2**32 - 1)]
"""A place in RAM, or a size there: what 32 bits can address."""
Index = Annotated[int, Field(ge=0, lt=2**31)]
Op = Annotated[int, Field(ge=0, le=MOST_OPS)]
Number = (
    Annotated[int, Field(ge=-_MOST, le=_MOST)]
    | Annotated[float, Field(allow_inf_nan=False, ge=-1e300, le=1e300)]
)
Map = dict[str, Any]
Status = Literal["passed", "failed", "warning", "skipped"]


class Shape(Strict):
    """A part of a document. Unknown keys are ignored: additions do not make a new version."""

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        strict=True,
        from_attributes=True,
        validate_by_name=True,
        validate_by_alias=True,
    )


class Open(Shape):
    """A part whose unknown keys are kept, to be shown or written again."""

    model_config = ConfigDict(extra="allow")


class Document(Shape):
    """One JSON file. `splitopt` names the version that wrote it, from schema version 2 on."""

    schema_version: Annotated[int, Field(ge=1, le=SCHEMA_VERSION)] = SCHEMA_VERSION
    splitopt: Line | None = None


Cause = Literal["time_limit", "interrupt", "memory", "places"]


class Unfinished(Shape):
    """What was not looked at. `cause` `memory`: the tables of bands are full; `places`:
    memories are too small for all that plans of a front put there. `bounded_options`: of
    those that fit the budget by their bounds, the ones without exact figures. `unproved_bytes`: how
    far an offline plan may lie above the best one."""

    cause: Cause
    segments: Count
    segments_without_bands: Count
    options: Count
    bounded_options: Count
    unproved_bytes: Count

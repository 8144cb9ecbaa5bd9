"""splitopt schema: the JSON Schema of each file that a user writes or another program reads."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from splitopt.bundle.schema.plan import Plan
from splitopt.config.board import Board
from splitopt.config.job_keys import BESIDE_THE_MODEL, JobSpec
from splitopt.config.sweep import SweepSpec
from splitopt.config.target import TargetSpec

_MODELS: dict[str, type[BaseModel]] = {
    "job": JobSpec,
    "board": Board,
    "sweep": SweepSpec,
    "target": TargetSpec,
    "plan": Plan,
}


def schema_of(kind: str) -> dict[str, Any]:
    """`kind`: job, board, sweep, target or plan."""
    document = _MODELS[kind].model_json_schema()
    if kind == "job":  # which the model's mapping may hold in place of the job
        beside = {key: document["properties"][key] for key in BESIDE_THE_MODEL}
        document["$defs"]["ModelFile"]["properties"] |= beside
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}

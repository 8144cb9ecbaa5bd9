"""Cuts a network into pieces that fit the SRAM of a Cortex-M55, and proves that they equal it.

>>> import splitopt
>>> job = splitopt.Job.of(
...     model="configs/models/squeeze_digits_int8.tflite", board="corstone300_64k"
... )
>>> planned = splitopt.plan(job)
>>> planned.unsplit_ram_bytes, planned.peak_ram_bytes, len(planned.segments)
(52944, 15872, 5)

`read_job` reads a job file, `Job.of` makes a job without one. `plan` chooses the cuts and writes
nothing, `run` writes the pieces and proves them, `sweep` finds a Pareto front over budgets,
`explain` says where RAM goes, `load_bundle` reads the folder of a run. What fails for a reason that
a user can act on raises a `SplitoptError`.

All names are loaded when they are first used: a bare `import splitopt` loads no solver.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from splitopt.base.version import VERSION

if TYPE_CHECKING:
    from splitopt.base.errors import (
        InfeasibleError,
        ModelError,
        NotEqualError,
        SplitoptError,
        ThresholdError,
        ToolError,
        UsageError,
    )
    from splitopt.bundle.load import load_run as load_bundle
    from splitopt.config.board import Board, known_boards
    from splitopt.config.job import Job, read_job
    from splitopt.workflows.explain import explain
    from splitopt.workflows.plan import Planned, plan
    from splitopt.workflows.run import RunResult
    from splitopt.workflows.run import run_job as run
    from splitopt.workflows.sweep.front import Front
    from splitopt.workflows.sweep.run import SweepResult
    from splitopt.workflows.sweep.sweep import sweep

__all__ = [
    "Board",
    "Front",
    "InfeasibleError",
    "Job",
    "ModelError",
    "NotEqualError",
    "Planned",
    "RunResult",
    "SplitoptError",
    "SweepResult",
    "ThresholdError",
    "ToolError",
    "UsageError",
    "__version__",
    "explain",
    "known_boards",
    "load_bundle",
    "plan",
    "read_job",
    "run",
    "sweep",
]
__version__ = VERSION

_HOMES = {
    "Board": "config.board",
    "Front": "workflows.sweep.front",
    "Job": "config.job",
    "Planned": "workflows.plan",
    "RunResult": "workflows.run",
    "SweepResult": "workflows.sweep.run",
    "known_boards": "config.board",
    "load_bundle": "bundle.load",
    "plan": "workflows.plan",
    "read_job": "config.job",
    "run": "workflows.run",
    "sweep": "workflows.sweep.sweep",
}
"""The module of each name; errors are in `base.errors`."""
_NAMES_THERE = {"load_bundle": "load_run", "run": "run_job"}


class _CallablePackage(ModuleType):
    """The package `splitopt.explain`, which is the function of that name, too."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return import_module("splitopt.workflows.explain").explain(*args, **keywords)


class _FrontDoor(ModuleType):
    """An import of anything in `splitopt.explain` binds that name here to the package."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "explain" and isinstance(value, ModuleType):
            value.__class__ = _CallablePackage
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _FrontDoor


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "explain":
        return import_module("splitopt.explain")
    home = import_module(f"splitopt.{_HOMES.get(name, 'base.errors')}")
    return getattr(home, _NAMES_THERE.get(name, name))


def __dir__() -> list[str]:
    return list(__all__)

"""The user's own build of TFLM for the target: where its headers and its library lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from splitopt.base.errors import ToolError, UsageError
from splitopt.base.yaml_input import read_yaml
from splitopt.config.target import TflmSpec

VARIABLE = "SPLITOPT_TFLM"
_DOWNLOADS = "tensorflow/lite/micro/tools/make/downloads"
_BESIDE = ("flatbuffers/include", "gemmlowp", "ruy")
_BUILT = "gen/*cortex-m55*/lib/libtensorflow-microlite.a"
_LANDMARK = "tensorflow/lite/micro/micro_interpreter.h"


@dataclass(frozen=True)
class TflmLibrary:
    include: tuple[Path, ...]
    library: Path

    @property
    def defines(self) -> tuple[str, ...]:
        """What must be defined where its headers are included: a library built without log texts
        has no MicroPrintf."""
        has_logs = b"_Z11MicroPrintfPKcz" in self.library.read_bytes()
        return () if has_logs else ("TF_LITE_STRIP_ERROR_STRINGS",)


def find_library(spec: TflmSpec | None) -> TflmLibrary:
    """The target's or board's library, else what SPLITOPT_TFLM points at: a .yaml with `include`
    and `library`, or a TFLM source tree in which its own make has built for the cortex-m55.

    Raises ToolError where there is none, UsageError where what is named is not there.
    """
    if spec is not None:
        return _checked(spec, Path())
    named = os.environ.get(VARIABLE)
    if not named:
        raise ToolError(
            f"no TFLM library for the target: set {VARIABLE} to a TFLM source tree with "
            f"{_BUILT}, or to a .yaml file with `include: [...]` and `library: ...`"
        )
    path = Path(named).expanduser()
    if path.suffix in (".yaml", ".yml"):
        return _checked(read_yaml(path, TflmSpec), path.parent)
    built = sorted(path.glob(_BUILT))
    if not built:
        raise UsageError(f"{VARIABLE}={named}: no {_BUILT} in it; build TFLM for the cortex-m55")
    beside = [path / _DOWNLOADS / name for name in _BESIDE]
    return _found([path, *beside], built[-1], VARIABLE)


def _checked(spec: TflmSpec, home: Path) -> TflmLibrary:
    return _found([home / name for name in spec.include], home / spec.library, "tflm")


def _found(include: Sequence[Path], library: Path, where: str) -> TflmLibrary:
    if not library.is_file():
        raise UsageError(f"{where}: no such library: {library}")
    absent = [folder for folder in include if not folder.is_dir()]
    if absent:
        raise UsageError(f"{where}: no such include folder: {absent[0]}")
    if not any((folder / _LANDMARK).is_file() for folder in include):
        raise UsageError(f"{where}: none of the include folders holds {_LANDMARK}")
    return TflmLibrary(tuple(p.resolve() for p in include), library.resolve())

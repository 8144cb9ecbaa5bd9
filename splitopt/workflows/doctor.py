"""What this machine has of what splitopt uses, why it matters, and how to get it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from splitopt.base.errors import SplitoptError, ToolError
from splitopt.base.owned_folder import scratch_folder
from splitopt.base.text import table
from splitopt.config.board import list_boards
from splitopt.runtime.program import COMPILER, PACKAGES
from splitopt.runtime.simulator import FVP, QEMU
from splitopt.runtime.tflm_library import find_library


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked for. `advice` is empty where all is well.

    `optional`: jobs of some kinds want it, most do without.
    """

    name: str
    ok: bool
    found: str
    why: str
    advice: str = ""
    optional: bool = False

    @property
    def word(self) -> str:
        return "ok" if self.ok else "absent" if self.optional else "MISSING"


def findings_text(findings: Sequence[Finding]) -> str:
    """A table of everything that was looked for, then what to do about what is absent."""
    rows = [(f.word, f.name, f.found, f.why) for f in findings]
    advice = [f"{f.name}: {f.found}; {f.advice}" for f in findings if not f.ok]
    return "\n".join([table(("", "what", "found", "why"), rows), *advice])


_AGAIN = "pip install --force-reinstall splitopt"
_PACKAGES = {
    "ortools": "chooses the cuts (CP-SAT)",
    "tflite-micro": "runs model and pieces in real TFLM for the proof",
    "ai-edge-litert": "the second, independent interpreter of the proof",
}


def examine() -> tuple[Finding, ...]:
    """Every finding; needs no network."""
    findings = [_python()]
    findings += [_package(name, why) for name, why in _PACKAGES.items()]
    findings += [_tflm_runs(), _boards(), _onnx()]
    return (*findings, *_target())


def _python() -> Finding:
    ok = (3, 11) <= sys.version_info[:2] < (3, 14)
    advice = "" if ok else "use Python 3.11, 3.12 or 3.13: splitopt is tested there"
    return Finding("python", ok, sys.version.split()[0], "runs splitopt", advice)


def _package(name: str, why: str) -> Finding:
    try:
        return Finding(name, True, version(name), why)
    except PackageNotFoundError:
        return Finding(name, False, "absent", why, _AGAIN)


def _tflm_runs() -> Finding:
    """Runs a tiny model in a child process, as every proof does."""
    why = "proofs run in a child process"
    return _probe("TFLM in a child process", why, _run_tiny_model, "reinstall tflite-micro")


def _probe(name: str, why: str, action: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(name, True, action(), why)
    except SplitoptError as error:
        return Finding(name, False, str(error), why, advice)


def _run_tiny_model() -> str:
    import numpy as np

    from splitopt.runtime.host import Stage, run_tflm_chain
    from splitopt.runtime.model_builder import relu_model

    with scratch_folder("doctor") as folder:
        path = folder / "relu.tflite"
        path.write_bytes(relu_model())
        feed = np.array([[[-1.0, 0.0, 2.0, 3.0]]], dtype=np.float32)
        made = run_tflm_chain([Stage(path, ("x",), ("y",), 1 << 16)], {"x": feed}, timeout_s=60)
    if not np.array_equal(made["y"], np.maximum(feed, 0)):
        raise ToolError("TFLM computes wrong values")
    return "works"


def _onnx() -> Finding:
    why = "converts ONNX models to int8"
    try:
        return Finding("onnx2tf", True, version("onnx2tf"), why, optional=True)
    except PackageNotFoundError:
        advice = "pip install 'splitopt[onnx]'"
        return Finding("onnx2tf", False, "absent", why, advice, optional=True)


def _target() -> Iterator[Finding]:
    """What jobs with target: qemu or fvp want; target: host needs none of it."""
    yield _program(COMPILER, "builds what runs on a simulator", f"apt-get install {PACKAGES}")
    yield _program(
        QEMU, "target: qemu counts instructions on it", "apt-get install qemu-system-arm"
    )
    advice = "get the Corstone-300 FVP from Arm, under its licence; QEMU does without"
    yield _program(FVP, "target: fvp runs on it", advice)
    why = "the simulator's program links it"
    try:
        yield Finding("TFLM library", True, find_library(None).library.name, why, optional=True)
    except SplitoptError as error:
        advice = f"{error}; a board or target file can name it, too"
        yield Finding("TFLM library", False, "absent", why, advice, optional=True)


def _program(name: str, why: str, advice: str) -> Finding:
    found = shutil.which(name)
    if found is None:
        return Finding(name, False, "absent", why, advice, optional=True)
    return Finding(name, True, found, why, optional=True)


def _boards() -> Finding:
    boards = list_boards()
    advice = "" if boards else f"{_AGAIN}, or name board files by path"
    return Finding("boards", bool(boards), f"{len(boards)} known", "jobs name them", advice)

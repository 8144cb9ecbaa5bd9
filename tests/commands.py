"""The command line started from outside, as a user does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from forked import MAIN, run_forked
from limits import seconds

CHECKOUT = Path(__file__).resolve().parents[1]
MODEL = CHECKOUT / "configs" / "models" / "resnet8_digits_int8.tflite"
CUTS_ONLY = {"bands": False, "streams": False, "offline_plans": False}
Result = subprocess.CompletedProcess[str]
Job = Callable[..., Path]


def start(*args: object, cwd: Path, code: str = "") -> subprocess.Popen[str]:
    """Imports resolve from the checkout, wherever the command runs."""
    how = ["-c", code] if code else ["-m", "splitopt"]
    return subprocess.Popen(
        [sys.executable, *how, *map(str, args)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may ignore it
    )


def splitopt(*args: object, cwd: Path, code: str = MAIN) -> Result:
    """A run to its end; lines of progress, which a slow machine has more of, are left out.

    In a copy of this process; `started` is for what depends on how an interpreter starts.
    """
    environment = {"PYTHONPATH": str(CHECKOUT), "COLUMNS": "100"}
    return _read(run_forked(code, [*map(str, args)], cwd, environment, seconds(120)))


def started(*args: object, cwd: Path, code: str = "") -> Result:
    """The same by an interpreter of its own."""
    process = start(*args, cwd=cwd, code=code)
    stdout, stderr = process.communicate(timeout=seconds(120))
    return _read(subprocess.CompletedProcess(list(args), process.returncode, stdout, stderr))


def _read(done: Result) -> Result:
    assert "Traceback" not in done.stdout + done.stderr
    done.stderr = without_progress(done.stderr)
    return done


def without_progress(stderr: str) -> str:
    return re.sub(PROGRESS, "", stderr, flags=re.MULTILINE)


PROGRESS = r"^\[\d+ s\] .*\n"


def leftovers(out: Path) -> list[Path]:
    return [path for path in out.rglob("*") if path.is_file()] if out.exists() else []

"""kill -9 at random moments of a run and of a sweep: no process goes on, and the next start leaves
nothing of what was killed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import CHECKOUT, MODEL
from processes import all_gone

LONGEST_S = 6.0


def descendants(root: int) -> list[int]:
    """Of a process, by /proc: children of children, too."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found, wave = [], [root]
    while wave := [pid for pid, parent in parents.items() if parent in wave]:
        found += wave
    return found


def with_environment(mark: str) -> list[int]:
    """Processes that were started with this in their environment, whoever their parent is now."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
        except OSError:
            continue
    return found


def words_of(kind: str, home: Path) -> list[str]:
    (home / "job.yaml").write_text(
        json.dumps(
            {
                "model": {"path": str(MODEL)},
                "board": "corstone300_128k",
                "objective": {"minimise": "smallest"},
                "verify": {"inputs": 2},
            }
        )
    )
    (home / "sweep.yaml").write_text(
        json.dumps({"job": "job.yaml", "grid": {"budget_bytes": [60_000, 50_000, 40_000, 30_000]}})
    )
    file = {"run": ["job.yaml"], "sweep": ["sweep.yaml", "--workers", "2"]}[kind]
    return [sys.executable, "-m", "splitopt", kind, *file, "--out", "out"]


def kill_and_start_again(kind: str, kills: int, home: Path) -> None:
    moments, temporary = random.Random(kills), home / "temporary"
    temporary.mkdir()
    mark = f"SPLITOPT_TEST_KILLS={home}"
    environment = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "TMPDIR": str(temporary),
        "SPLITOPT_TEST_KILLS": str(home),
    }
    words = words_of(kind, home)
    for _ in range(kills):
        process = subprocess.Popen(
            words, cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0, LONGEST_S))
        children = descendants(process.pid)
        process.kill()
        process.wait()
        assert all_gone([*children, *with_environment(mark)])
    done = subprocess.run(words, cwd=home, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not [path for path in temporary.rglob("*") if path.is_file()]
    left = [path.name for path in (home / "out").rglob(".*")]
    assert not left
    assert not with_environment(mark)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
@pytest.mark.parametrize("kind", ["run", "sweep"])
def test_a_few_kills(kind: str, tmp_path: Path) -> None:
    kill_and_start_again(kind, 3 if kind == "run" else 2, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["run", "sweep"])
def test_fifty_kills_of_each(kind: str, tmp_path: Path) -> None:
    kill_and_start_again(kind, 50, tmp_path)

"""Fixtures of tests that start worker processes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from splitopt.base.owned_folder import scratch_home
from splitopt.runtime import worker_process


@pytest.fixture
def started(own_interpreters: None, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Process ids of all workers that the test starts."""
    pids: list[int] = []
    popen = worker_process.subprocess.Popen

    class Recorded(popen):
        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, **kwargs)
            pids.append(self.pid)

    monkeypatch.setattr(worker_process.subprocess, "Popen", Recorded)
    return pids


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where workers' folders go, so that a test can see them gone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return scratch_home()

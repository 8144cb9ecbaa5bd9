"""Fixtures of the tests of the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import MODEL, Job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Writes a job on the small model; keywords are further keys."""

    def write(name: str = "small", model: Path = MODEL, **keys: object) -> Path:
        settings: dict[str, object] = {
            "model": {"path": str(model)},
            "board": "corstone300_128k",
            "objective": {"minimise": "smallest"},
            "verify": {"inputs": 2},
            **keys,
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(json.dumps(settings))  # JSON is YAML
        return path

    return write

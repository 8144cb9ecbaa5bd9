"""The job that most tests of configuration begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
from job_files import MODEL, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a job: its two required keys, but for those that the text sets itself."""

    def write(text: str = "", name: str = "jobs/a.yaml") -> Path:
        required = {"model": f"model: {{path: {MODEL}}}\n", "board": "board: corstone300_128k\n"}
        lines = [line for key, line in required.items() if not text.startswith(f"{key}:")]
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines) + text, "utf-8")
        return path

    return write

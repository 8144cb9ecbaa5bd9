"""What the tests of explanations share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board without headroom."""
    path = tmp_path_factory.mktemp("board") / "bare.yaml"
    path.write_text("name: bare\nsram_bytes: 65536\nheadroom_bytes: 0\n")
    return path

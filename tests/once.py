"""What is made once for all processes of one run of the tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """The same for all processes of one run of the tests."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Path]) -> Path:
    """What `make` makes in the folder that it is given, and returns the path of; whoever asks first
    makes it, and nobody changes it."""
    home = shared_folder(factory) / name
    note = home / "made"
    with FileLock(f"{home}.lock"):
        if not note.exists():
            home.mkdir(exist_ok=True)
            note.write_text(str(make(home)))
    return Path(note.read_text())

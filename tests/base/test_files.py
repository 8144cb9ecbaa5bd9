"""Files that a user names: regular ones only, and never more than the limit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from splitopt.base.errors import ModelError, UsageError
from splitopt.base.files import open_file, read_file


def test_pipes_devices_and_folders_are_refused_at_once(tmp_path: Path) -> None:
    """A pipe without a writer is waited for, and /dev/zero has no end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/zero"), tmp_path):
        with pytest.raises(UsageError, match=f"^{path}: not a file"):
            read_file(path, 10)
        with pytest.raises(OSError, match="not a file"):
            open_file(path)


def test_the_limit_holds_and_what_fits_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(10))
    assert read_file(path, 10) == bytes(10)
    with pytest.raises(ModelError, match="larger than 9 bytes; not read; want a model"):
        read_file(path, 9, ModelError, "a model")
    with path.open("r+b") as file:
        file.truncate(1 << 43)  # sparse: no room on disk, and more than any RAM
    with pytest.raises(UsageError, match="larger than"):
        read_file(path, 1 << 40)


def test_what_has_no_size_is_bounded_too() -> None:
    """Files of /proc say that they hold nothing."""
    assert Path("/proc/self/maps").stat().st_size == 0
    with pytest.raises(UsageError, match="larger than 100 bytes"):
        read_file(Path("/proc/self/maps"), 100)


@pytest.mark.parametrize("name", ["absent", "nul\0nul", "a" * 300])
def test_what_cannot_be_opened_is_one_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_file(tmp_path / name, 10)

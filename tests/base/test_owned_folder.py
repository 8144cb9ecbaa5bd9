"""Folders of killed processes are deleted by the next; those of living ones never."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from splitopt.base import owned_folder as module
from splitopt.base.errors import ToolError
from splitopt.base.owned_folder import owned_folder, remove_orphans, scratch_folder, scratch_home

OWNER = """
import sys, time
from pathlib import Path
from splitopt.base.owned_folder import owned_folder
with owned_folder(Path(sys.argv[1]), "x-") as folder:
    (folder / "held").touch()
    print(folder, flush=True)
    time.sleep(60)
"""
UNSHARE = shutil.which("unshare")


def an_owner(home: Path, *before: str) -> tuple[subprocess.Popen[str], Path]:
    words = [*before, sys.executable, "-c", OWNER, str(home)]
    owner = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    return owner, Path(owner.stdout.readline().strip())


def test_a_folder_outlives_its_block_only_by_a_rename(tmp_path: Path) -> None:
    with owned_folder(tmp_path, "x-") as folder:
        (folder / "file").touch()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not list(tmp_path.iterdir())
    with owned_folder(tmp_path, "x-") as folder:
        folder.rename(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_what_the_killed_left_goes_and_what_the_living_hold_stays(tmp_path: Path) -> None:
    living, held = an_owner(tmp_path)
    killed, left = an_owner(tmp_path)
    (tmp_path / "y-other").mkdir()
    try:
        killed.kill()
        killed.wait()
        assert left.exists()
        remove_orphans(tmp_path, "x-")
        assert not left.exists()
        assert (held / "held").exists()
        assert (tmp_path / "y-other").exists()
    finally:
        living.kill()
        living.wait()
    remove_orphans(tmp_path, "x-")
    assert [path.name for path in tmp_path.iterdir()] == ["y-other"]


@pytest.mark.skipif(UNSHARE is None or os.getuid() != 0, reason="needs unshare and root")
def test_an_owner_in_another_container_lives(tmp_path: Path) -> None:
    """Its process id means another process here, or none."""
    owner, held = an_owner(tmp_path, str(UNSHARE), "--pid", "--fork", "--kill-child")
    try:
        if owner.poll() is not None or not held.name:
            pytest.skip("this machine allows no process namespaces")
        remove_orphans(tmp_path, "x-")
        assert (held / "held").exists()
    finally:
        owner.kill()
        owner.wait()


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    lost = []

    def make() -> None:
        for _ in range(20):
            remove_orphans(tmp_path, "x-")
            with owned_folder(tmp_path, "x-") as folder:
                (folder / "file").touch()
                remove_orphans(tmp_path, "x-")
                if not (folder / "file").exists():
                    lost.append(folder)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not lost
    assert not list(tmp_path.iterdir())


def test_scratch_lies_in_one_private_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    module._sweep_once.cache_clear()
    home = tmp_path / f"splitopt-{os.getuid()}"
    home.mkdir(mode=0o755)
    (home / "worker-left").mkdir()
    with scratch_folder("worker") as folder:
        assert folder.parent == home
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert not (home / "worker-left").exists()
    assert not list(home.iterdir())


def test_a_place_that_is_no_folder_of_ours_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"splitopt-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ToolError, match=r"not a folder of yours; set TMPDIR"):
        scratch_home()

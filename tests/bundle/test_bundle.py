"""Bundles appear whole or not at all, and are never written over."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from splitopt.base.errors import ToolError, UsageError
from splitopt.base.version import VERSION
from splitopt.bundle import folder
from splitopt.bundle.documents import json_text
from splitopt.bundle.folder import BundleFolder, manifest, new_bundle, sha256_of

CHECKOUT = Path(__file__).resolve().parents[2]


def made(out: Path, text: str) -> Path:
    with new_bundle(out, "job") as folder:
        folder.write_text("a.txt", text)
    assert folder.final is not None
    return folder.final


def test_a_bundle_has_its_name_only_when_complete(tmp_path: Path) -> None:
    with new_bundle(tmp_path / "deep" / "out", "job") as folder:
        folder.write_json("plan.json", {"ü": 1})
        (folder.pieces / "00.tflite").write_bytes(b"piece")
        assert folder.final is None
        partial, _ = sorted((tmp_path / "deep" / "out" / "job").iterdir())
        assert partial.name.startswith(".partial-")
    assert folder.final is not None
    assert list(folder.final.parent.iterdir()) == [folder.final]
    names = sorted(path.name for path in folder.final.rglob("*"))
    assert names == ["00.tflite", "pieces", "plan.json"]
    assert (folder.final / "plan.json").read_text("utf-8") == '{\n "ü": 1\n}\n'
    assert folder.final.stat().st_mode & 0o777 == 0o755, "not the 0700 of a temporary folder"


@pytest.mark.parametrize("error", [UsageError("x"), ValueError("x"), KeyboardInterrupt()])
def test_an_exception_leaves_nothing(error: BaseException, tmp_path: Path) -> None:
    def fail(folder: BundleFolder) -> None:
        folder.write_text("a.txt", "half")
        raise error

    with pytest.raises(type(error)), new_bundle(tmp_path, "job") as folder:
        fail(folder)
    assert folder.final is None
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    def fill(folder: BundleFolder) -> None:
        folder.write_text("a.txt", "half")
        raise OSError(28, "No space left on device", str(folder.folder / "b.txt"))

    says = r"b\.txt: .*\(No space left on device\)"
    with pytest.raises(ToolError, match=says) as caught, new_bundle(tmp_path, "job") as folder:
        fill(folder)
    assert caught.value.exit_code == 5
    assert not list(tmp_path.iterdir())


def test_a_killed_run_leaves_no_final_folder(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from splitopt.bundle.folder import new_bundle\n"
        "with new_bundle(Path(sys.argv[1]), 'job') as folder:\n"
        "    folder.write_text('a.txt', 'half')\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    left, lock = sorted((tmp_path / "job").iterdir())
    assert left.name.startswith(".partial-")
    assert made(tmp_path, "next").parent == left.parent
    assert not left.exists(), "its process is gone: nobody will finish it"
    assert not lock.exists()


def test_runs_of_one_second_get_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Stopped:
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    monkeypatch.setattr(folder, "datetime", Stopped)
    folders = [made(tmp_path, str(number)) for number in range(3)]
    stamp = "20260102-030405"
    assert [folder.name for folder in folders] == [stamp, f"{stamp}-1", f"{stamp}-2"]
    assert [(folder / "a.txt").read_text() for folder in folders] == ["0", "1", "2"]


def test_a_name_that_is_taken_at_the_last_moment_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process claims the name between the look and the rename."""
    rename, races = folder.os.rename, []

    def raced(partial: Path, final: Path) -> None:
        if not races:
            races.append(final)
            final.mkdir()
            (final / "theirs").touch()
        rename(partial, final)

    monkeypatch.setattr(folder.os, "rename", raced)
    with new_bundle(tmp_path, "job") as bundle:
        bundle.last = lambda final: bundle.write_text("own.txt", str(final))
    mine = bundle.final
    assert mine is not None
    assert mine.name == f"{races[0].name}-1"
    assert [path.name for path in races[0].iterdir()] == ["theirs"]
    assert (mine / "own.txt").read_text() == str(mine)


@pytest.mark.parametrize("below", ["", "deeper"])
def test_an_out_that_cannot_be_written_is_exit_code_5(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ToolError, match=r"cannot be written .*pass another --out") as caught:
        made(tmp_path / "file" / below, "x")
    assert caught.value.exit_code == 5
    assert (tmp_path / "file").read_text() == "kept"


def test_the_manifest_names_files_inputs_and_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/splitopt", "run", "a.yaml"])
    source = tmp_path / "model"
    source.write_bytes(b"model")
    folder = tmp_path / "bundle"
    (folder / "pieces").mkdir(parents=True)
    (folder / "plan.json").write_bytes(b"{}")
    (folder / "pieces" / "00.tflite").write_bytes(b"piece")
    found = json.loads(json_text(manifest(folder, 7, {"model": source})))
    assert found["files"] == {
        "pieces/00.tflite": sha256_of(b"piece"),
        "plan.json": sha256_of(b"{}"),
    }
    assert found["inputs"] == {"model": {"path": str(source), "sha256": sha256_of(b"model")}}
    assert found["command"] == ["splitopt", "run", "a.yaml"]
    assert found["seed"] == 7
    assert found["versions"]["splitopt"] == VERSION
    assert "absent" not in found["versions"].values()
    assert sha256_of(b"").startswith("e3b0c44298fc1c14"), "SHA-256 of nothing (FIPS 180-4)"


def test_what_a_killed_run_left_is_swept_by_the_next(tmp_path: Path) -> None:
    abandoned = tmp_path / "job" / ".partial-999999999-x"
    abandoned.mkdir(parents=True)
    with new_bundle(tmp_path, "job") as ours:
        made(tmp_path, "another run of this moment")
        assert ours.folder.exists()
        assert not abandoned.exists()
    assert len(list((tmp_path / "job").iterdir())) == 2

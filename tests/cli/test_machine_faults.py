"""A full disk, folders that cannot be written, bombs, seeds of hashes: what was right stays so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from commands import CHECKOUT, MODEL, Job, leftovers, splitopt, started

CHANCE = {"wall_s", "solver_s", "plan", "shared_from"}
"""Of a row: seconds, and which of two neighbours was solved first."""


def limited(blocks: int, *words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command none of whose files may grow beyond so many blocks of 512 or 1,024 bytes."""
    line = f'ulimit -f {blocks}; exec "$@"'
    return subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, "-m", "splitopt", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("blocks", [0, 4, 40])
def test_a_full_disk_is_exit_code_5_and_leaves_no_bundle(
    blocks: int, job: Job, tmp_path: Path
) -> None:
    done = limited(blocks, "run", job(), "--no-verify", cwd=tmp_path)
    assert done.returncode == 5, done
    assert done.stderr.splitlines()[-1].startswith("error: "), "behind progress, if any"
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not leftovers(tmp_path / "results")


@pytest.mark.parametrize("command", ["run", "sweep", "report", "export", "boards"])
def test_a_folder_that_nobody_may_write_is_exit_code_5(
    command: str, job: Job, tmp_path: Path
) -> None:
    """/proc takes no folders, not even from root."""
    job()
    (tmp_path / "sweep.yaml").write_text(
        json.dumps({"job": "small.yaml", "grid": {"budget_bytes": [60_000]}})
    )
    bundle = tmp_path / "out"
    if command in ("report", "export"):
        done = splitopt("run", "small.yaml", "--out", "runs", "--no-verify", cwd=tmp_path)
        [bundle] = (tmp_path / "runs" / "small").iterdir()
    words = {
        "run": ["run", "small.yaml", "--no-verify"],
        "sweep": ["sweep", "sweep.yaml", "--workers", "1"],
        "report": ["report", bundle],
        "export": ["export", bundle],
        "boards": ["boards"],
    }
    done = splitopt(*words[command], "--out", "/proc/nowhere", cwd=tmp_path)
    assert done.returncode == 5, done
    assert "cannot be written" in done.stderr


def test_a_zip_bomb_is_refused_by_its_header(job: Job, tmp_path: Path) -> None:
    """A header that claims 4 GiB, over data that would go on: refused before it is unpacked."""
    header = b"\x93NUMPY\x01\x00\x76\x00{'descr': '|i1', 'fortran_order': False, 'shape': (64, "
    header += b"67108864), }"
    header = header.ljust(127) + b"\n"
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w", force_zip64=True) as member,
    ):
        member.write(header)
        for _ in range(64):
            member.write(bytes(1 << 20))
    done = splitopt("run", job(verify={"data": "bomb.npz"}), cwd=tmp_path)
    assert done.returncode == 2, done
    assert "want at most" in done.stderr


@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "sparse"])
@pytest.mark.parametrize("key", ["cost_table", "model", "data", "pack"])
def test_no_file_that_a_job_names_is_waited_for(
    name: str, key: str, job: Job, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10 << 30)
    keys = {
        "cost_table": {"cost_table": name},
        "model": {"model": Path(name if name[0] == "/" else tmp_path / name)},
        "data": {"verify": {"data": name}},
        "pack": {},
    }
    words = ["pack", name] if key == "pack" else ["run", job(**keys[key])]
    done = splitopt(*words, cwd=tmp_path)
    assert done.returncode == 2, done


def test_plans_are_the_same_for_every_hash_seed_and_worker_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "job.yaml").write_text(
        json.dumps({"model": {"path": str(MODEL)}, "board": "corstone300_128k"})
    )
    (tmp_path / "sweep.yaml").write_text(
        json.dumps({"job": "job.yaml", "grid": {"budget_bytes": [60_000, 40_000]}})
    )
    found = set()
    for seed, workers in (("0", 1), ("4711", 2)):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        out = f"out{seed}"
        done = started(
            "sweep", "sweep.yaml", "--workers", workers, "--out", out, "--json", cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        rows = (tmp_path / json.loads(done.stdout)["run_dir"] / "records.jsonl").read_text()
        lines = [json.loads(line) for line in rows.splitlines()]
        kept = [{k: v for k, v in row.items() if k not in CHANCE} for row in lines]
        found.add(json.dumps(kept, sort_keys=True))
    assert len(found) == 1

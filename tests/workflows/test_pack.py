"""splitopt pack: untrusted CSV files, plans that a checker of its own accepts."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from commands import Result, splitopt

from splitopt.base.errors import UsageError
from splitopt.solvers.packing.plan import PackingPlan
from splitopt.workflows.pack import plan_text, read_instance

SOUND = 'id,lower,upper,size\na,0,10,4\nb,10,20,4\n"c,d",5,15,6\ne,1000000,2000000,3\n'


def pack(*args: object, cwd: Path) -> Result:
    return splitopt("pack", *args, cwd=cwd)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "b.csv").write_text(SOUND)
    return tmp_path / "b.csv"


def test_a_plan_is_printed_and_written(file: Path, tmp_path: Path) -> None:
    done = pack(file, "--capacity", 10, "--json", "--out", "plan", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    shown = json.loads(done.stdout)
    assert (shown["status"], shown["mark_bytes"], shown["bound_bytes"]) == ("OPTIMAL", 10, 10)
    with (tmp_path / "plan" / "plan.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["id"] for row in rows] == ["a", "b", "c,d", "e"]
    for k, one in enumerate(rows):
        for other in rows[k + 1 :]:
            apart_in_time = int(one["upper"]) <= int(other["lower"]) or int(other["upper"]) <= int(
                one["lower"]
            )
            ends = [(int(r["offset"]), int(r["offset"]) + int(r["size"])) for r in (one, other)]
            assert apart_in_time or ends[0][1] <= ends[1][0] or ends[1][1] <= ends[0][0]
    assert pack(file, "--out", "plan", cwd=tmp_path).returncode == 2  # nothing is overwritten


def test_what_cannot_fit_is_exit_code_3(file: Path, tmp_path: Path) -> None:
    done = pack(file, "--capacity", 9, cwd=tmp_path)
    assert done.returncode == 3
    assert "does not fit 9 bytes (proved" in done.stderr
    assert "10 bytes are alive at once" in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: got the columns ''"),
        ("id,lower,upper\na,0,1\n", "line 1: got the columns 'id,lower,upper'"),
        ("id,lower,upper,size\n", "holds no buffers"),
        ("id,lower,upper,size\na,0,1\n", "line 2: got 3 cells, want 4"),
        ("id,lower,upper,size\na,0,1,-4\n", "line 2: size: got '-4'"),
        ("id,lower,upper,size\na,0,1,1e3\n", "line 2: size: got '1e3'"),
        ("id,lower,upper,size\na,1,1,3\n", "line 2: lower 1 is not below upper 1"),
        (f"id,lower,upper,size\na,0,1,{'9' * 5000}\n", "line 2: size"),
    ],
)
def test_a_broken_file_is_refused(text: str, says: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(UsageError, match=says):
        read_instance(file, None)


def test_other_columns_and_their_order_are_no_matter(file: Path) -> None:
    file.write_text("size,id,hint,upper,lower\n4,a,7,10,0\n")
    named = read_instance(file, 8)
    assert named.rows == ((0, 10, 4),)
    assert named.instance.capacity == 8
    assert plan_text(named, PackingPlan((3,))) == ("id,lower,upper,size,offset\na,0,10,4,3\n")


def test_noise_and_folders_are_refused(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not a CSV file"):
        read_instance(file, None)
    with pytest.raises(UsageError, match="not a file"):
        read_instance(tmp_path, None)

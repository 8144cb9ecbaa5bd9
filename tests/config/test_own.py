"""What a job from elsewhere may not do: start programs, and write outside the working folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from commands import MODEL, splitopt

from splitopt import Job, read_job
from splitopt.base.errors import UsageError
from splitopt.config.own import own_config_path, results_folder
from splitopt.config.target import TargetSpec
from splitopt.runtime.simulator import simulator_of

ASKING = {
    "$.convert.command": {"convert": {"command": ["touch", "touched"]}},
    "$.target.executable": {"target": {"simulator": "qemu", "executable": "./qemu"}},
    "$.target.arguments": {
        "target": {"simulator": "qemu", "arguments": ["-netdev", "user,guestfwd=tcp::1-cmd:id"]}
    },
}


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return own_config_path()


def a_job(folder: Path, name: str = "job", **keys: object) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(
        json.dumps({"model": {"path": str(MODEL)}, "board": "corstone300_128k", **keys})
    )
    return path


def configure(own: Path, **keys: object) -> None:
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(json.dumps(keys))


@pytest.mark.parametrize("key", ASKING)
def test_a_program_in_a_job_is_refused_by_its_key(key: str, tmp_path: Path, own: Path) -> None:
    job = a_job(tmp_path, **ASKING[key])
    with pytest.raises(UsageError) as caught:
        read_job(job)
    assert key in str(caught.value)
    assert "--allow-commands" in str(caught.value)
    read_job(job, allow_commands=True)
    configure(own, allow_commands=True)
    read_job(job)


def test_a_job_made_in_python_is_asked_too() -> None:
    made = {"model": MODEL, "board": "corstone300_128k", **ASKING["$.convert.command"]}
    with pytest.raises(UsageError, match=r"\$\.convert\.command"):
        Job.of(**made)
    assert Job.of(allow_commands=True, **made).spec.convert.command == ("touch", "touched")


def test_ones_own_tools_are_used_and_may_be_named(tmp_path: Path, own: Path) -> None:
    configure(own, tools={"qemu": "./qemu", "onnx2tf": ["touch", "touched"]})
    read_job(a_job(tmp_path, **ASKING["$.target.executable"]))
    read_job(a_job(tmp_path, **ASKING["$.convert.command"]))
    with pytest.raises(UsageError, match=r"arguments"):
        read_job(a_job(tmp_path, **ASKING["$.target.arguments"]))
    assert simulator_of(TargetSpec(simulator="qemu")).executable == "./qemu"
    assert simulator_of(TargetSpec(simulator="qemu", executable="/q")).executable == "/q"


def test_a_broken_configuration_is_named(tmp_path: Path, own: Path) -> None:
    configure(own, allow_command=True)
    with pytest.raises(UsageError, match=r"config\.yaml: \$\.allow_command: unknown key; did you"):
        read_job(a_job(tmp_path, **ASKING["$.convert.command"]))


@pytest.mark.parametrize("command", ["run", "explain", "sweep", "time", "calibrate"])
def test_every_command_refuses_and_starts_nothing(command: str, tmp_path: Path) -> None:
    marker = tmp_path / "started"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    target = {"simulator": "qemu", "executable": str(program)}
    job = a_job(tmp_path, target=target)
    (tmp_path / "target.yaml").write_text(json.dumps(target))
    (tmp_path / "sweep.yaml").write_text(
        json.dumps({"job": str(job), "grid": {"budget_bytes": [60_000]}})
    )
    words = {
        "run": ["run", job],
        "explain": ["explain", job],
        "sweep": ["sweep", "sweep.yaml"],
        "time": ["time", tmp_path, "--target", "target.yaml"],
        "calibrate": ["calibrate", "--target", "target.yaml", "--out", "out"],
    }
    done = splitopt(*words[command], "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert "executable" in json.loads(done.stdout)["error"]
    assert not marker.exists()


PLACES = {
    "results": True,
    "a/b": True,
    ".": True,
    "a/../b": True,
    "..": False,
    "a/../../b": False,
    "/tmp/elsewhere": False,
    "link/below": False,
}


@pytest.mark.parametrize("asked", PLACES)
def test_results_stay_below_the_working_folder(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "link").symlink_to(tmp_path)
    monkeypatch.chdir(here)
    if PLACES[asked]:
        assert results_folder(asked, None, "job.yaml") == Path(asked)
    else:
        with pytest.raises(UsageError, match=r"^job\.yaml: \$\.out: .*only with --out"):
            results_folder(asked, None, "job.yaml")
    assert results_folder(asked, "/given", "job.yaml") == Path("/given")


@pytest.mark.parametrize(("kind", "name"), [("run", "job"), ("sweep", "sweep")])
def test_a_file_that_writes_elsewhere_is_refused_before_work(
    kind: str, name: str, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    a_job(here, out="../elsewhere")
    (here / "sweep.yaml").write_text(
        json.dumps({"job": "job.yaml", "grid": {"budget_bytes": [60_000]}, "out": "../elsewhere"})
    )
    done = splitopt(kind, f"{name}.yaml", cwd=here)
    assert done.returncode == 2
    assert f"{name}.yaml: $.out: got '../elsewhere'" in done.stderr
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "", "line\nend", "\u202eleft", "x" * 250])
def test_names_that_are_no_folders_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="as the name of a folder"):
        Job.of(model=MODEL, board="corstone300_128k", name=name)


@pytest.mark.parametrize("name", ["...yaml", ".kws.yaml", "two\nlines.yaml"])
def test_job_files_of_such_names_write_nothing(name: str, tmp_path: Path) -> None:
    path = a_job(tmp_path)
    path.rename(tmp_path / name)
    done = splitopt("run", tmp_path / name, "--out", "out", "--no-verify", cwd=tmp_path)
    assert done.returncode == 2, done
    assert "as the name of a folder" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


def test_a_name_that_is_not_utf_8_is_one_sentence(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.yaml"
    a_job(tmp_path).rename(os.fsdecode(path))
    done = splitopt("run", os.fsdecode(path), "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert "not UTF-8" in json.loads(done.stdout)["error"]

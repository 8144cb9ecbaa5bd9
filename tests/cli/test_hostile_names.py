"""Names out of files of others, in every field and through every command: none reaches a terminal,
a document or a compiler as it is."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from builder import Builder
from commands import CUTS_ONLY, splitopt

from splitopt import Job
from splitopt.workflows.export.exported import export_bundle
from splitopt.workflows.run import run_job

HOSTILE = "=cmd()\x1b]0;t\x07\x1b[31m\u202e<b>|`\nint injected = 1; \\"
STEERING = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def hostile_model() -> bytes:
    builder = Builder()
    tensors = [builder.tensor([1, 64]) for _ in range(4)]
    for index, tensor in enumerate(tensors):
        builder.graph.tensors[tensor].name = f"{HOSTILE}{index}".encode()
    builder.graph.name = HOSTILE.encode()
    builder.model.description = HOSTILE.encode()
    for source, out in itertools.pairwise(tensors):
        builder.relu(source, out)
    return builder.bytes([tensors[0]], [tensors[-1]])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model, and a run of it."""
    home = tmp_path_factory.mktemp("hostile")
    (home / "m.tflite").write_bytes(hostile_model())
    job = Job.of(
        model=home / "m.tflite",
        board="corstone300_64k",
        objective={"minimise": "smallest"},
        pieces=CUTS_ONLY,
        verify={"inputs": 1},
    )
    run_job(job, out=home / "results").folder.rename(home / "run")
    (home / "job.yaml").write_text(
        json.dumps({"model": {"path": "m.tflite"}, "board": "corstone300_64k"})
    )
    (home / "sweep.yaml").write_text(
        json.dumps({"job": "job.yaml", "grid": {"budget_bytes": [40_000, 8]}})
    )
    (home / "b.csv").write_text(f'id,lower,upper,size\n"{HOSTILE.splitlines()[0]}",0,1,4\n')
    return home


def planted(data: Any) -> Any:
    """The document with every free text in it hostile: names, types, notes."""
    if isinstance(data, dict):
        return {
            key: HOSTILE
            if isinstance(value, str) and key in ("name", "type", "tensor_name", "note", "floor")
            else planted(value)
            for key, value in data.items()
        }
    return [planted(item) for item in data] if isinstance(data, list) else data


@pytest.fixture
def edited(made: Path, tmp_path: Path) -> Path:
    """The run, with its documents planted and a manifest that does not tell."""
    folder = tmp_path / "bundle"
    shutil.copytree(made / "run", folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": {}}))
    plan = json.loads((folder / "plan.json").read_text())
    board = plan["board"]["name"]
    plan = planted(plan)
    plan["board"]["name"] = board  # names of boards have a pattern of their own
    plan["job"]["path"] = HOSTILE
    (folder / "plan.json").write_text(json.dumps(plan))
    return folder


def fit(text: str) -> None:
    assert not STEERING.search(text), ascii(text)


COMMANDS = {
    "explain a model": ["explain", "m.tflite", "--board", "corstone300_64k"],
    "explain a run": ["explain", "run"],
    "run": ["run", "job.yaml", "--out", "{out}"],
    "no plan": ["run", "job.yaml", "--out", "{out}", "--budget", "8"],
    "sweep": ["sweep", "sweep.yaml", "--out", "{out}", "--workers", "1"],
    "report": ["report", "run", "--out", "{out}"],
    "export": ["export", "run", "--out", "{out}"],
    "compare": ["compare", "run", "run"],
    "compare for Markdown": ["compare", "run", "run", "--markdown"],
    "runs": ["runs", "--results", "."],
    "pack": ["pack", "b.csv", "--out", "{out}"],
}


@pytest.mark.parametrize(
    ("command", "as_json"),
    [
        (command, as_json)
        for command, words in COMMANDS.items()
        for as_json in (False, True)
        if not (as_json and "--markdown" in words)
    ],
)
def test_names_of_a_model_through(command: str, as_json: bool, made: Path, tmp_path: Path) -> None:
    words = [word.format(out=tmp_path / "out") for word in COMMANDS[command]]
    done = splitopt(*words, *(["--json"] if as_json else []), cwd=made)
    assert done.returncode in (0, 3), done.stderr
    fit(done.stdout + done.stderr)
    if as_json:
        json.loads(done.stdout)
    for path in (tmp_path / "out").rglob("*"):
        if path.suffix in (".txt", ".json", ".jsonl", ".csv", ".html", ".svg", ".md", ".h", ".cc"):
            fit(path.read_text("utf-8").replace("\r", "\x00"))
        if path.suffix == ".csv":
            cells = [cell for line in path.read_text().splitlines() for cell in line.split(",")]
            assert not [cell for cell in cells if re.match(r'"?[=@]', cell)]


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "{bundle}", "--out", "{out}"],
        ["report", "{bundle}", "--out", "{out}"],
        ["compare", "{bundle}", "run"],
        ["compare", "{bundle}", "run", "--markdown"],
        ["runs", "--results", "{bundle}/.."],
        ["export", "{bundle}", "--out", "{out}"],
        ["time", "{bundle}"],
    ],
)
def test_names_of_a_bundle_through(
    words: list[str], edited: Path, made: Path, tmp_path: Path
) -> None:
    done = splitopt(*(word.format(bundle=edited, out=tmp_path / "out") for word in words), cwd=made)
    fit(done.stdout + done.stderr)
    assert done.returncode == 0 or (words[0], done.returncode) == ("time", 5), done.stderr
    for path in (tmp_path / "out").rglob("*"):
        if path.suffix in (".txt", ".json", ".csv", ".html", ".svg", ".md", ".h", ".cc"):
            text = path.read_text("utf-8")
            fit(text)
            assert "<b>" not in text or path.suffix not in (".html", ".svg")


@pytest.mark.parametrize("name", [HOSTILE, "kws\\", "kws??/", "kws\r\nint injected;", "é\u2028x"])
def test_a_job_s_name_does_not_leave_its_comment(name: str, edited: Path, tmp_path: Path) -> None:
    """A line end in it put code into a header that firmware includes."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no host compiler")
    plan = json.loads((edited / "plan.json").read_text())
    plan["job"]["name"] = name
    (edited / "plan.json").write_text(json.dumps(plan))
    out = tmp_path / "out"
    export_bundle(edited, out)
    for header in (*out.glob("*_model.h"), *out.glob("*_model.cc")):
        text = re.sub(r"(?m)^#include.*$", "", header.read_text())
        done = subprocess.run(
            [compiler, "-std=c++11", "-trigraphs", "-E", "-P", "-x", "c++", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        assert not re.search(r"\binjected\b", done.stdout)
        assert "namespace" in done.stdout

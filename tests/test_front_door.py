"""What `import splitopt` gives: names loaded when used, jobs without files, typed results."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import splitopt
from splitopt.base.text import html_table
from splitopt.bundle.documents import dump

CHECKOUT = Path(__file__).resolve().parents[1]
MODEL = CHECKOUT / "configs" / "models" / "squeeze_digits_int8.tflite"
JOB = CHECKOUT / "configs" / "jobs" / "squeeze_digits.yaml"
WITH_EXAMPLES = sorted(
    path.relative_to(CHECKOUT)
    .with_suffix("")
    .as_posix()
    .removesuffix("/__init__")
    .replace("/", ".")
    for path in (CHECKOUT / "splitopt").rglob("*.py")
    if ">>> " in path.read_text("utf-8")
)


def in_a_new_process(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_bare_import_loads_nothing_heavy() -> None:
    """Every worker process imports splitopt."""
    code = "import sys, splitopt; print(*sys.modules)"
    loaded = {name.split(".")[0] for name in in_a_new_process(code).split()}
    assert "splitopt" in loaded
    assert not loaded & {"ortools", "numpy", "pydantic", "yaml", "networkx", "rich", "typer"}


def test_every_name_is_there_typed_and_listed() -> None:
    assert dir(splitopt) == splitopt.__all__ == sorted(splitopt.__all__)
    for name in splitopt.__all__:
        assert getattr(splitopt, name) is not None
    [typed] = [node for node in parsed().body if isinstance(node, ast.If)]
    imported = {
        name.asname or name.name
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert imported | {"__version__"} == set(splitopt.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = splitopt.nothing


def parsed() -> ast.Module:
    return ast.parse((CHECKOUT / "splitopt" / "__init__.py").read_text("utf-8"))


def test_explain_is_a_function_and_a_package_whichever_is_used_first() -> None:
    for first in ("splitopt.explain", "import splitopt.explain.run"):
        code = f"import splitopt; {first}; print(callable(splitopt.explain))\n"
        code += "import splitopt.explain.run as run; print(run is splitopt.explain.run)"
        assert in_a_new_process(code).split() == ["True", "True"]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_in_docstrings(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CHECKOUT)
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted > 0
    assert found.failed == 0


def test_the_functions_of_the_front_door_have_examples() -> None:
    documented = set(WITH_EXAMPLES)
    for name in ("Job", "plan", "read_job", "run", "sweep"):
        assert getattr(splitopt, name).__module__ in documented
    assert {"splitopt", "splitopt.workflows.explain"} <= documented


def test_a_job_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same plan as the job's file gives; paths are from the working folder."""
    from_file = splitopt.read_job(JOB)
    keys = {"name": "mine", "sram_bytes": 65536, "reserved_bytes": 8192}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.tflite").symlink_to(MODEL)
    (tmp_path / "mine.yaml").write_text(json.dumps(keys))
    board = splitopt.Board.model_validate(keys)
    wanted = splitopt.plan(from_file)
    aim = {"minimise": "smallest"}
    for place in ("corstone300_64k", from_file.board, keys, board, Path("mine.yaml")):
        job = splitopt.Job.of(model="net.tflite", board=place, budget_bytes=52_000, objective=aim)
        assert (job.name, job.budget_bytes, job.board.headroom_bytes) == ("net", 52_000, 1024)
        planned = splitopt.plan(job)
        assert planned.segments == wanted.segments
        assert planned.peak_ram_bytes == wanted.peak_ram_bytes


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"board": "corstone"}, r"^Job\.of: \$\.board: no board 'corstone'"),
        ({"pices": {"max": 2}}, r"^Job\.of: \$\.pices: unknown key; did you mean 'pieces'"),
        ({"budget_bytes": "64kB"}, r"^Job\.of: \$\.budget_bytes: got '64kB'.*\(write 65536\)"),
        ({"budget_bytes": 65_537}, r"^Job\.of: \$\.budget_bytes: got 65537, want at most"),
        ({"target": "gpu"}, r"^Job\.of: \$\.target: got 'gpu'"),
    ],
)
def test_a_wrong_job_says_where(keys: dict[str, object], says: str) -> None:
    with pytest.raises(splitopt.UsageError, match=says):
        splitopt.Job.of(**{"model": MODEL, "board": "corstone300_64k", **keys})


def test_a_plan_that_does_not_fit_is_an_error_of_its_own() -> None:
    job = splitopt.Job.of(model=MODEL, board="corstone300_64k", budget_bytes=4096)
    with pytest.raises(splitopt.InfeasibleError, match="smallest feasible budget is 12,320 B"):
        splitopt.plan(job)


def test_a_job_file_may_be_named_by_its_path() -> None:
    assert (
        splitopt.plan(str(JOB)).peak_ram_bytes
        == splitopt.plan(splitopt.read_job(JOB)).peak_ram_bytes
    )
    with pytest.raises(splitopt.UsageError, match=r"nope\.yaml"):
        splitopt.plan("nope.yaml")


def test_planning_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    splitopt.sweep(splitopt.Job.of(model=MODEL, board="corstone300_64k"))
    splitopt.plan(splitopt.read_job(JOB))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> splitopt.RunResult:
    job = splitopt.Job.of(model=MODEL, board="corstone300_64k", name="mine")
    return splitopt.run(job, out=tmp_path_factory.mktemp("out"))


def test_a_run_is_shown_and_read_back(result: splitopt.RunResult) -> None:
    assert result.folder.parent.name == "mine"
    said = "52,944 B unsplit, 15,872 B in 5 pieces, OPTIMAL, 3 of 3 checks passed"
    assert repr(result) == f"<RunResult {said}; {result.folder}>"
    assert said in result._repr_html_()
    assert result._repr_html_().count("<tr>") == 1 + len(result.plan.segments)
    read = splitopt.load_bundle(result.folder)
    assert dump(read.plan) == dump(result.document)
    with pytest.raises(splitopt.UsageError, match="no such folder"):
        splitopt.load_bundle(result.folder / "absent")


def test_a_run_is_explained(result: splitopt.RunResult) -> None:
    assert not splitopt.explain(result.folder).has_faults
    with pytest.raises(splitopt.UsageError, match="a bundle has its own"):
        splitopt.explain(result.folder, "corstone300_64k")
    with pytest.raises(splitopt.UsageError, match="want --board"):
        splitopt.explain(MODEL)


def test_memory_maps_are_svg(result: splitopt.RunResult) -> None:
    maps = result.memory_maps()
    assert len(maps) == len(result.plan.segments)
    for drawn in maps:
        assert is_svg_with_style(drawn._repr_svg_())


def is_svg_with_style(text: str) -> bool:
    from xml.etree import ElementTree

    root = ElementTree.fromstring(text)
    style = root.findtext("{http://www.w3.org/2000/svg}style")
    return root.tag.endswith("svg") and style is not None and "fill" in style


def test_a_front_of_a_job_is_that_of_a_sweep_file(tmp_path: Path) -> None:
    front = splitopt.sweep(splitopt.read_job(JOB))
    file = tmp_path / "all.yaml"
    file.write_text(f"job: {JOB}\ngrid: {{budget_bytes: auto}}\n")
    swept = splitopt.sweep(file, out=str(tmp_path / "out"), workers=1)
    [same] = swept.fronts
    assert (same.board, same.is_complete) == (front.board, front.is_complete)
    keys = {"peak_ram_bytes", "added_insn", "pieces", "cuts", "status", "exact"}
    plans, wanted = ([p.model_dump(include=keys) for p in f.points] for f in (same, front))
    assert plans == wanted
    assert Path(same.model).samefile(front.model)

    assert not front.notes
    peaks = [point.peak_ram_bytes for point in front.points]
    assert peaks == sorted(peaks, reverse=True)
    assert (front.unsplit_ram_bytes, peaks[0], peaks[-1]) == (52_944, 52_944, 12_320)
    assert f"{len(peaks)} plans, 52,944 B down to 12,320 B" in repr(front)
    assert front._repr_html_().count("<tr>") == 1 + len(peaks)
    assert is_svg_with_style(front.chart().svg)


def test_tables_of_notebooks_are_escaped() -> None:
    shown = html_table("<a>", ("<b>", "c"), [("<script>", '"&')])
    assert "<script>" not in shown
    assert "&lt;a&gt;" in shown
    assert "&lt;script&gt;" in shown
    assert "&quot;&amp;" in shown

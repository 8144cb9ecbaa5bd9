"""The index of a folder of results: what is found, in which order, and what is broken."""

from __future__ import annotations

import json
import shutil
import webbrowser
from pathlib import Path
from typing import Any

import pytest
import typer
from sweep_files import ROW, SWEEP, UNPLANNED
from typer.testing import CliRunner

from splitopt.base.errors import ToolError, UsageError
from splitopt.bundle import run_index
from splitopt.bundle.run_index import Filter, IndexEntry, in_order, index_of, parse_since, report_of
from splitopt.cli.runs import runs
from splitopt.config.job import read_job
from splitopt.workflows.run import run_job

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"


@pytest.fixture(scope="session")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    job = folder / "digits.yaml"
    model = MODELS / "resnet8_digits_int8.tflite"
    job.write_text(
        f"model: {{path: {model}}}\nboard: corstone300_128k\n"
        "pieces: {bands: false, offline_plans: false, switching: [rebuild]}\n"
        "objective: {minimise: weighted}\n"
    )
    return run_job(read_job(job), out=folder / "out", verify=False).folder


def place(source: Path, folder: Path, date: str = "", **plan: Any) -> Path:
    """A copy of the run under another name, made on another day, with other figures."""
    shutil.copytree(source, folder)
    for file, change in (("plan.json", plan), ("manifest.json", {"created_utc": date})):
        document = json.loads((folder / file).read_text())
        job = change.pop("job", None)
        document |= {"job": {**document["job"], "name": job}} if job else {}
        (folder / file).write_text(json.dumps(document | (change if any(change.values()) else {})))
    return folder


@pytest.fixture
def results(tmp_path: Path, one_run: Path) -> Path:
    """Three runs, a sweep with a bundle of its own, three broken folders, and what is no run."""
    folder = tmp_path / "results"
    at = "2026-0{}-01T00:00:00+00:00".format
    place(one_run, folder / "a" / "20260101-000000", at(1), job="a", peak_ram_bytes=300)
    place(one_run, folder / "a" / "20260201-000000", at(2), job="a", peak_ram_bytes=100)
    place(one_run, folder / "b" / "20260301-000000", at(3), job="b", peak_ram_bytes=200)
    sweep = folder / "grid" / "20260401-000000"
    place(one_run, sweep / "bundles" / "0001" / "digits" / "20260401-000000")
    rows = [
        {**ROW, "id": f"{peak}", "board": "small", "peak_ram_bytes": peak, "proved": True}
        for peak in (50, 60)
    ]
    failed = {**ROW, **UNPLANNED, "model": None, "board": None, "status": "FAILED", "error": "no"}
    rows.append(failed)
    (sweep / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (sweep / "sweep.json").write_text(json.dumps({**SWEEP, "created_utc": at(4)}))
    (folder / "c" / "20260501-000000").mkdir(parents=True)
    (folder / "d" / "named").mkdir(parents=True)
    (folder / "d" / "named" / "plan.json").write_text("<script>")
    (folder / "e" / "20260601-000000").mkdir(parents=True)
    with (folder / "e" / "20260601-000000" / "plan.json").open("wb") as file:
        file.truncate(1 << 30)
    place(one_run, folder / "a" / ".partial-1-x")
    (folder / "README.md").write_text("no run")
    (folder / "notes").mkdir()
    (folder / "loop").symlink_to(folder)
    return folder


def names(entries: Any) -> list[str]:
    return [entry.name for entry in entries]


def test_what_is_found(results: Path) -> None:
    index = index_of(results)
    assert index.is_whole
    assert {(e.kind, e.name) for e in index.entries} == {
        ("run", "a/20260101-000000"),
        ("run", "a/20260201-000000"),
        ("run", "b/20260301-000000"),
        ("sweep", "grid/20260401-000000"),
        ("broken", "c/20260501-000000"),
        ("broken", "d/named"),
        ("broken", "e/20260601-000000"),
    }
    by_name = {entry.name: entry for entry in index.entries}
    run = by_name["a/20260101-000000"]
    assert (run.job, run.board, run.peak_ram_bytes, run.pieces) == ("a", "corstone300_128k", 300, 3)
    assert (run.model, run.checks) == ("resnet8_digits_int8.tflite", "skipped")
    sweep = by_name["grid/20260401-000000"]
    assert (sweep.points, sweep.peak_ram_bytes, sweep.status) == (3, 50, "1 FAILED 2 OPTIMAL")
    assert (sweep.board, sweep.checks) == ("small", "passed")
    assert "larger than" in by_name["e/20260601-000000"].error
    assert "plan.json" in by_name["c/20260501-000000"].error


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(job="a"), {"a/20260101-000000", "a/20260201-000000"}),
        (Filter(job="GR*"), {"grid/20260401-000000"}),
        (Filter(board="small"), {"grid/20260401-000000"}),
        (Filter(model="m"), {"grid/20260401-000000"}),
        (Filter(model="resnet8*", job="b"), {"b/20260301-000000"}),
        (Filter(status="failed"), {"grid/20260401-000000"}),
        (Filter(status="broken"), {"c/20260501-000000", "d/named", "e/20260601-000000"}),
        (Filter(since=parse_since("2026-03-01"), job="?"), None),
        (
            Filter(failed=True),
            {"grid/20260401-000000", "c/20260501-000000", "d/named", "e/20260601-000000"},
        ),
    ],
)
def test_filters(results: Path, wanted: Filter, found: set[str] | None) -> None:
    want = found or {"b/20260301-000000", "c/20260501-000000", "d/named", "e/20260601-000000"}
    kept = {entry.name for entry in index_of(results).entries if wanted.keeps(entry)}
    assert kept == want


def test_order(results: Path) -> None:
    entries = [e for e in index_of(results).entries if e.name != "d/named"]
    dates = [name.split("/")[1] for name in names(in_order(entries, "date"))]
    assert dates == sorted(dates, reverse=True)
    assert [
        name.split("/")[1] for name in names(in_order(entries, "date", reverse=True))
    ] == sorted(dates)
    rising = [entry.peak_ram_bytes for entry in in_order(entries, "peak")]
    assert rising == [50, 100, 200, 300, None, None]
    falling = [entry.peak_ram_bytes for entry in in_order(entries, "peak", reverse=True)]
    assert falling == [300, 200, 100, 50, None, None]
    assert names(in_order(entries, "name")) == sorted(names(entries))
    assert names(in_order(entries, "added"))[-2:] == ["c/20260501-000000", "e/20260601-000000"]


def test_a_failed_check_is_found(one_run: Path, tmp_path: Path) -> None:
    folder = place(one_run, tmp_path / "r" / "a" / "1")
    (folder / "verify.json").write_text('{"status": "failed", "checks": []}')
    [entry] = index_of(tmp_path / "r").entries
    assert entry.has_failed


def test_bounds(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_index, "MOST_FOUND", 2)
    index = index_of(results)
    assert len(index.entries) == 2
    assert not index.is_whole
    monkeypatch.setattr(run_index, "MOST_FOUND", 100)
    monkeypatch.setattr(run_index, "MOST_FOLDERS", 3)
    assert not index_of(results).is_whole


def test_deep_folders_are_left_out(tmp_path: Path) -> None:
    deep = tmp_path.joinpath("results", *"abcdefghij")
    deep.mkdir(parents=True)
    (deep / "plan.json").write_text("{}")
    index = index_of(tmp_path / "results")
    assert (index.entries, index.is_whole) == ((), False)


def test_no_results(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        index_of(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    assert index_of(tmp_path / "empty").entries == ()


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", ""])
def test_wrong_dates(text: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        parse_since(text)


def test_reports(results: Path) -> None:
    folder = results / "b" / "20260301-000000"
    (folder / "report.html").unlink()
    with pytest.raises(UsageError, match=r"has no report\.html.*summary\.txt is there"):
        report_of(results, "b")
    (folder / "report.html").write_text("x")
    for name in ("b", "20260301-000000", "b/20260301-000000", "b/20260301-000000/", str(folder)):
        assert report_of(results, name) == folder / "report.html"
    with pytest.raises(UsageError, match="several: a/20260101-000000, a/20260201-000000"):
        report_of(results, "a")
    for name in ("x", "c", "d/named", ""):
        with pytest.raises(UsageError, match="no such run"):
            report_of(results, name)


def call(*args: object) -> Any:
    app = typer.Typer()
    app.command()(runs)
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_the_command(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = call("--results", results)
    assert shown.exit_code == 0, shown.output
    assert "7 of 7 in" in shown.output
    assert "BROKEN d/named: " in shown.output
    document = json.loads(
        call("--results", results, "--json", "--sort", "peak", "--limit", 2).output
    )
    assert (document["found"], document["matching"]) == (7, 7)
    assert [entry["peak_ram_bytes"] for entry in document["runs"]] == [50, 100]
    assert call("--results", results, "--sort", "size").exit_code == 2
    (results / "b" / "20260301-000000" / "report.html").write_text("x")
    opened = list[str]()

    def opens(uri: str) -> bool:
        opened.append(uri)
        return len(opened) < 2

    monkeypatch.setattr(webbrowser, "open", opens)
    plain = call("--results", results, "--open", "b")
    assert plain.output == f"{results}/b/20260301-000000/report.html\n"
    assert not opened
    call("--results", results, "--open", "b", "--browser")
    assert opened[0].startswith("file:///")
    failing = call("--results", results, "--open", "b", "--browser")
    assert isinstance(failing.exception, ToolError)
    assert isinstance(call("--results", results, "--browser").exception, UsageError)


def test_untrusted_names_do_not_steer_the_terminal(one_run: Path, tmp_path: Path) -> None:
    place(one_run, tmp_path / "r" / "a\x1b[31m" / "1", job="x\x1b[2J")
    assert "\x1b" not in call("--results", tmp_path / "r").output
    entry = IndexEntry("run", "p", "n", "j", created_utc="\x1b")
    assert not Filter(since=parse_since("2020-01-01")).keeps(entry)

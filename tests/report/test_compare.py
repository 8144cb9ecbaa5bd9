"""Two runs, or two sweeps, side by side: figures against plan.json, limits, broken folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from sweep_files import ROW, UNPLANNED
from typer.testing import CliRunner

from splitopt.base.errors import ThresholdError, UsageError
from splitopt.base.json_input import load_json
from splitopt.bundle.load import read_plan
from splitopt.bundle.run_record import read_run, record_of
from splitopt.bundle.thresholds import broken, parse_thresholds
from splitopt.cli.compare import compare
from splitopt.config.job import read_job
from splitopt.report.compare import Comparison, SweepComparison, compare_folders, compare_runs
from splitopt.report.text.compare import comparison_markdown, comparison_text, verdict
from splitopt.workflows.run import run_job

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"
CUTS_ONLY = "bands: false, streams: false, rolled_ends: false, offline_plans: false"
Edit = Callable[[dict[str, Any]], Any]


def job(folder: Path, name: str, more: str = "", model: str = "resnet8") -> Path:
    path = folder / f"{name}.yaml"
    file = MODELS / f"{model}_digits_int8.tflite"
    path.write_text(f"model: {{path: {file}}}\nboard: corstone300_128k\n{more}")
    return path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles by cuts only: the least peak (57,472 B in two pieces), the least time (57,696 B,
    unsplit), another model."""
    folder = tmp_path_factory.mktemp("runs")
    jobs = {
        "peak": job(
            folder,
            "peak",
            f"objective: {{minimise: smallest}}\npieces: {{{CUTS_ONLY}}}\n",
        ),
        "time": job(
            folder,
            "time",
            f"objective: {{minimise: fit}}\npieces: {{max: 3, {CUTS_ONLY}}}\n",
        ),
        "other": job(folder, "other", model="unet"),
    }
    out = folder / "out"
    return {k: run_job(read_job(p), out=out, verify=False).folder for k, p in jobs.items()}


def edited(folder: Path, source: Path, edit: Edit, file: str = "plan.json") -> Path:
    """A copy of a bundle with one of its files changed."""
    shutil.copytree(source, folder)
    document = json.loads((folder / file).read_text())
    edit(document)
    (folder / file).write_text(json.dumps(document))
    return folder


def runs(a: Path, b: Path, *limits: str) -> Comparison:
    found = compare_folders(a, b, parse_thresholds(limits))
    assert isinstance(found, Comparison)
    return found


def test_figures_are_those_of_the_plans(made: dict[str, Path]) -> None:
    found = runs(made["peak"], made["time"])
    plans = [json.loads((made[k] / "plan.json").read_text()) for k in ("peak", "time")]
    changes = {c.figure: c for c in found.changes}
    for key, figure in (("peak_ram_bytes", "peak_ram_bytes"), ("added_insn", "added_insn")):
        assert (changes[figure].before, changes[figure].after) == tuple(p[key] for p in plans)
    assert (changes["pieces"].before, changes["pieces"].after) == (2, 1)
    sizes = [
        sum(f.stat().st_size for f in (made[k] / "pieces").iterdir()) for k in ("peak", "time")
    ]
    assert [changes["file_bytes"].before, changes["file_bytes"].after] == sizes
    peak = changes["peak_ram_bytes"]
    assert (peak.before, peak.after, peak.absolute) == (57_472, 57_696, 224)
    assert peak.relative == pytest.approx(224 / 57_472)
    assert found.is_comparable
    assert {d.key: (d.before, d.after) for d in found.job} == {
        "$.objective.minimise": ("smallest", "fit"),
        "$.pieces.max": (None, 3),
    }
    assert verdict(found).startswith("Peak RAM rose from 57,472 B to 57,696 B (+0.4 %); estimated")


def test_a_run_and_itself(made: dict[str, Path]) -> None:
    found = runs(made["peak"], made["peak"], "peak_ram_bytes>+0", "pieces!=2", "added_insn>+0%")
    assert verdict(found) == "No figure changed."
    assert not found.broken
    assert not found.job
    assert not found.versions
    assert not any(change.is_change for change in found.changes)


def test_another_model_or_board_is_no_comparison(made: dict[str, Path], tmp_path: Path) -> None:
    other = runs(made["peak"], made["other"])
    assert not other.is_comparable
    assert "the models differ (resnet8_digits_int8.tflite and unet" in other.warnings[0]
    assert "WARNING: not comparable" in comparison_text(other)
    assert "> **Warning:** not comparable" in comparison_markdown(other)
    roomy = edited(
        tmp_path / "roomy", made["peak"], lambda p: p["board"].update(headroom_bytes=2048)
    )
    found = runs(made["peak"], roomy)
    assert found.warnings == ("not comparable: the boards differ in headroom_bytes",)
    renamed = edited(tmp_path / "new", made["peak"], lambda p: p["board"].update(description="x"))
    assert runs(made["peak"], renamed).is_comparable


def test_versions_and_checks(made: dict[str, Path], tmp_path: Path) -> None:
    a = edited(
        tmp_path / "a", made["peak"], lambda m: m["versions"].update(ortools="1"), "manifest.json"
    )
    check = {
        "name": "outputs",
        "status": "failed",
        "compared": "pieces = model",
        "inputs": 1,
        "worst_difference": 1,
        "detail": "",
    }
    b = edited(
        tmp_path / "b",
        made["peak"],
        lambda v: v.update(status="failed", checks=[check]),
        "verify.json",
    )
    found = runs(a, b, "checks==failed")
    assert [(c.figure, c.before) for c in found.versions] == [("ortools", "1")]
    assert [(c.figure, c.before, c.after) for c in found.checks] == [("outputs", None, "failed")]
    assert len(found.broken) == 1
    assert verdict(found) == "Checks changed."


def test_a_run_against_its_unsplit_model(made: dict[str, Path]) -> None:
    """57,472 B of 57,696 B; the added instructions in parts of the model's own Invoke."""
    document = json.loads((made["peak"] / "plan.json").read_text())
    plan = read_plan(made["peak"])
    record = record_of(plan, [("outputs", "passed")])
    share = 100 * document["added_insn"] / document["baseline"]["estimated_invoke_insn"]

    def breaks(text: str) -> bool:
        return bool(broken(parse_thresholds([text]), record.figures, record.unsplit))

    assert breaks("peak_ram_bytes>-0.4%")
    assert not breaks("peak_ram_bytes>-0.3%")
    assert breaks(f"added_insn>+{share * 0.99:.6f}%")
    assert not breaks(f"added_insn>+{share * 1.01:.6f}%")
    assert breaks("pieces>+0")
    assert breaks("largest_arena_bytes<=-288")
    assert not breaks("checks!=passed")
    assert read_run(made["peak"]).figures == record_of(plan, []).figures
    assert record_of(plan, [("a", "passed"), ("b", "failed")]).checks_status == "failed"


def garbage(folder: Path, made: dict[str, Path]) -> list[Path]:
    """Folders that are not bundles, each in its own way."""
    texts = {
        "empty": b"", "binary": bytes(range(256)), "list": b"[]", "number": b"3",
        "deep": b"[" * 100_000, "nested": b'{"a":' * 500 + b"1" + b"}" * 500,
        "nan": b'{"schema_version": NaN}', "half": (made["peak"] / "plan.json").read_bytes()[:500],
        "surrogate": b'{"job": {"name": "\\ud800"}}', "digits": b'{"a": ' + b"9" * 9999 + b"}",
    }  # fmt: skip
    found = [folder / "absent"]
    for name, text in texts.items():
        (folder / name).mkdir()
        (folder / name / "plan.json").write_bytes(text)
        found.append(folder / name)
    edits: dict[str, Edit] = {
        "schema": lambda p: p.update(schema_version=3),
        "word": lambda p: p.update(peak_ram_bytes="many"),
        "negative": lambda p: p.update(peak_ram_bytes=-1),
        "none": lambda p: p.update(segments=[]),
        "float": lambda p: p.update(peak_ram_bytes=1.5),
        "gone": lambda p: p.pop("baseline"),
        "board": lambda p: p.update(board=3),
    }
    found += [edited(folder / name, made["peak"], edit) for name, edit in edits.items()]
    huge = shutil.copytree(made["peak"], folder / "huge")
    with (huge / "plan.json").open("ab") as file:
        file.truncate((16 << 20) + 1)
    (folder / "directory" / "plan.json").mkdir(parents=True)
    bad = edited(folder / "manifest", made["peak"], lambda m: m.update(versions=3), "manifest.json")
    return [*found, huge, folder / "directory", bad]


def test_no_bundle_is_a_sentence(made: dict[str, Path], tmp_path: Path) -> None:
    for folder in garbage(tmp_path, made):
        for pair in ((folder, made["peak"]), (made["peak"], folder)):
            with pytest.raises(UsageError) as caught:
                compare_folders(*pair)
            assert str(folder) in str(caught.value)
            assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a": ' * 100 + b"1" + b"}" * 100, "nested more than"),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b'{"\\udfff": 1}', "surrogates not allowed"),
        (b'{"a": Infinity}', "Infinity is not a number"),
        (b"[1]", "it holds no object"),
    ],
)
def test_untrusted_json(text: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(text)
    with pytest.raises(UsageError, match=said):
        load_json(file)
    file.write_text('{"a": [1, {"b": [2]}]}')
    assert load_json(file) == {"a": (1, {"b": (2,)})}
    with pytest.raises(UsageError, match="larger than 5 bytes"):
        load_json(file, 5)


EVIL = "<script>x</script> | **b** [a](b)\n\x1b[31m# @everyone"


def test_untrusted_names_are_text(made: dict[str, Path], tmp_path: Path) -> None:
    def edit(plan: dict[str, Any]) -> None:
        plan["job"]["settings"][EVIL] = EVIL
        plan["job"]["name"] = EVIL
        plan["model"]["path"] = EVIL
        plan["model"]["sha256"] = "0" * 64

    found = runs(made["peak"], edited(tmp_path / "evil", made["peak"], edit))
    text, markdown = comparison_text(found), comparison_markdown(found)
    assert "\x1b" not in text + markdown
    assert "<script" not in markdown
    assert "\\| \\*\\*b\\*\\* \\[a\\]" in markdown
    assert "\\@everyone" in markdown
    for line in markdown.splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") in (4, 6)


def sweep(folder: Path, *rows: dict[str, Any]) -> Path:
    folder.mkdir()
    lines = (json.dumps({**ROW, "id": f"{k:04d}", **row}) for k, row in enumerate(rows, 1))
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def sweeps(a: Path, b: Path, *limits: str) -> SweepComparison:
    found = compare_folders(a, b, parse_thresholds(limits))
    assert isinstance(found, SweepComparison)
    return found


def test_points_of_sweeps_are_matched_by_what_was_asked(tmp_path: Path) -> None:
    """Not by their ids, nor by where the model lay."""
    a = sweep(tmp_path / "a", {}, {"budget_bytes": 2000}, {"max_pieces": 3}, {"budget_bytes": 5})
    b = sweep(
        tmp_path / "b",
        {"max_pieces": 3},
        {"budget_bytes": 2000, "peak_ram_bytes": 990, "model": "/elsewhere/m.tflite"},
        {},
        {"board": "c"},
    )
    found = sweeps(a, b, "peak_ram_bytes>+5%")
    assert found.matched == 3
    [point] = found.differing
    assert (point.before_id, point.after_id, point.key[2]) == ("0002", "0002", "2000")
    assert [(c.figure, c.absolute) for c in point.changes] == [("peak_ram_bytes", 90)]
    assert [key[2] for key in found.only_before] == ["5"]
    assert [key[1] for key in found.only_after] == ["c"]
    assert found.broken == (
        "point 0002: peak_ram_bytes>+5%: peak_ram_bytes is 990, > the limit 945 (counted from 900)",
    )
    assert "not wholly comparable: boards that only one of the sweeps has: c" in found.warnings
    assert verdict(found) == "1 of 3 shared points differ; 2 points in one of them only."
    assert "m.tflite, b, 2,000 B, minimise=smallest" in comparison_text(found)
    assert json.loads(json.dumps(found.to_dict()))["differing"][0]["budget_bytes"] == "2000"


def test_points_without_a_plan(tmp_path: Path) -> None:
    """A plan where there was none is no worse; none where there was one is."""
    none = {**UNPLANNED, "status": "INFEASIBLE"}
    a = sweep(tmp_path / "a", {}, {"budget_bytes": 5, **none}, {"budget_bytes": 6, **none})
    b = sweep(tmp_path / "b", none, {"budget_bytes": 5}, {"budget_bytes": 6, **none})
    found = sweeps(a, b, "peak_ram_bytes>+0")
    assert found.broken == ("point 0001: peak_ram_bytes>+0: peak_ram_bytes is not known here",)
    assert len(sweeps(b, a, "peak_ram_bytes>899", "status!=OPTIMAL").broken) == 4


def test_a_front_is_matched_by_its_peaks(tmp_path: Path) -> None:
    front = {"kind": "front", "budget_bytes": None}
    a = sweep(tmp_path / "a", {**front, "peak_ram_bytes": 900}, {**front, "peak_ram_bytes": 700})
    b = sweep(tmp_path / "b", {**front, "peak_ram_bytes": 700, "added_insn": 60})
    found = sweeps(a, b)
    assert [point.key[2] for point in found.differing] == ["700"]
    assert [key[2] for key in found.only_before] == ["900"]


def test_a_sweep_and_a_run(made: dict[str, Path], tmp_path: Path) -> None:
    one = sweep(tmp_path / "a", {})
    with pytest.raises(UsageError, match="two of a kind"):
        compare_folders(one, made["peak"])
    for text in ("[]\n", "{\n", '{"id": 3}\n', "\0", '{"id": "1", "peak_ram_bytes": -1}'):
        (one / "records.jsonl").write_text(text)
        with pytest.raises(UsageError, match=r"records\.jsonl"):
            compare_folders(one, one)


def call(*args: object) -> Any:
    app = typer.Typer()
    app.command()(compare)
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_the_command(made: dict[str, Path]) -> None:
    a, b = made["peak"], made["time"]
    assert call(a, b).output == comparison_text(runs(a, b))
    document = json.loads(call(a, b, "--json", "--fail-on", "pieces>4").output)
    assert document == json.loads(json.dumps(runs(a, b).to_dict()))
    shown = call(a, b, "--markdown", "--fail-on", "peak_ram_bytes>+0", "--fail-on", "pieces<2")
    assert shown.output.startswith("**Peak RAM rose from 57,472 B to 57,696 B")
    assert "- **Limit broken:** peak\\_ram\\_bytes&gt;+0" in shown.output
    assert isinstance(shown.exception, ThresholdError)
    assert len(str(shown.exception).splitlines()) == 2
    quiet = call(a, b, "--json", "--fail-on", "pieces<2")
    assert not quiet.output
    assert isinstance(quiet.exception, ThresholdError)
    assert quiet.exception.facts["changes"] == document["changes"]
    assert isinstance(call(a, b, "--fail-on", "speed>2").exception, UsageError)
    assert isinstance(call(a, b, "--json", "--markdown").exception, UsageError)


def test_records_that_are_at_hand_can_be_compared(made: dict[str, Path]) -> None:
    record = read_run(made["peak"])
    assert compare_runs(record, record).to_dict()["before"]["figures"]["pieces"] == 2

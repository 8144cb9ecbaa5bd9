"""What can be explained and what is refused; untrusted names; the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from builder import Builder
from model_facts import facts, small
from models import with_variable
from stateful_models import svdf_net
from typer.testing import CliRunner

from splitopt.base.errors import ModelError, UsageError
from splitopt.base.json_input import load_json
from splitopt.bundle.schema.explain import ModelExplanation
from splitopt.cli.explain import explain
from splitopt.config.given import Given
from splitopt.convert.open_model import open_model
from splitopt.explain.model import explain_model
from splitopt.explain.model_html import render_model
from splitopt.explain.subject import subject_of
from splitopt.explain.text import model_text
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest

CHECKOUT = Path(__file__).resolve().parents[2]

MODELS = CHECKOUT / "configs" / "models"

RESNET = MODELS / "resnet8_digits_int8.tflite"

FindModel = Callable[[str], Path]

EVIL = "<script>alert(1)</script>\x1b[31m"


def test_a_job_gives_board_and_headroom_but_no_limits() -> None:
    """resnet8_digits.yaml forbids cut 1 and allows four pieces; facts are the model's."""
    job = subject_of(CHECKOUT / "configs" / "jobs" / "resnet8_digits.yaml", Given())
    assert (job.board.name, job.spec.pieces.max, job.spec.cut.forbid) == (
        "corstone300_128k",
        None,
        (),
    )
    assert subject_of(job.file, Given(board="corstone300_64k")).board.name == "corstone300_64k"


def test_a_model_that_keeps_state_is_explained_with_pieces_that_stay(
    tmp_path: Path, board: Path
) -> None:
    model = tmp_path / "stateful.tflite"
    model.write_bytes(svdf_net())
    found = facts(model, board)
    assert found.least is not None
    assert found.lowest_bytes == found.least.peak_ram_bytes < found.ram.ram_bytes
    note = "op 1 SVDF, op 3 SVDF keep state between inferences: a piece with such an op runs whole"
    assert note in found.verdict
    assert note in model_text(found)
    assert note in render_model(found)


def test_where_pieces_cannot_stay_it_has_facts_but_no_cuts(tmp_path: Path, board: Path) -> None:
    model = tmp_path / "stateful.tflite"
    model.write_bytes(with_variable())
    job = subject_of(model, Given(board=str(board)))
    pieces = job.spec.pieces.model_copy(update={"switching": ("rebuild",)})
    spec = job.spec.model_copy(update={"pieces": pieces})
    found = explain_model(replace(job, spec=spec), open_model(job))
    assert found.least is None
    assert "keeps state" in found.no_cuts
    assert found.no_cuts in model_text(found)
    assert "keeps state" in render_model(found)
    assert all(fit.split_bytes is None for fit in found.boards)


@pytest.mark.parametrize(
    ("name", "board", "said"),
    [
        ("m.tflite", None, "--board"),
        ("m.txt", "corstone300_64k", ".tflite"),
        ("m.tflite", "corstone_64k", "did you mean 'corstone300_64k'"),
        ("", "corstone300_64k", "a folder"),
    ],
)
def test_wrong_subjects(tmp_path: Path, name: str, board: str | None, said: str) -> None:
    (tmp_path / "m.tflite").touch()
    with pytest.raises(UsageError, match=said):
        subject_of(tmp_path / name, Given(board=board))


def test_a_broken_model_is_a_model_error(tmp_path: Path, board: Path) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(b"garbage")
    with pytest.raises(ModelError):
        facts(model, board)


EVIL = "<script>alert(1)</script>\x1b[31m"


def test_untrusted_names_are_text(tmp_path: Path, board: Path) -> None:
    found = facts(small(tmp_path, EVIL.encode()), board)
    document = found.model_dump(mode="json")
    page = render_model(found)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\x1b" not in page + model_text(found) + json.dumps(document)
    for outside in ("http:", "https:", "src=", "@import", "url(h", "url(/"):
        assert outside not in page
    assert "prefers-color-scheme: dark" in page


def with_scratch(folder: Path) -> Path:
    """A model of two inputs, one read last, and an output that nothing reads."""
    maker = Builder()
    a, b, x, y = (maker.tensor([1, 64]) for _ in range(4))
    maker.op("RELU", [a], [x])
    maker.op("MINIMUM", [x, b], [y])
    path = folder / "two.tflite"
    path.write_bytes(maker.bytes([a, b], [y]))
    return path


def test_a_model_of_two_inputs(tmp_path: Path, board: Path) -> None:
    found = facts(with_scratch(tmp_path), board)
    assert {(t.tensor, t.start, t.stop) for t in found.largest} == {
        (0, 0, 1), (1, 0, 2), (2, 0, 2), (3, 1, 2)
    }  # fmt: skip
    assert max(found.load_by_op) == found.ram.peak_load_bytes == 192


def run(*args: object) -> Any:
    app = typer.Typer()
    app.command()(explain)
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_the_command(tmp_path: Path, board: Path) -> None:
    out = tmp_path / "out"
    shown = run(small(tmp_path), "--board", board, "-v", "--out", out)
    brief = run(small(tmp_path), "--board", board).stdout
    assert brief.startswith("FITS ")
    assert shown.stdout.startswith(brief)
    assert shown.exit_code == 0, shown.output
    assert (out / "explain.txt").read_text() == shown.stdout
    document = json.loads(run(small(tmp_path), "--board", board, "--json").stdout)
    assert document == json.loads((out / "explain.json").read_text())
    read = ModelExplanation.model_validate(load_json(out / "explain.json"))
    assert (out / "explain.html").read_text() == render_model(read)
    again = run(small(tmp_path), "--board", board, "--out", out)
    assert isinstance(again.exception, UsageError)
    assert again.exception.exit_code == 2
    for words in (
        "arena_used_bytes()",
        "What would lower the peak",
        "Known boards",
        "Longest-lived",
    ):
        assert words in shown.output


def test_so_many_questions_are_asked_whatever_the_number_of_boards(
    board: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lowest peak, then its cheapest plan, of eight rows. Where the cheapest plan of the lowest
    peak is known by then, it is not asked for again; nor is a row with a limit on the price whose
    row without one keeps it, as that of streams does."""
    asked: list[PlanRequest] = []
    plan = Planner.plan

    def counted(self: Planner, request: PlanRequest, deadline: Any = None) -> Any:
        asked.append(request)
        return plan(self, request, deadline)

    monkeypatch.setattr(Planner, "plan", counted)
    rows = {peak.code: peak for peak in facts(RESNET, board).lowest_peaks}
    peaks = [row.peak_ram_bytes for row in rows.values()]
    assert len(peaks) == 8
    assert rows["streams_within"].peak_ram_bytes == rows["streams"].peak_ram_bytes
    assert rows["bands_within"].peak_ram_bytes > rows["bands"].peak_ram_bytes
    assert len(set(peaks)) == 5, "the last four reach the same"
    prices = [request for request in asked if request.goal.cost_weight]
    assert (len(asked) - len(prices), len(prices)) == (8 - 1, 6)

"""At what price a model fits: against the plans that runs make."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from splitopt.bundle.schema.explain import ModelExplanation
from splitopt.config.job import Job
from splitopt.explain.fit import answer_text
from splitopt.explain.model_html import render_model
from splitopt.workflows.explain import explain
from splitopt.workflows.plan import plan

MODEL = Path(__file__).resolve().parents[2] / "configs" / "models" / "squeeze_digits_int8.tflite"
BOARD = "corstone300_64k"


def explained(budget: str) -> tuple[ModelExplanation, list[str]]:
    found = explain(MODEL, BOARD, budget=budget)
    assert isinstance(found, ModelExplanation)
    text = answer_text(found).rstrip().split("\n")
    assert len(text) <= 20
    return found, text


@pytest.mark.parametrize("budget", [20_000, 57_344])
def test_the_price_is_that_of_the_cheapest_plan_that_a_run_makes(budget: int) -> None:
    found, text = explained(str(budget))
    own = plan(Job.of(model=MODEL, board=BOARD, budget_bytes=budget, objective={"minimise": "fit"}))
    assert found.fit is not None
    assert (found.fit.added_insn, found.fit.peak_ram_bytes) == (own.added_insn, own.peak_ram_bytes)
    assert found.fit.is_cheapest == (own.plan.status.name == "OPTIMAL")
    assert text[0].startswith(f"FITS {BOARD} ")
    next_one = text[-1]
    if budget == 57_344:
        assert (found.fit.added_insn, text[1].split(".")[0]) == (0, "Price: none")
        assert next_one == f"Next: splitopt run {MODEL} --board {BOARD} --budget 57344"
    else:
        assert f"{own.peak_ram_bytes:,} B" in text[0]
        assert next_one == f"Next: splitopt run {MODEL} --board {BOARD} --budget 20000 --plan fit"
    header = next(at for at, line in enumerate(text) if line.startswith("lowest peak by"))
    rows = text[header : text.index("", header)]
    shares = [int(row.split(" B", 1)[1].split("%")[0]) for row in rows[1:]]
    assert shares[0] == round(100 * found.ram.ram_bytes / budget)


def test_the_page_begins_with_what_the_terminal_says() -> None:
    found, text = explained("20000")
    page = unescape(re.sub("<[^>]*>", "", render_model(found).split("<h2>In words</h2>")[0]))
    said = [line for line in text if line and not line.startswith("Details: ")]
    words = "".join(page.split())
    places = [words.find("".join(line.split())) for line in said]
    assert -1 not in places
    assert places == sorted(places)


def test_the_next_command_is_of_the_job_that_was_explained(tmp_path: Path) -> None:
    job = tmp_path / "my job.yaml"
    job.write_text(f"model: {{path: {MODEL}}}\nboard: {BOARD}\nbudget_bytes: 20000\n")
    found = explain(job)
    assert isinstance(found, ModelExplanation)
    assert answer_text(found).rstrip().endswith(f"\nNext: splitopt run '{job}' --plan fit")


def test_what_resident_pieces_spare_is_the_difference_to_a_run_that_rebuilds_all() -> None:
    found, text = explained("20000")
    worth = found.switching
    assert worth is not None
    assert worth.is_proved
    asked = {"model": MODEL, "board": BOARD, "budget_bytes": 20_000}
    rebuilt = plan(
        Job.of(**asked, objective={"minimise": "fit"}, pieces={"switching": ["rebuild"]})
    )
    assert (worth.rebuilt, worth.rebuilt_insn) == ("found", rebuilt.added_insn)
    own = plan(Job.of(**asked, objective={"minimise": "fit"}))
    assert worth.added_insn == own.added_insn < rebuilt.added_insn
    kept = [segment.kept.bytes for segment in own.segments if segment.kept]
    [held] = worth.held
    assert (held.way, held.memory) == ("resident", None)
    assert (held.pieces, held.size_bytes) == (len(kept), sum(kept))
    assert sum(worth.parts.model_dump().values()) == worth.added_insn
    share = 100 * rebuilt.added_insn / own.baseline.invoke.insn
    assert f"<li>{text[2]}</li>" in render_model(found)
    assert text[2].endswith(f"the cheapest plan that fits would add {share:+.1f} %.")


def test_what_does_not_fit_says_how_much_is_missing() -> None:
    found, text = explained("8K")
    assert found.fit is None
    assert text[0].startswith(f"DOES NOT FIT {BOARD}: {MODEL.name} needs {found.lowest_bytes:,} B")
    assert not any(line.startswith("Next:") for line in text)

"""The answer of a run: short, and every figure of it that of the documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from splitopt.base.text import plain_text
from splitopt.bundle.load import load_run
from splitopt.bundle.schema.conversion import Conversion
from splitopt.bundle.schema.plan import Choice, Plan
from splitopt.report.text.answer import answer_text, unfit_text
from splitopt.verify.check import VARIED, Check, CheckStatus

OLD = Path(__file__).resolve().parents[1] / "golden" / "bundle_v1"
PASSED = Check("outputs", CheckStatus.PASSED, "pieces = model", 8, 0)


@pytest.fixture(scope="module")
def old() -> Plan:
    """Of a bundle from before there were choices."""
    plan = load_run(OLD).plan
    assert plan.choices == ()
    return plan


@pytest.fixture(scope="module")
def plan(old: Plan) -> Plan:
    invoke, peak = old.baseline.estimated_invoke_insn, old.peak_ram_bytes
    figures = [("fit", 0, 1), ("balanced", invoke // 8, 5), ("smallest", invoke, 9)]
    choices = tuple(
        Choice(
            aim=aim,
            is_written=aim == "balanced",
            status="OPTIMAL",
            peak_ram_bytes=peak + 16 * (9 - pieces),
            added_insn=added,
            pieces=pieces,
            flash_bytes=1234 * pieces,
        )
        for aim, added, pieces in figures
    )
    objective = old.objective.model_copy(update={"minimise": "balanced"})
    return old.model_copy(update={"choices": choices, "objective": objective, "status": "OPTIMAL"})


def lines(plan: Plan, *checks: Check) -> list[str]:
    return plain_text(answer_text(plan, checks, "results/x/1")).rstrip("\n").split("\n")


def test_it_has_the_three_plans_and_what_comes_next(plan: Plan) -> None:
    text = lines(plan, PASSED)
    assert len(text) <= 15
    assert text[0] == (
        f"FITS {plan.board.name} unsplit: {plan.job.name} takes {plan.baseline.ram_bytes:,} B of a "
        f"budget of {plan.budget_bytes:,} B. No split is needed; this plan takes "
        f"{plan.peak_ram_bytes:,} B in {len(plan.segments)} pieces."
    )
    rows = {line[:14].strip(" *"): line for line in text[2:7]}
    assert list(rows) == ["plan", "unsplit", "fit: cheapest", "balanced", "smallest"]
    assert f"{plan.baseline.ram_bytes:,} B" in rows["unsplit"]
    assert " 0 " in rows["fit: cheapest"]
    assert "+12.5 % of Invoke, +" in rows["balanced"]
    assert "balanced *" in rows["balanced"]
    assert "+100.0 % of Invoke, +" in rows["smallest"]
    assert "11,106 B" in rows["smallest"]
    assert "--plan fit or smallest" in text[8]
    assert text[-1] == f"Next: splitopt export results/x/1 --out firmware/{plan.job.name}"


def test_what_is_not_proved_is_told(plan: Plan) -> None:
    assert "NOT PROVED" in "\n".join(lines(plan))
    failed = Check("outputs", CheckStatus.FAILED, "pieces = model", 8, 3)
    text = lines(plan, failed)
    assert any(line.startswith("Outputs: check outputs FAILED") for line in text)
    assert text[-1] == "Next: splitopt explain results/x/1"
    *others, last = plan.choices
    late = last.model_copy(update={"status": "FEASIBLE"})
    text = lines(plan.model_copy(update={"choices": (*others, late)}), PASSED)
    assert "Proved: balanced is OPTIMAL; not proved: smallest." in text
    assert any("--time-limit" in line for line in text)
    assert len(text) <= 15


def test_a_poor_conversion_and_the_users_samples_are_told(plan: Plan) -> None:
    record: dict[str, Any] = {
        "onnx": None,
        "calibration_samples": 4,
        "quality": {
            **dict.fromkeys(("top1_float", "top1_int8", "top1_agreement")),
            "samples": 1,
            "sqnr_db": 31.26,
            "worst_litert_lsb": 0,
        },
    }
    good = plan.model_copy(update={"conversion": Conversion.model_validate(record)})
    text = plain_text(answer_text(good, [PASSED], "results/x/1", own_inputs=3))
    assert "on 8 inputs (3 of them yours) in TFLM" in text
    assert "(outputs passed); int8 against float: SQNR 31.3 dB.\n" in text
    assert "WARNING" not in text

    poor = Conversion.model_validate({**record, "warnings": ("SQNR of 3.0 dB", "other")})
    warned = plan.model_copy(update={"conversion": poor})
    assert "WARNING, conversion to int8: SQNR of 3.0 dB." in lines(warned, PASSED)
    assert len(lines(warned, PASSED)) <= 15


def test_older_bundles_are_answered_without_choices(old: Plan) -> None:
    text = lines(old, PASSED)
    assert text[0].startswith("FITS ")
    assert text[2].startswith("plan")


def test_what_does_not_fit_says_what_is_reachable() -> None:
    facts = {
        "board": "b",
        "model": "m",
        "budget_bytes": 1000,
        "smallest_feasible_budget_bytes": 2000,
        "unsplit_ram_bytes": 4000,
        "invoke_insn": 100,
        "added_insn": 25,
        "pieces": 3,
        "help": ["a budget of 2,000 B"],
    }
    text = plain_text(unfit_text(facts)).rstrip().split("\n")
    assert text[0] == "DOES NOT FIT b: m needs 2,000 B of RAM at least, and has 1,000 B."
    assert "200 %" in text[4]
    assert "+25.0 % of Invoke, +25" in text[4]
    assert text[-1] == "What would help: a budget of 2,000 B"


def test_equal_outputs_that_are_constant_prove_little(plan: Plan) -> None:
    same = Check(VARIED, CheckStatus.WARNING, "outputs, input against input", 8, 0)
    [line] = [line for line in lines(plan, PASSED, same) if line.startswith("Outputs:")]
    assert line.endswith(
        "(outputs passed), but the model's own output is the same for all 8 inputs: that proves "
        "little; give samples: verify.data."
    )

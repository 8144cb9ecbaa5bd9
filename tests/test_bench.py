"""The benchmarks: their fits, their comparisons, and whose time is whose."""

from __future__ import annotations

import time

import pytest
from bench.planning_rows import Row, differences, growth, header, line_of
from bench.stages import StageClock


@pytest.mark.parametrize("power", [0.5, 1.0, 2.5])
def test_growth_is_the_power_that_time_grows_with(power: float) -> None:
    rows = [case(f"chain_{ops}", ops=ops, cpu_s=0.01 * ops**power) for ops in (50, 100, 400)]
    slow = case("chain_800", ops=800, cpu_s=60.0) | {"status": "FEASIBLE"}
    assert growth([*rows, slow]).endswith(f"power of {power:.2f}")
    assert growth([rows[0], slow]) == ""


def test_optima_are_held_against_the_front() -> None:
    points = [(900, 0), (500, 70), (400, 200)]
    front = case("net", ask="front", status="COMPLETE", points=points, weights=(1, 2))
    del front["cost"]
    right = [
        case("net", cost=640),
        case("net", ask="peak", cost=400),
        case("net", ask="budget", cost=70) | {"capacity": 600},
    ]
    assert differences([front, *right]) == (3, [])
    for row in right:
        (line,) = differences([front, row | {"cost": row["cost"] + 1}])[1]
        assert line.startswith("net, "), line


@pytest.mark.parametrize(("run_cpu_s", "ratio"), [(4.0, "1.50"), (None, "nan")])
def test_explain_is_held_against_the_run_of_the_same_model(
    run_cpu_s: float | None, ratio: str
) -> None:
    figures = {"cpu_s": 6.0, "memory_mib": 100, "first_line_s": 1.0, "run_cpu_s": run_cpu_s}
    line = line_of(case("net", ask="explain") | figures)
    assert header("explain").split()[-1] == "explain/run"
    assert line.split()[-1] == ratio


def test_time_goes_to_the_stage_of_the_innermost_file() -> None:
    """A function of no stage works for its caller's."""
    with StageClock() as clock:
        run_as("splitopt/planning/band_options.py", lambda: run_as("splitopt/graph/x.py", busy))
        run_as("splitopt/planning/lowest_peak.py", busy)
        busy()
    assert set(clock.spent_s) == {"bands", "other"}
    assert clock.spent_s["other"] > clock.spent_s["bands"] > 0.05


def case(model: str, ask: str = "weighted", cost: int = 0, **more: object) -> Row:
    row = {"model": model, "ask": ask, "status": "OPTIMAL", "cost": cost, "ops": 50}
    return row | more


def busy() -> None:
    until = time.process_time() + 0.1
    while time.process_time() < until:
        sum(range(1000))


def run_as(file: str, action: object) -> None:
    """Calls it from a function that says it stands in that file."""
    scope: dict[str, object] = {"action": action}
    exec(compile("action()", f"/checkout/{file}", "exec"), scope)

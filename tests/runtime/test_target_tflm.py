"""Every real model on a simulated Cortex-M55, whole and cut, against tables measured elsewhere.

Needs QEMU, the compiler, and a TFLM library that SPLITOPT_TFLM names.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from diagnosis_bundles import digits
from golden_figures import MODELS, SPLIT_MODELS, SPLITS
from limits import seconds
from targets import run_on_qemu, split_run, tflm_program, whole_run

from splitopt.base.errors import NotEqualError, ToolError, UsageError
from splitopt.bundle.documents import dump
from splitopt.config.job import read_job
from splitopt.config.target import read_target
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.runtime.arrays import Array, arena_bytes, random_inputs
from splitopt.runtime.host import Stage, run_tflm_chain
from splitopt.runtime.simulator import Qemu, simulate
from splitopt.workflows.run import require_equal, run_job
from splitopt.workflows.time import time_bundle

pytestmark = pytest.mark.needs("compiler", "qemu", "tflm")
FindModel = Callable[[str], Path]
WITHIN = 0.01
_HANDFUL = 8  # instructions
_CHECKED = 150  # instructions in the step of AllocateTensors: op resolver, ends in place


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tflm_program(tmp_path_factory.mktemp("program"))


def host_outputs(graph: ModelGraph, path: Path, feeds: Sequence[Array]) -> list[list[bytes]]:
    inputs, outputs = (tuple(map(str, ends)) for ends in (graph.inputs, graph.outputs))
    stage = Stage(path, inputs, outputs, arena_bytes(graph))
    made = run_tflm_chain([stage], dict(zip(inputs, feeds, strict=True)), timeout_s=seconds(300))
    return [
        [np.ascontiguousarray(made[name][n]).tobytes() for name in outputs]
        for n in range(len(feeds[0]))
    ]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_uses_takes_and_makes_what_was_measured(
    name: str, shared_model: FindModel, program: Path
) -> None:
    want, path = MODELS[name], shared_model(name)
    graph = read_tflite(path)
    feeds = random_inputs(graph, 3, 0)
    [got] = run_on_qemu(program, graph, [whole_run(graph, feeds)])
    assert {sample[0].arena_used_bytes for sample in got.samples} == {want["arena_used_bytes"]}
    assert [list(sample) for sample in got.outputs] == host_outputs(graph, path, feeds)
    steps = got.samples[0][0].steps
    keys = {"allocate": "allocate_tensors_insn", "invoke": "invoke_insn"}
    ratios = {step: steps[step] / want[key] for step, key in keys.items()}
    print(name, {step: f"{100 * (ratio - 1):+.3f} %" for step, ratio in ratios.items()})
    assert ratios == pytest.approx(dict.fromkeys(ratios, 1.0), abs=WITHIN)


@pytest.mark.parametrize("name", SPLIT_MODELS)
def test_pieces_use_take_and_make_what_was_measured(
    name: str, shared_model: FindModel, program: Path
) -> None:
    splits, path = SPLITS[name], shared_model(name)
    graph = read_tflite(path)
    feeds = random_inputs(graph, 1, 0)
    runs = [split_run(graph, split["cuts"], feeds) for split in splits]
    expected = host_outputs(graph, path, feeds)
    worst = {"allocate of a piece": 0.0, "invoke of a piece": 0.0, "invoke of all pieces": 0.0}
    for split, planned, got in zip(splits, runs, run_on_qemu(program, graph, runs), strict=True):
        [pieces] = got.samples
        assert [piece.arena_used_bytes for piece in pieces] == split["arena_used_bytes"]
        assert [list(sample) for sample in got.outputs] == expected
        allocated = [piece.steps["allocate"] for piece in pieces]
        invoked = [piece.steps["invoke"] for piece in pieces]
        steady = [not depends_on_data(piece.data) for piece in planned.pieces]
        found = {
            "allocate of a piece": off(allocated, split["allocate_tensors_insn"], _CHECKED),
            "invoke of a piece": off(
                [a for a, keep in zip(invoked, steady, strict=True) if keep],
                [b for b, keep in zip(split["invoke_insn"], steady, strict=True) if keep],
            ),
            "invoke of all pieces": off([sum(invoked)], [sum(split["invoke_insn"])]),
        }
        worst = {key: max(value, found[key]) for key, value in worst.items()}
    print(name, len(runs), "splits, worst", {k: f"{100 * v:.3f} %" for k, v in worst.items()})
    assert max(worst.values()) < WITHIN


def depends_on_data(piece: bytes) -> bool:
    """TFLM's SOFTMAX takes longer for some inputs than for others."""
    graph = parse_tflite(piece, name="piece", where="piece")
    return any(op.type == "SOFTMAX" for op in graph.ops)


def off(got: Sequence[float], want: Sequence[float], free: int = _HANDFUL) -> float:
    """The largest relative difference; a handful of instructions is the library's build."""
    pairs = zip(got, want, strict=True)
    return max((abs(a - b) / b for a, b in pairs if abs(a - b) > free), default=0.0)


# Whole runs.


@pytest.fixture(scope="module")
def timed(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with target: qemu of several pieces, its arenas zeroed."""
    home = tmp_path_factory.mktemp("timed")
    (home / "net.yaml").write_text(
        f"model: {{path: {digits('squeeze')}}}\nboard: corstone300_256k\ntarget: qemu\n"
        "objective: {minimise: smallest}\npieces: {zero_arena: true}\n"
    )
    return run_job(read_job(home / "net.yaml"), out=home / "out").folder


def test_a_run_on_qemu_says_what_was_measured(timed: Path) -> None:
    timing = json.loads((timed / "timing.json").read_text("utf-8"))
    checks = json.loads((timed / "verify.json").read_text("utf-8"))["checks"]
    assert {"target_bytes", "target_outputs"} < {check["name"] for check in checks}
    assert {check["status"] for check in checks} == {"passed"}
    assert len(timing["pieces"]) > 1
    for figures in (timing["unsplit"], *timing["pieces"]):
        assert figures["measured_arena_used_bytes"] == figures["predicted_arena_used_bytes"]
        assert figures["simulated_zero_insn"] > 0
    added = timing["simulated_added_insn"]
    assert added == pytest.approx(timing["estimated_added_insn"], rel=0.05)
    for name in ("summary.txt", "report.html"):
        text = (timed / name).read_text("utf-8")
        assert "Simulated on qemu" in text
        assert "not CPU cycles" in text


def test_bytes_that_differ_are_a_failed_check_with_both_figures(
    timed: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(timed, tmp_path / "bundle"))
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    plan["segments"][1]["arena_used_bytes"] += 16
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / "manifest.json").unlink()  # which says that the plan was changed
    found = time_bundle(folder, read_target("qemu", tmp_path))
    used = plan["segments"][1]["arena_used_bytes"]
    with pytest.raises(NotEqualError, match=f"piece 1 uses {used - 16:,} B, predicted {used:,} B"):
        require_equal(folder, found.checks)
    first, second, *_ = sorted((folder / "pieces").iterdir())
    second.write_bytes(first.read_bytes())
    with pytest.raises(UsageError, match="is not the piece that the run wrote"):
        time_bundle(folder, read_target("qemu", tmp_path))


def test_two_runs_count_the_same(timed: Path, tmp_path: Path) -> None:
    spec = read_target("qemu", tmp_path)
    assert time_bundle(timed, spec).document == time_bundle(timed, spec).document


def test_a_job_that_is_none_is_refused(program: Path) -> None:
    with pytest.raises(ToolError, match="refused the job: no job in memory"):
        simulate(Qemu(), program, b"garbage" * 100, seconds(60))


# Bands and offline plans.

_BANDED_WITHIN = 0.02


@pytest.mark.parametrize(
    ("name", "budget"),
    [
        ("person_detect_int8", 46_672),
        ("person_detect_int8", 33_808),
        ("mbv2_digits_int8", 66_496),
        ("squeeze_digits_int8", 34_896),
        ("ic_resnet8_int8", 51_952),
        ("unet_digits_int8", 25_680),
    ],
)
def test_bands_and_offline_plans_take_what_is_predicted(
    name: str, budget: int, program: Path, shared_model: FindModel, tmp_path: Path
) -> None:
    """Bytes exactly, in a region of exactly the plan's; outputs of the host's TFLM; instructions of
    all AllocateTensors and all Invokes within 2 %, and of the Invokes of each piece, where they are
    more than a thousandth of all."""
    (tmp_path / "net.yaml").write_text(
        f"model: {{path: {shared_model(name)}}}\n"
        "board: {name: b, sram_bytes: 524288, headroom_bytes: 0}\n"
        f"budget_bytes: {budget}\nobjective: {{minimise: fit}}\n"
        "pieces: {streams: false, switching: [rebuild]}\nverify: {inputs: 2}\n"
    )
    folder = run_job(read_job(tmp_path / "net.yaml"), out=tmp_path / "out").folder
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    assert plan["peak_ram_bytes"] <= budget
    assert any(segment["bands"] for segment in plan["segments"])
    found = time_bundle(folder, read_target("qemu", tmp_path))
    assert {check.name: check.status.value for check in found.checks} == {
        "target_bytes": "passed",
        "target_outputs": "passed",
    }
    timing = dump(found.document)
    off = {"added": timing["estimated_added_insn"] / timing["simulated_added_insn"] - 1}
    for step in ("allocate", "invoke"):
        pairs = [
            (piece[f"simulated_{step}_insn"], piece[f"estimated_{step}_insn"])
            for piece in timing["pieces"]
        ]
        counted, estimated = (sum(column) for column in zip(*pairs, strict=True))
        if step == "allocate" or not plan["baseline"]["ops_without_invoke_estimate"]:
            off[f"{step} of all pieces"] = estimated / counted - 1
            large = [(a, b) for a, b in pairs if step == "invoke" and 1000 * a > counted]
            off |= {f"{step} of piece {k}": b / a - 1 for k, (a, b) in enumerate(large)}
    print(name, budget, {key: f"{100 * value:+.2f} %" for key, value in off.items()})
    for segment, piece in zip(plan["segments"], timing["pieces"], strict=True):
        assert piece["executions"] == len(segment["bands"] or [0])
    assert max(map(abs, off.values())) < _BANDED_WITHIN

"""Logs of boards: figures beside estimates, checks of bytes and outputs, and cost tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from board_logs import TINY_LOG, Cost, made_up_log
from diagnosis_bundles import digits
from qemu_checks import board_log
from typer.testing import CliRunner, Result

from splitopt.base.errors import UsageError
from splitopt.bundle.documents import dump, parse_document
from splitopt.bundle.load import load_run
from splitopt.bundle.open import OpenBundle, open_bundle
from splitopt.bundle.schema.board_timing import BoardTiming
from splitopt.cli.calibrate import calibrate
from splitopt.cli.time import time
from splitopt.config.job import read_job
from splitopt.config.target import read_target
from splitopt.convert.open_model import open_model
from splitopt.cost.copying import CONSTRUCT_INSN, copy_insn
from splitopt.cost.costs import built_in, parse_costs
from splitopt.graph.tflite_reader import read_tflite
from splitopt.report.pages.run import render_run
from splitopt.report.text.board_timing import board_columns, board_lines, board_rows
from splitopt.workflows.calibrate.from_logs import calibrate_from_logs
from splitopt.workflows.calibrate.text import log_calibration_text
from splitopt.workflows.export.exported import export_bundle
from splitopt.workflows.plan import plan_job
from splitopt.workflows.run import run_job
from splitopt.workflows.time import time_bundle
from splitopt.workflows.time_log import models_hash, time_log

GOLDEN = TINY_LOG.parents[1] / "bundle_v1"


def edited(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = TINY_LOG.read_text("utf-8")
    for pattern, new in changes:
        text, count = re.subn(pattern, new, text)
        assert count, pattern
    path = tmp_path / "board.log"
    path.write_text(text)
    return path


def test_a_log_that_qemu_made_is_read_as_it_was_counted(tmp_path: Path) -> None:
    """Steps are ticks, less those of one reading, by 3125 / 3200; the larger of two inputs."""
    found = time_log(GOLDEN, TINY_LOG)
    assert [check.status.value for check in found.checks] == ["passed", "passed"]
    timing = found.document
    marked = [line for line in TINY_LOG.read_text("utf-8").splitlines() if line[:1] == "{"]
    lines = [json.loads(line) for line in marked]
    overhead = lines[0]["step_overhead"]
    pieces = [line for line in lines if line["event"] == "piece"]
    total = 0
    for k, piece in enumerate(timing.pieces):
        took = piece.measured_insn
        assert took is not None
        for step, name in (("construct", "build"), ("allocate", "allocate"), ("invoke", "invoke")):
            ticks = max(line[step] for line in pieces if line["piece"] == k)
            assert getattr(took, name) == round((ticks - overhead) * 3125 / 3200)
        assert piece.measured_cycles is None
        assert piece.measured_arena_used_bytes == piece.predicted_arena_used_bytes
        total += took.total
    assert timing.further == timing.first
    assert timing.further.measured_insn == total
    assert {len(row) for row in board_rows(timing)} == {len(board_columns(timing))}
    assert f"{total:,} insn an inference" in " ".join(board_lines(timing))
    data = json.loads(json.dumps(dump(timing)))
    assert "measured_cycles" not in json.dumps(data)
    assert parse_document(data, BoardTiming, "timing.json").pieces == timing.pieces


def test_a_report_shows_what_was_measured(tmp_path: Path) -> None:
    file = tmp_path / "timing.json"
    file.write_text(json.dumps(dump(time_log(GOLDEN, TINY_LOG).document)))
    page = render_run(load_run(GOLDEN, file))
    assert "Measured on a board" in page
    assert "measured insn" in page
    assert "Measured on a board" not in render_run(load_run(GOLDEN))
    data = json.loads(file.read_text())
    data["pieces"] = data["pieces"][:-1]
    file.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="are not those of the run"):
        load_run(GOLDEN, file)


def test_other_bytes_and_outputs_fail(tmp_path: Path) -> None:
    used = edited(tmp_path, (r'"piece":1,"arena_used_bytes":\d+', '"piece":1,"arena_used_bytes":9'))
    [size, outputs] = time_log(GOLDEN, used).checks
    assert (size.status.value, outputs.status.value) == ("failed", "passed")
    assert "piece 1 uses 9 B" in size.detail
    assert "-DKERNELS_OPTIMIZED_FOR_SPEED" in size.detail
    other = edited(tmp_path, (r'"hex":"..', '"hex":"55'))
    [size, outputs] = time_log(GOLDEN, other).checks
    assert (size.status.value, outputs.status.value) == ("passed", "failed")


def test_a_log_of_another_run_is_refused(tmp_path: Path) -> None:
    foreign = edited(tmp_path, (r'"models_hash":\d+', '"models_hash":7'))
    with pytest.raises(UsageError, match=r"board\.log, line \d+: tiny_model .* of another run"):
        time_log(GOLDEN, foreign)
    with pytest.raises(UsageError, match="of none of the runs"):
        calibrate_from_logs([foreign], [GOLDEN])


def test_a_board_without_a_counter_is_checked_all_the_same(tmp_path: Path) -> None:
    silent = edited(
        tmp_path, (r'"counter":"sse300","unit":"insn"', '"counter":"none","unit":"ticks"')
    )
    found = time_log(GOLDEN, silent)
    assert [check.status.value for check in found.checks] == ["passed", "passed"]
    assert "measured_ticks" not in json.dumps(dump(found.document))
    assert {len(row) for row in board_rows(found.document)} == {3}
    with pytest.raises(UsageError, match="nothing counts on this board"):
        calibrate_from_logs([silent], [GOLDEN])


def command(run: Callable[..., None], *arguments: object) -> Result:
    app = typer.Typer()
    app.command()(run)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_commands_read_a_log(tmp_path: Path) -> None:
    given = (time, GOLDEN, "--log", TINY_LOG)
    done = command(*given, "--out", tmp_path / "board")
    assert done.exit_code == 0, done.output
    assert "measured insn" in done.stdout
    assert "further" in json.loads((tmp_path / "board" / "timing.json").read_text())
    refused = command(*given, "--per-op")
    assert "leave --target" in str(refused.exception)
    done = command(calibrate, "--log", TINY_LOG, "--run", GOLDEN, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "costs.json").read_text())["unit"] == "insn"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[OpenBundle]:
    """Two, of five pieces, cut only."""
    found = []
    for name in ("resnet8", "squeeze"):
        home = tmp_path_factory.mktemp(name)
        (home / "job.yaml").write_text(
            f"model: {{path: {digits(name)}}}\nboard: corstone300_256k\n"
            "objective: {minimise: smallest}\n"
            "pieces: {bands: false, streams: false, offline_plans: false}\n"
        )
        done = run_job(read_job(home / "job.yaml"), out=home / "out", verify=False)
        found.append(open_bundle(done.folder))
    assert [len(own.pieces) for own in found] == [2, 3]
    return found


def made_up_logs(tmp_path: Path, bundles: list[OpenBundle], **hello: object) -> list[Path]:
    logs = [tmp_path / f"{k}.log" for k in range(len(bundles))]
    for log, own in zip(logs, bundles, strict=True):
        log.write_text(made_up_log(own, models_hash(own), costs(own), **hello))
    return logs


def costs(bundle: OpenBundle) -> Cost:
    """2 cycles for each estimated instruction of AllocateTensors, 1.5 of Invoke, 4 of copies."""

    def cost(k: int, step: str) -> int:
        segment, piece = bundle.plan.segments[k], bundle.pieces[k]
        sizes = [tensor.bytes for _, tensor in (*piece.inputs, *piece.outputs)]
        took = {
            "allocate": 2.0 * segment.estimated_allocate_insn,
            "invoke": 1.5 * segment.estimated_invoke_insn,
            "construct": 4.0 * CONSTRUCT_INSN,
            "copy_in": 4.0 * sum(map(copy_insn, sizes)),
        }
        return round(took.get(step, 0))

    return cost


def test_known_costs_are_recovered(bundles: list[OpenBundle], tmp_path: Path) -> None:
    logs = made_up_logs(tmp_path, bundles)
    document = calibrate_from_logs([*logs, logs[0]], [own.folder for own in reversed(bundles)])
    assert document["unit"] == "cycles"
    for key, factor in (("allocate", 2.0), ("other_kernels", 1.5), ("runner", 4.0)):
        assert document[key]["factor"] == pytest.approx(factor, rel=0.02), key
        assert document[key]["samples"] == 5  # the same log twice says nothing new
        assert document[key]["worst_error"] < 0.05
    assert all(abs(own["error"]) < 0.01 for own in document["fitted"])
    assert "no times of ops" in log_calibration_text(document)
    table = parse_costs(json.dumps(document), "costs.json")
    graph = read_tflite(digits("mbv2"))
    for op in graph.ops:
        before, after = built_in().invoke(graph, op), table.invoke(graph, op)
        assert before is not None
        assert after == pytest.approx(before * 1.5 / 4, rel=0.03, abs=1)
    assert "instructions of 4" in table.note


def test_a_plan_by_cycles_says_so(bundles: list[OpenBundle], tmp_path: Path) -> None:
    logs = made_up_logs(tmp_path, bundles)
    document = calibrate_from_logs(logs, [own.folder for own in bundles])
    (tmp_path / "costs.json").write_text(json.dumps(document))
    job = tmp_path / "job.yaml"
    job.write_text(
        f"model: {{path: {digits('squeeze')}}}\nboard: corstone300_256k\ncost_table: costs.json\n"
    )
    found = read_job(job)
    plan = plan_job(found, open_model(found)).plan
    assert any("cycles each" in note for note in plan.notes)


def test_too_few_pieces_are_refused(bundles: list[OpenBundle], tmp_path: Path) -> None:
    logs = made_up_logs(tmp_path, bundles[:1])
    with pytest.raises(UsageError, match="Invoke: 2 samples in all logs, want 3"):
        calibrate_from_logs(logs, [own.folder for own in bundles])


def test_logs_of_two_counters_are_refused(bundles: list[OpenBundle], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    logs = made_up_logs(tmp_path, bundles)
    logs += made_up_logs(tmp_path / "other", bundles, unit="ticks")
    with pytest.raises(UsageError, match="counted by dwt in ticks, the others by dwt in cycles"):
        calibrate_from_logs(logs, [own.folder for own in bundles])
    with pytest.raises(UsageError, match="with --run"):
        calibrate_from_logs(logs, [])


@pytest.mark.slow
@pytest.mark.needs("compiler", "qemu", "tflm")
def test_an_exports_own_check_counts_what_the_simulated_program_does(tmp_path: Path) -> None:
    """Two programs, each with its own start-up, on the same machine: instructions agree."""
    export_bundle(GOLDEN, tmp_path / "net")
    log = tmp_path / "board.log"
    log.write_text(board_log(tmp_path / "net", tmp_path))
    found: Any = time_log(GOLDEN, log)
    assert [check.status.value for check in found.checks] == ["passed", "passed"]
    simulated = time_bundle(GOLDEN, read_target("qemu", tmp_path)).document
    for board, sim in zip(found.document.pieces, simulated.pieces, strict=True):
        took = board.measured_insn
        for step in ("allocate", "invoke"):
            counted = sim.simulated(step, "insn")
            assert getattr(took, step) == pytest.approx(counted, rel=0.02, abs=40), step

"""Sizes, models in the place of jobs, and the job files that splitopt writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from job_files import MODEL, Write

from splitopt.base.errors import UsageError
from splitopt.config.board import read_board
from splitopt.config.given import Given, found_models, read_given
from splitopt.config.job import Job, read_job
from splitopt.config.job_text import job_text
from splitopt.config.objective import ObjectiveSpec, integer_weights
from splitopt.config.size import size_of
from splitopt.config.sweep import read_sweep
from splitopt.workflows.init import init

BOARD = "corstone300_256k"


@pytest.mark.parametrize(
    ("text", "size"),
    [("245760", 245760), ("240K", 245760), ("240KiB", 245760), ("240 k", 245760), ("1M", 1 << 20)],
)
def test_a_size_is_the_same_in_an_option_and_in_a_job(text: str, size: int, write: Write) -> None:
    assert size_of(text, "--budget") == size
    board = "{name: large, sram_bytes: 4M}"
    assert read_job(write(f"board: {board}\nbudget_bytes: {text}")).budget_bytes == size


@pytest.mark.parametrize("text", ["", "0", "-1", "240KB", "240kB", "1.5K", "x", "240 KiBs", "٣K"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--budget: got .*240K or 240KiB"):
        size_of(text, "--budget")


def test_boards_have_sizes_with_units(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\nsram_bytes: 256K\nreserved_bytes: 32KiB\nheadroom_bytes: 1K\n"
        "memories: [{name: mram, bytes: 1M, holds: [saved_tails], written: start_up}]\n"
    )
    board = read_board(file)
    assert (board.budget_bytes, board.headroom_bytes) == (229376, 1024)
    assert board.memories[0].bytes == 1 << 20


def test_a_model_is_a_job_of_itself() -> None:
    job = read_given(MODEL, Given(board=BOARD, budget="64K", objective="fit"))
    assert (job.name, job.model_path, job.board.name) == (MODEL.stem, MODEL, BOARD)
    assert (job.budget_bytes, job.spec.objective.minimise) == (65536, "fit")
    with pytest.raises(UsageError, match="want --board NAME"):
        read_given(MODEL, Given())


def test_samples_are_a_path_and_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys = Given(calibration="some/data.npz:images").over({})["calibration"]
    assert keys == {"path": str(tmp_path / "some/data.npz"), "key": "images"}
    keys = Given(calibration="images:of_mine").over({})["calibration"]
    assert keys == {"path": str(tmp_path / "images:of_mine")}


def test_an_npy_has_no_key() -> None:
    with pytest.raises(UsageError, match=r"one array and has no key; want --calibration x/a.npy"):
        Given(calibration="x/a.npy:foo").over({})


def test_a_model_that_is_not_there_is_named_with_the_one_that_is(tmp_path: Path) -> None:
    (tmp_path / "classifier.onnx").touch()
    with pytest.raises(UsageError, match=r"no such file; did you mean '.*/classifier.onnx'"):
        read_given(tmp_path / "clasifier.onnx", Given(board=BOARD))


def test_a_time_limit_keeps_the_rest_of_how_a_job_is_solved(write: Write) -> None:
    file = write("solve: {seed: 7, time_limit_s: 5}")
    given = Given(time_limit_s=300.0)
    solve = read_given(file, given).spec.solve
    assert (solve.seed, solve.time_limit_s) == (7, 300)
    assert given.words == ("--time-limit", "300")


def test_another_aim_keeps_the_limits_of_the_job(write: Write) -> None:
    file = write("objective: {minimise: fit, max_added_insn: 7}")
    objective = read_given(file, Given(objective="smallest")).spec.objective
    assert (objective.minimise, objective.max_added_insn) == ("smallest", 7)
    with pytest.raises(
        UsageError, match=r"--objective \(--plan\): got 'least', want balanced, fit or"
    ):
        read_given(file, Given(objective="least"))


@pytest.mark.parametrize(
    ("text", "aim", "says"),
    [
        ("{minimise: peak_ram}", "smallest", "peak_ram is called smallest now"),
        ("{minimise: added_time}", "fit", "added_time is called fit now"),
        ("{ram_weight: 2}", "weighted", "belong to minimise: weighted"),
        ("{minimise: weighted, ram_weight: 2}", "weighted", ""),
        ("{}", "balanced", ""),
    ],
)
def test_old_names_work_and_are_told(text: str, aim: str, says: str, write: Write) -> None:
    job = read_job(write(f"objective: {text}"))
    assert job.spec.objective.minimise == aim
    assert says in " ".join(job.notices)
    assert bool(says) == bool(job.notices)


@pytest.mark.parametrize(
    ("ram", "insn"), [(2336, 2140), (298_704, 13_606_708), (10**6, 10**9), (10**9, 1000), (7, 7)]
)
def test_balanced_weights_have_the_ratio_of_the_model(ram: int, insn: int) -> None:
    """A plan at the unsplit peak is as good as one that adds a whole Invoke, but for rounding."""
    weights = integer_weights(ObjectiveSpec(), ram, insn)
    assert max(weights) <= 2**24
    assert weights[0] * ram == pytest.approx(weights[1] * insn, rel=1e-4)
    if max(ram, insn) <= 2**24:
        assert weights[0] * ram == weights[1] * insn


def test_a_bundles_job_can_be_run_from_anywhere(tmp_path: Path, write: Write) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "own.yaml").write_text("name: own\nsram_bytes: 128K\n")
    first = write(
        "board: own\nbudget_bytes: 60K\nverify: {data: x.npy, inputs: 3}\npieces: {max: 4}\n"
        "objective: {minimise: fit}\nsolve: {seed: 3}\ncut: {forbid: [1, a]}\n"
    )
    for job in (
        read_job(first),
        read_given(MODEL, Given(board=BOARD, calibration="data.npz:k")),
        Job.of(model=MODEL, board={"name": "x", "sram_bytes": 99999}),
    ):
        elsewhere = tmp_path / "elsewhere" / "deep" / "job.yaml"
        elsewhere.parent.mkdir(parents=True, exist_ok=True)
        elsewhere.write_text(job_text(job))
        again = read_job(elsewhere)
        assert again.board == job.board
        assert again.model_path.resolve() == job.model_path.resolve()
        assert (again.budget_bytes, again.spec.cut) == (job.budget_bytes, job.spec.cut)
        assert (again.spec.objective, again.spec.solve) == (job.spec.objective, job.spec.solve)
        assert again.spec.pieces == job.spec.pieces
        assert job_text(again).split("\n", 1)[1] == job_text(job).split("\n", 1)[1]
    assert read_job(first).data_path == tmp_path / "jobs" / "x.npy"


def test_init_writes_a_job_that_can_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = tmp_path / "my: model.tflite"
    model.write_bytes(b"")
    file = init(model, Given(board="corstone300_64k", budget="40K"))
    job = read_job(file)
    assert (file.name, job.budget_bytes, job.board.name) == (
        *("my: model.yaml", 40960),
        "corstone300_64k",
    )
    assert job.model_path.resolve() == model
    file.write_text("mine")
    with pytest.raises(UsageError, match="already exists; pass --force"):
        init(model, Given())
    assert file.read_text() == "mine"
    assert read_job(init(model, Given(), force=True)).board.name == BOARD


def test_every_key_of_a_first_job_is_right_when_it_is_taken_in(tmp_path: Path) -> None:
    file = init(MODEL, Given(), out=tmp_path / "a.yaml")
    lines = re.sub(r"^# ([a-z_]+: )", r"\1", file.read_text(), flags=re.MULTILINE)
    aims = ("balanced: ", "fit: ", "smallest: ")
    file.write_text("\n".join(x for x in lines.split("\n") if not x.startswith(aims)))
    job = read_job(file)
    assert job.budget_bytes == 245760
    assert job.spec.calibration is not None
    assert job.spec.pieces.max == 8


def test_folders_and_patterns_stand_for_their_models(tmp_path: Path) -> None:
    for name in ("b.tflite", "a.onnx", "c.txt"):
        (tmp_path / name).touch()
    both = [tmp_path / "a.onnx", tmp_path / "b.tflite"]
    assert found_models([tmp_path]) == both
    assert found_models([tmp_path / "*.tflite", tmp_path / "no.yaml"]) == [
        tmp_path / "b.tflite",
        tmp_path / "no.yaml",
    ]
    (tmp_path / "empty").mkdir()
    for what in (tmp_path / "empty", tmp_path / "*.yaml"):
        with pytest.raises(UsageError):
            found_models([what])


def test_a_sweep_of_a_model_is_over_all_budgets(write: Write) -> None:
    for what in (MODEL, write()):
        spec = read_sweep(what)
        assert (spec.job, spec.grid.budget_bytes) == (what.name, "auto")

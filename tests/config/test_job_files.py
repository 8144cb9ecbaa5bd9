"""Job files: what is refused, how the error reads, and what a sound file comes to."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from job_files import MODEL, Write, refusal

from splitopt.base.errors import UsageError
from splitopt.base.yaml_input import MAX_YAML_BYTES
from splitopt.config.job import Job, read_job
from splitopt.config.objective import ObjectiveSpec, integer_weights
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.allowed_cuts import allowed_segments

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("bord: x", r"\$\.bord: unknown key; did you mean 'board'\?$"),
        ("Solve: {seed: 1}", r"\$\.Solve: unknown key; did you mean 'solve'\?$"),
        ("pieces: {mx: 3}", r"\$\.pieces\.mx: unknown key; did you mean 'max'\?$"),
        ("verify: {input: 3}", r"\$\.verify\.input: unknown key; did you mean 'inputs'\?$"),
        ("board: {name: x, sram: 1}", r"\$\.board\.sram_bytes: missing; rename 'sram' to it$"),
        ("board: {name: x, sram_bytes: 9, Cpu: a}", r"\$\.board\.Cpu: .* did you mean 'cpu'\?$"),
        ("zzz: 1", r"\$\.zzz: unknown key; known keys: board, budget_bytes, .*, target, verify$"),
        ("str: 1", r"\$\.str: unknown key; known keys: board"),
        ("'': 1", r"\$\.: unknown key; known keys: board"),
        ("'a.b c': 1", r"\$\.a\.b c: unknown key"),
        ("<<: {out: x}", r"\$\.<<: unknown key"),
    ],
)
def test_an_unknown_key_names_the_nearest(text: str, says: str, write: Write) -> None:
    assert re.match(says, refusal(write(text)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("budget_bytes: 256kB", "$.budget_bytes: got '256kB', want a whole number (write 262144)"),
        ("budget_bytes: 1MB", "$.budget_bytes: got '1MB', want a whole number (write 1048576)"),
        ("budget_bytes: 1.5", "$.budget_bytes: got 1.5, want a whole number"),
        ("budget_bytes: true", "$.budget_bytes: got True, want a whole number"),
        ("budget_bytes: 0", "$.budget_bytes: got 0, want greater than 0"),
        ("budget_bytes: [1]", "$.budget_bytes: got a list, want a whole number"),
        ("budget_bytes: 2024-01-01", "$.budget_bytes: got '2024-01-01', want a whole number"),
        (f"budget_bytes: {10**19}", f"$.budget_bytes: got {10**19}, want at most 2147483648"),
        (f"budget_bytes: 0x1{'0' * 9000}", "$.budget_bytes: got a number of 36001 bits, want"),
        ("solve: {workers: 65}", "$.solve.workers: got 65, want at most 64"),
        ("solve: {time_limit_s: .nan}", "$.solve.time_limit_s: got nan, want "),
        ("objective: {ram_weight: .nan}", "$.objective.ram_weight: got nan, want a finite number"),
        ("objective: {ram_weight: .inf}", "$.objective.ram_weight: got inf, want a finite number"),
        ("objective: {ram_weight: -1}", "$.objective.ram_weight: got -1, want at least 0"),
        (
            "objective: {minimise: ram}",
            "$.objective.minimise: got 'ram', want 'balanced', 'fit', 'smallest' or 'weighted'",
        ),
        ("verify: {litert: 1}", "$.verify.litert: got 1, want true or false"),
        ("out: 3", "$.out: got 3, want a string"),
        ("target: quemu", "$.target: got 'quemu', want host, qemu, fvp"),
        ("cut: {allow: 3}", "$.cut.allow: got 3, want a list"),
        ("cut: {forbid: [1, 1.5]}", "$.cut.forbid[1]: got 1.5, want a whole number or a string"),
        ("cut: {allow: [0]}", "$.cut.allow[0]: got 0, want at least 1 or a string"),
        ("cut: [1]", "$.cut: got a list, want a mapping with keys of its own (allow, forbid)"),
        (
            "model: a.tflite",
            "$.model: got 'a.tflite', want a mapping with keys of its own (path, io, signature)",
        ),
        ("model:", "$.model: got None, want a mapping with keys of its own (path, io, signature)"),
        ("model: {}", "$.model.path: missing; add it"),
        ("board: 5", "$.board: got 5, want a mapping with keys of its own (name, "),
        ("board: {name: x, sram_bytes: 64kB}", "$.board.sram_bytes: got '64kB', want a whole num"),
        (
            "board: {name: x, sram_bytes: 64, reserved_bytes: 64}",
            "$.board: want reserved_bytes below sram_bytes (64); nothing is left",
        ),
        (
            "board: {name: x, sram_bytes: 64, headroom_bytes: 8}",
            "$.board.headroom_bytes: got 8, want a multiple of 16",
        ),
        ("board: {name: ../x, sram_bytes: 64}", "$.board.name: got '../x', want a string to match"),
        (
            "objective: {ram_weight: 0, time_weight_per_kinsn: 0}",
            "$.objective: both weights are 0; want at least one above 0",
        ),
        ("objective: {ram_weight: 0.0000001}", "$.objective: weights have at most six decimals"),
        (
            "objective: {ram_weight: 1000000, time_weight_per_kinsn: 0.000001}",
            "$.objective: the weights are too far apart",
        ),
    ],
)
def test_a_wrong_value_says_where_what_and_what_instead(text: str, says: str, write: Write) -> None:
    assert refusal(write(text)).startswith(says)


@pytest.mark.parametrize("key", ["model", "board"])
def test_a_missing_key_is_named(key: str, write: Write) -> None:
    path = write()
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith(key)))
    assert refusal(path) == f"$.{key}: missing; add it"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("out: &a x\ntarget: *a", "line 4, column 9: aliases"),
        ("out: !!python/object/apply:os.system [id]", "line 3, column 6: tags"),
        ("budget_bytes: !!int ''", "line 3, column 15: tags"),
        ("budget_bytes: !!timestamp soon", "line 3, column 15: tags"),
        ("out: ! x", "line 3, column 6: tags"),
        ("out: a\nout: b", "line 4, column 1: key 'out' is there twice"),
        ("solve: {seed: 1, seed: 1}", "line 3, column 18: key 'seed' is there twice"),
        ("1: 2", "line 3, column 1: got 1 as a key, want a string"),
        ("? [a, b]\n: 3", "line 3, column 3: got a list as a key, want a string"),
        ("on: 3", "line 3, column 1: got True as a key, want a string"),
        ('out: "a\\0b"', "line 3, column 6: 'a\\x00b' holds characters"),
        ('out: "\\ud800"', "line 3, column 6: '\\ud800' holds characters"),
        (f"budget_bytes: {'9' * 5000}", "Exceeds the limit"),
        (f"budget_bytes: 1{':00' * 400}.0", ""),
        ("out: [" + "[" * 5000, ""),
        ("out: " + "{a: " * 5000, ""),
        ("--- {}", ""),
        ("out: \t'", ""),
    ],
)
def test_all_but_plain_yaml_is_refused(text: str, says: str, write: Write) -> None:
    assert refusal(write(text)).startswith(f"not plain YAML: {says}")


def test_where_yaml_breaks_off_is_told_by_line_column_and_a_caret(write: Write) -> None:
    with pytest.raises(UsageError) as caught:
        read_job(write("solve: {seed: 1\nout: x"))
    assert "line 4, column 4: while parsing a flow mapping that begins in line 3: exp" in str(
        caught.value
    )
    assert caught.value.facts["excerpt"].splitlines() == ["  out: x", "     ^"]


@pytest.mark.parametrize(
    ("text", "got"),
    [("", "None"), ("3", "3"), ("- a", "a list"), ("text", "'text'"), ("2024-01-01", "'2024")],
)
def test_a_file_that_is_no_mapping(text: str, got: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert refusal(path).startswith(f"$: got {got}")
    assert refusal(path).endswith("want a mapping of keys (`model: ...`)")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent.yaml") == "cannot be read: No such file or directory"
    os.mkfifo(tmp_path / "pipe")  # opening one that nobody writes to waits for ever
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        assert refusal(path) == "not a file; want a YAML file, or a model"
    (tmp_path / "latin.yaml").write_bytes("out: Zürich".encode("latin-1"))
    assert refusal(tmp_path / "latin.yaml") == "cannot be read: it is not UTF-8 text"


def test_a_large_file_is_refused_at_the_limit(tmp_path: Path) -> None:
    big = tmp_path / "big.yaml"
    big.write_bytes(b"# " + b"x" * (2 << 20))
    assert refusal(big) == f"larger than {MAX_YAML_BYTES:,} bytes; want a short YAML file"


def test_many_keys_are_read_in_linear_time(write: Write) -> None:
    """Each key was compared with every key before it: minutes for a file within the limit."""
    path = write("".join(f"k{number}: 1\n" for number in range(20_000)))
    assert refusal(path).startswith("$.k0: unknown key")


def test_every_job_of_the_checkout_is_sound() -> None:
    jobs = sorted((CHECKOUT / "configs" / "jobs").glob("*.yaml"))
    assert jobs
    for path in jobs:
        assert read_job(path).model_path.is_file()


def test_paths_are_relative_to_the_job_and_defaults_are_filled_in(write: Write) -> None:
    path = write("model: {path: ../m.tflite}\nverify: {data: d.npy}")
    job = read_job(path)
    assert job.model_path.resolve() == path.parent.parent / "m.tflite"
    assert job.data_path == path.parent / "d.npy"
    assert job.name == "a"
    assert job.spec.out == "results"
    assert (job.spec.solve.seed, job.spec.solve.workers) == (0, 1)
    assert read_job(write()).data_path is None


def test_overrides_replace_keys_and_are_checked_as_they_are(write: Write) -> None:
    path = write("budget_bytes: 5000")
    assert read_job(path, {"budget_bytes": 99}).budget_bytes == 99
    assert read_job(path, {"board": "corstone300_64k"}).board.name == "corstone300_64k"
    with pytest.raises(UsageError, match=r"\$\.budget_bytes: got -1"):
        read_job(path, {"budget_bytes": -1})


@pytest.mark.parametrize(
    ("spec", "weights"),
    [
        ({"minimise": "weighted"}, (1000, 1)),
        ({"ram_weight": 2.0, "time_weight_per_kinsn": 1000}, (2, 1)),
        ({"ram_weight": 0.1, "time_weight_per_kinsn": 0.3}, (1000, 3)),
        ({"ram_weight": 3, "time_weight_per_kinsn": 3000}, (1, 1)),
        ({"ram_weight": 0}, (0, 1)),
        ({"time_weight_per_kinsn": 0}, (1, 0)),
        ({"minimise": "peak_ram", "ram_weight": 0}, (1, 0)),
        ({"minimise": "added_time"}, (0, 1)),
        ({"ram_weight": 0.000001, "time_weight_per_kinsn": 0.000001}, (1000, 1)),
    ],
)
def test_weights_become_the_smallest_integers(
    spec: dict[str, Any], weights: tuple[int, int]
) -> None:
    assert integer_weights(ObjectiveSpec(**spec)) == weights


@given(st.integers(0, 10**6), st.integers(0, 3), st.integers(0, 10**6), st.integers(0, 3))
def test_integer_weights_keep_the_ratio_that_was_written(
    ram: int, ram_decimals: int, time: int, time_decimals: int
) -> None:
    ram_text = f"{Fraction(ram, 10**ram_decimals).__float__():.{ram_decimals}f}"
    time_text = f"{Fraction(time, 10**time_decimals).__float__():.{time_decimals}f}"
    spec = ObjectiveSpec(ram_weight=float(ram_text), time_weight_per_kinsn=float(time_text))
    try:
        per_byte, per_insn = integer_weights(spec)
    except UsageError as error:
        too_far = "too far apart" in str(error)
        assert too_far or ram == time == 0
        return
    assert per_byte * Fraction(time_text) == per_insn * 1000 * Fraction(ram_text)
    assert max(per_byte, per_insn) <= 2**30


@pytest.fixture(scope="module")
def graph() -> ModelGraph:
    return read_tflite(MODEL)


def cuts_of(graph: ModelGraph, job: Job) -> list[int]:
    return [int(cut) for cut in np.flatnonzero(allowed_segments(graph, job)[0]) if cut != 16]


def test_cuts_are_given_by_op_and_by_tensor(write: Write, graph: ModelGraph) -> None:
    assert len(graph.ops) == 16
    third = graph.tensors[graph.ops[2].outputs[0]].name
    assert cuts_of(graph, read_job(write())) == list(range(1, 16))
    by_tensor = write(yaml.safe_dump({"cut": {"allow": [7, third]}}))
    assert cuts_of(graph, read_job(by_tensor)) == [3, 7]
    both = write(yaml.safe_dump({"cut": {"allow": [7, 9], "forbid": [9, third]}}))
    assert cuts_of(graph, read_job(both)) == [7]
    assert cuts_of(graph, read_job(write("cut: {forbid: [1, 15]}"))) == list(range(2, 15))
    assert cuts_of(graph, read_job(write("cut: {allow: []}"))) == []


def test_cuts_that_the_model_does_not_have(write: Write, graph: ModelGraph) -> None:
    last = graph.tensors[graph.outputs[0]].name
    first = graph.tensors[graph.inputs[0]].name
    for cuts, says in [
        ({"allow": [16]}, r"\$\.cut\.allow: got 16, want 1 to 15 \(the cut before that op\)"),
        ({"forbid": ["nope"]}, r"\$\.cut\.forbid: no op makes a tensor named 'nope'"),
        ({"allow": [first]}, r"\$\.cut\.allow: no op makes a tensor named"),
        ({"allow": [last]}, r"\$\.cut\.allow: .* made by the last op; nothing is left to cut off"),
    ]:
        path = write(yaml.safe_dump({"cut": cuts}))
        with pytest.raises(UsageError, match=says) as caught:
            allowed_segments(graph, read_job(path))
        assert str(caught.value).startswith(f"{path}: ")

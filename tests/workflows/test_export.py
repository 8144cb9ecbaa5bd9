"""Exported sources: they hold the pieces, overwrite nothing, build and pass where they can."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from commands import splitopt
from diagnosis_bundles import digits
from host_builds import checked, finished_process, said_with_stand_in

from splitopt.base.errors import UsageError
from splitopt.config.job import read_job
from splitopt.runtime.op_resolver import any_op_header
from splitopt.runtime.program import COMPILER, RUNNER_SOURCES
from splitopt.runtime.tflm_library import find_library
from splitopt.workflows.export.code import array_text
from splitopt.workflows.export.exported import export_bundle
from splitopt.workflows.export.sources import namespace_of
from splitopt.workflows.run import run_job

TESTS = Path(__file__).parent


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of several pieces."""
    home = tmp_path_factory.mktemp("run")
    job = home / "squeeze-v2.yaml"
    job.write_text(
        f"model: {{path: {digits('squeeze')}}}\nboard: corstone300_256k\n"
        "objective: {minimise: smallest}\n"
    )
    return run_job(read_job(job), out=home / "out", verify=False).folder


@pytest.fixture
def bundle(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "bundle"))


@pytest.mark.needs("host compiler")
@pytest.mark.parametrize("zero_arena", [0, 1])
def test_the_runner_by_a_stand_in_for_tflm(zero_arena: int, tmp_path: Path) -> None:
    """Every step, copy and error code, with the sanitisers on; TFLM itself is not in this."""
    flag = f"-DSPLITOPT_ZERO_ARENA={zero_arena}"
    said = said_with_stand_in(TESTS / "runner_check.cc", tmp_path / "check", flag)
    assert said == "all as expected\n"


def test_the_sources_hold_the_pieces_and_the_plan(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "firmware" / "net"
    written = export_bundle(bundle, out).files
    assert {path.name for path in written} == {path.name for path in out.iterdir()}
    pieces = sorted((bundle / "pieces").iterdir())
    assert len(pieces) > 1
    for piece in pieces:
        text = (out / f"piece_{piece.stem.replace('-', '_')}.cc").read_text("utf-8")
        body = text[text.index("= {") : text.index("};")]
        data = bytes(int(number) for number in re.findall(r"\d+", body))
        assert data == piece.read_bytes()
        assert "alignas(16)" in text
    resolver = (out / "resolver.h").read_text("utf-8")
    assert set(re.findall(r"Add\w+", resolver)) < set(re.findall(r"Add\w+", any_op_header()))
    assert "AddConv2D();" in resolver
    assert not [path for path in out.iterdir() if "@" in path.read_text("utf-8")]


def test_what_was_not_proved_is_said_at_the_top(bundle: Path, tmp_path: Path) -> None:
    written = export_bundle(bundle, tmp_path / "net")
    assert written.unproved.startswith("NOT PROVED")
    head = (tmp_path / "net" / "README.md").read_text().split("- RAM:")[0]
    assert f"**{written.unproved}**" in head
    header = (tmp_path / "net" / "squeeze_v2_model.h").read_text()
    assert f"kRegionBytes = {written.region_bytes};" in header
    assert sum(written.kinds.values()) == len(written.files)
    assert written.kinds["pieces"] == len(list((tmp_path / "net").glob("piece_*.cc")))


def test_a_failed_check_is_said_at_the_top(bundle: Path, tmp_path: Path) -> None:
    check = {"name": "outputs", "status": "failed", "compared": "a", "inputs": 1, "detail": ""}
    verify = json.loads((bundle / "verify.json").read_text())
    verify |= {"status": "failed", "checks": [check | {"worst_difference": 3}]}
    (bundle / "verify.json").write_text(json.dumps(verify))
    export_bundle(bundle, tmp_path / "net")
    head = (tmp_path / "net" / "README.md").read_text().split("- RAM:")[0]
    assert "Check outputs FAILED" in head


def test_the_command_says_what_it_wrote(bundle: Path, tmp_path: Path) -> None:
    done = splitopt("export", bundle, "--out", "net", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split()[1].rstrip(":") for line in done.stdout.splitlines()] == [
        "files", "to", "read",
    ]  # fmt: skip
    assert "warning: NOT PROVED" in done.stderr
    listed = splitopt("export", bundle, "--out", "other", "-v", cwd=tmp_path)
    assert "other/squeeze_v2_model.h" in listed.stdout.splitlines()


def test_a_folder_of_runs_names_them(bundle: Path, tmp_path: Path) -> None:
    done = splitopt("export", tmp_path, "--out", "net", cwd=tmp_path)
    assert done.returncode == 2
    assert f"one of these in {tmp_path}: {bundle.name}" in done.stderr
    done = splitopt("export", bundle, cwd=tmp_path)
    assert done.returncode == 2
    assert "'--out'" in done.stderr
    assert "splitopt export -h" in done.stderr


def test_nothing_is_overwritten_and_nothing_half_written(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "there"
    out.mkdir()
    export_bundle(bundle, out)  # an empty folder is as good as none
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(UsageError, match="already exists"):
        export_bundle(bundle, out)
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}
    one, other, *_ = sorted((bundle / "pieces").iterdir())
    other.write_bytes(one.read_bytes())
    with pytest.raises(UsageError, match="is not the piece that the run wrote"):
        export_bundle(bundle, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_an_edited_plan_is_refused(bundle: Path, tmp_path: Path) -> None:
    """Its layout was checked when it was planned; an export would take an overlap as it is."""
    plan = json.loads((bundle / "plan.json").read_text())
    plan["layout"]["boundary"][0]["offset"] += 16
    (bundle / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(UsageError, match=r"plan\.json: changed since the run wrote it"):
        export_bundle(bundle, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("job", "name"),
    [("kws-v2", "kws_v2_model"), ("2d", "m2d_model"), ("int", "int_model"), ("é!", "split_model")],
)
def test_names_are_c_names(job: str, name: str) -> None:
    assert namespace_of(job) == name


def test_arrays_are_texts_of_numbers() -> None:
    data = bytes(range(256))
    assert [int(n) for n in re.findall(r"\d+", array_text(data))] == list(data)


@pytest.mark.needs("compiler", "tflm")
def test_the_sources_compile_for_the_cortex_m55(bundle: Path, tmp_path: Path) -> None:
    found = find_library(None)
    out = tmp_path / "net"
    export_bundle(bundle, out)
    includes = [f"-I{path}" for path in (out, *found.include)]
    piece = min(path.name for path in out.glob("piece_*.cc"))
    for source in (*RUNNER_SOURCES, "squeeze_v2_model.cc", piece):
        words = [COMPILER, "-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-std=c++17"]
        words += ["-DTF_LITE_STATIC_MEMORY", "-fno-exceptions", "-fno-rtti", *includes, "-c"]
        done = finished_process([*words, str(out / source), "-o", str(tmp_path / "x.o")])
        assert done.returncode == 0, done.stderr


@pytest.mark.needs("host compiler", "cmake", "host tflm")
def test_the_sources_build_and_pass_on_this_machine(bundle: Path, tmp_path: Path) -> None:
    """Against a TFLM that was built for it: outputs equal, byte for byte."""
    out = tmp_path / "net"
    export_bundle(bundle, out)
    assert checked(out) == "every output byte is equal"


def test_a_wrong_layout_is_refused_in_plain_words(tmp_path: Path) -> None:
    done = splitopt("export", tmp_path, "--out", "net", "--as", "ardunio", cwd=tmp_path)
    assert done.returncode == 2
    assert "'ardunio' is not one of 'cmake', 'zephyr'" in done.stderr
    assert "did you mean 'arduino'?" in done.stderr
    assert "Value error" not in done.stderr

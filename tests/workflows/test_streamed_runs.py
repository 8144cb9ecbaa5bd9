"""Plans with streams, timed on the simulated target, and exported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from diagnosis_bundles import digits
from host_builds import checked
from streamed_bundles import streamed_run

from splitopt.bundle.open import open_bundle
from splitopt.config.job import read_job
from splitopt.config.target import read_target
from splitopt.runtime.links import Link, PieceLinks
from splitopt.runtime.stream_tables import NOWHERE
from splitopt.workflows.export.by_rows import rows_text
from splitopt.workflows.export.exported import export_bundle
from splitopt.workflows.run import run_job
from splitopt.workflows.time import time_bundle


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize(
    ("model", "by_rows"),
    [("resnet8", False), ("squeeze", False), ("mbv2", False), ("mbv2", True)],
)
def test_streams_use_and_make_what_is_predicted(model: str, by_rows: bool, tmp_path: Path) -> None:
    """In a region of exactly the plan's size: bytes exactly, outputs of the host's TFLM."""
    folder = streamed_run(tmp_path, model, verify=False, by_rows=by_rows).folder
    bundle = open_bundle(folder)
    found = time_bundle(folder, read_target("qemu", tmp_path))
    assert {check.name: check.status.value for check in found.checks} == {
        "target_bytes": "passed",
        "target_outputs": "passed",
    }
    timing = found.document
    for piece, timed in zip(bundle.pieces, timing.pieces, strict=True):
        groups = () if piece.stream is None else piece.stream.groups
        assert [group.executions for group in timed.groups] == [group.rows for group in groups]
        if groups:
            allocate = timed.simulated("allocate", "insn")
            assert timed.estimated_allocate_insn == pytest.approx(allocate, rel=0.01)
    counted, estimated = timing.simulated_added_insn, timing.estimated_added_insn
    region = f"{bundle.plan.layout.region_bytes:,} B"
    print(model, region, "by rows" * by_rows, f"added {counted:,} insn, estimated {estimated:,}")
    assert estimated == pytest.approx(counted, rel=0.015)


@pytest.mark.needs("compiler", "qemu", "tflm")
def test_a_model_that_is_one_stream_is_timed_as_built_once(tmp_path: Path) -> None:
    job = tmp_path / "unet.yaml"
    job.write_text(
        f"model: {{path: {digits('unet')}}}\nboard: corstone300_64k\nbudget_bytes: 24576\n"
    )
    folder = run_job(read_job(job), out=tmp_path / "out", verify=False).folder
    found = time_bundle(folder, read_target("qemu", tmp_path))
    assert {check.status.value for check in found.checks} == {"passed"}
    timing = found.document
    [piece] = timing.pieces
    assert len(piece.groups) > 1
    allocate = piece.simulated("allocate", "insn")
    assert allocate == pytest.approx(piece.estimated_allocate_insn, rel=0.01)
    assert timing.first is not None
    assert timing.further is not None
    first, further = (own.simulated("split", "insn") for own in (timing.first, timing.further))
    assert first - further == allocate + piece.simulated("construct", "insn")
    assert further == timing.simulated("split_inference", "insn")
    assert timing.simulated_added_insn == pytest.approx(timing.estimated_added_insn, rel=0.03)


@pytest.mark.needs("host compiler", "cmake", "host tflm")
@pytest.mark.parametrize(("model", "by_rows"), [("resnet8", False), ("squeeze", True)])
def test_exported_streams_build_and_pass_on_this_machine(
    model: str, by_rows: bool, tmp_path: Path
) -> None:
    """Against a TFLM that was built for it, sanitisers on where it has them: outputs equal, byte
    for byte, line buffers and groups in one arena; rows of inputs come from a RowSource."""
    folder = streamed_run(tmp_path, model, verify=False, by_rows=by_rows).folder
    out = tmp_path / "net"
    export_bundle(folder, out)
    assert ("## Input by rows" in (out / "README.md").read_text()) == by_rows
    assert checked(out) == "every output byte is equal"


def test_exported_streams_hold_groups_and_say_what_they_take(tmp_path: Path) -> None:
    folder = streamed_run(tmp_path, "squeeze", verify=False).folder
    bundle, out = open_bundle(folder), tmp_path / "net"
    export_bundle(folder, out)
    files = sorted((folder / "pieces").iterdir())
    assert len(files) > len(bundle.pieces)
    arrays = [(out / f"piece_{file.stem.replace('-', '_')}.cc").read_text() for file in files]
    for file, text in zip(files, arrays, strict=True):
        body = text[text.index("= {") : text.index("};")]
        assert bytes(map(int, re.findall(r"\d+", body))) == file.read_bytes()
    readme = (out / "README.md").read_text()
    assert f"{len(files)} files of {len(bundle.pieces)} pieces: " in readme
    assert f"{sum(file.stat().st_size for file in files):,} B" in readme
    assert "## Input by rows" not in readme


def test_inputs_by_rows_are_explained() -> None:
    given = Link(0, 0, NOWHERE, 96 * 288, 288)
    text = rows_text([PieceLinks((given,), ())])
    assert "input 0: 96 rows of 288 B" in text
    assert "asks for each row once" in text
    held = Link(0, 0, 16, 96 * 288, 288)
    assert rows_text([PieceLinks((held,), ())]) == ""

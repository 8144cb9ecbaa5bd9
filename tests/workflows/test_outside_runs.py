"""Plans with boundary tensors and the model's input in a second memory: written, shown, exported,
and timed on the simulated target."""

from __future__ import annotations

from pathlib import Path

import pytest
from diagnosis_bundles import digits
from host_builds import checked

from splitopt.bundle.load import load_run
from splitopt.bundle.open import open_bundle
from splitopt.config.job import read_job
from splitopt.config.target import read_target
from splitopt.report.charts.outside_map import outside_maps
from splitopt.workflows.export.exported import export_bundle
from splitopt.workflows.run import run_job
from splitopt.workflows.time import time_bundle

JOB = """
model: {path: %s}
board:
  name: two
  sram_bytes: 262144
  headroom_bytes: 0
  memories:
    - {name: far-ram, bytes: 65536, holds: [%s], written: always, read_cost: 2, write_cost: 3}
objective: {minimise: smallest}
verify: {inputs: 3, litert: false}
"""


@pytest.fixture(scope="module", params=["boundary, model_input", "boundary, model_input, tails"])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of whole and streamed pieces, its boundary tensors and its input in the far memory."""
    home = tmp_path_factory.mktemp("run")
    job = home / "squeeze.yaml"
    job.write_text(JOB % (digits("squeeze"), request.param))
    return run_job(read_job(job), out=home / "out").folder


def test_boundary_tensors_and_input_lie_outside(finished: Path) -> None:
    plan = load_run(finished).plan
    inside = [own for own in plan.layout.boundary if own.memory is None]
    assert not inside
    assert {own.memory for own in plan.layout.boundary} == {"far-ram"}
    assert 0 in {own.first_segment for own in plan.layout.boundary}
    assert plan.peak_ram_bytes == plan.largest_arena_bytes
    [memory] = plan.memories
    assert plan.boundary_bytes("far-ram") <= memory.used_bytes <= memory.bytes
    [drawn] = outside_maps(plan)
    assert drawn.svg.count("<title>boundary tensor") == len(plan.layout.boundary)
    page = (finished / "report.html").read_text()
    assert "Memory far-ram: what lies there while pieces run" in page
    assert "Boundary tensors lie in far-ram, too." in page
    assert (
        f"Memory far-ram: {memory.used_bytes:,} B of 65,536 B used"
        in (finished / "summary.txt").read_text()
    )


def test_an_export_says_where_boundary_tensors_lie(finished: Path, tmp_path: Path) -> None:
    bundle = open_bundle(finished)
    export_bundle(finished, tmp_path / "net")
    [name] = [path.stem for path in (tmp_path / "net").glob("*_model.h")]
    header, source = ((tmp_path / "net" / f"{name}{end}").read_text() for end in (".h", ".cc"))
    readme = (tmp_path / "net" / "README.md").read_text()
    target = header.split("#else")[1]
    used = bundle.plan.memories[0].used_bytes
    assert f"kStoreFarRamBytes = {used};" in target
    assert f"kStores[] = {{{{{used}, 0}}}};" in source
    [given] = [own for own in bundle.plan.layout.boundary if own.tensor in bundle.graph.inputs]
    assert f"kInput0Offset = {given.offset};  // of stores[0]" in target
    assert f"stores[0]->Place({name}::kInput0Offset, {name}::kInput0Bytes)" in readme
    assert "runner.Prepare(stores);" in readme
    assert f"- far-ram: {used:,} B, plain memory, for " in readme
    assert "boundary tensors and inputs of the model\n" in readme
    assert readme.index("static splitopt::Store* stores[]") < readme.index("stores[0]->Place(")
    assert "\n\n\n" not in readme


@pytest.mark.needs("compiler", "qemu", "tflm")
def test_pieces_use_and_make_what_is_predicted(finished: Path, tmp_path: Path) -> None:
    found = time_bundle(finished, read_target("qemu", tmp_path))
    assert {check.name: check.status.value for check in found.checks} == {
        "target_bytes": "passed",
        "target_outputs": "passed",
    }


@pytest.mark.needs("host compiler", "cmake", "host tflm")
def test_an_export_builds_and_passes_on_this_machine(finished: Path, tmp_path: Path) -> None:
    export_bundle(finished, tmp_path / "net")
    assert checked(tmp_path / "net") == "every output byte is equal"

"""Plans with streams, timed on the simulated target."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamed_bundles import streamed_run

from splitopt.bundle.open import open_bundle
from splitopt.config.target import read_target
from splitopt.workflows.time import time_bundle


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize("model", ["resnet8", "squeeze", "mbv2"])
def test_streams_use_and_make_what_is_predicted(model: str, tmp_path: Path) -> None:
    """In a region of exactly the plan's size: bytes exactly, outputs of the host's TFLM."""
    folder = streamed_run(tmp_path, model, verify=False).folder
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
    counted, estimated = timing.simulated_added_insn, timing.estimated_added_insn
    print(model, f"added {counted:,} insn, estimated {estimated:,}")
    assert estimated == pytest.approx(counted, rel=0.02)

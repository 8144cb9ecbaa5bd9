"""Models with inputs that no op reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from images import ImageNet

from splitopt import Job
from splitopt.graph.model import ModelGraph
from splitopt.workflows.run import run_job


def with_unread(unread: tuple[int, int, int]) -> ModelGraph:
    net = ImageNet()
    source, other = net.image(12, 8, 2), net.image(*unread)
    made = net.conv(net.conv(source, 8, 3, 1, "same"), 2, 3, 1, "same")
    return net.graph([source, other], [made])


@pytest.mark.parametrize("minimise", ["peak_ram", "added_time"])
@pytest.mark.parametrize(
    "graph",
    [with_unread((12, 8, 2)), with_unread((40, 3, 1)), with_unread((5, 3, 1))],
)
def test_an_input_that_no_op_reads(graph: ModelGraph, minimise: str, tmp_path: Path) -> None:
    """TFLM plans it in the unsplit model, and pieces leave it out; both give the same outputs."""
    model = tmp_path / "model.tflite"
    model.write_bytes(graph.source)
    made = run_job(
        Job.of(model=str(model), board="corstone300_64k", objective={"minimise": minimise}),
        out=tmp_path,
    )
    assert made.is_equal
    assert made.plan.status.name == "OPTIMAL"
    unread = graph.inputs[1]
    if len(made.plan.segments) > 1:
        assert all(unread not in s.figures.segment.inputs for s in made.plan.segments)

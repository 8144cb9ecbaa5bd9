"""A tensor that no op touches, as tools leave them that take ops out of a model."""

from __future__ import annotations

from pathlib import Path

from builder import Builder

from splitopt import Job
from splitopt.bundle.load import load_run
from splitopt.graph.tflite_reader import read_tflite
from splitopt.workflows.run import run_job


def test_it_is_planned_with_the_model_and_left_out_of_pieces(tmp_path: Path) -> None:
    builder = Builder()
    source, inner, out = (builder.tensor([1, 64]) for _ in range(3))
    idle = builder.tensor([1, 640])
    builder.relu(source, inner)
    builder.relu(inner, out)
    path = tmp_path / "stripped.tflite"
    path.write_bytes(builder.bytes([source], [out]))
    job = Job.of(model=path, board="corstone300_64k", objective={"minimise": "smallest"})
    result = run_job(job, out=tmp_path)
    assert result.is_equal
    names = {builder.graph.tensors[idle].name}
    for piece in sorted((result.folder / "pieces").glob("*.tflite")):
        assert not names & {tensor.name for tensor in read_tflite(piece).tensors}
    assert all(
        buffer.stop > buffer.start for buffer in load_run(result.folder).memory.unsplit.buffers
    )

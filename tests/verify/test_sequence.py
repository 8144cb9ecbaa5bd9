"""State that is carried from one inference to the next: TFLM, pieces and LiteRT agree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from stateful_models import Drawn, lstm_net, streaming_net, svdf_net

from splitopt.bundle.open import open_bundle
from splitopt.config.job import Job
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.runtime.arrays import Array, random_inputs
from splitopt.verify.chains import PieceFile, run_pieces, run_whole
from splitopt.verify.check import CheckStatus
from splitopt.verify.sequence import sequence_check
from splitopt.workflows.run import run_job

LIMIT_S = 60.0


def judged(model: bytes, home: Path) -> CheckStatus:
    path, graph = home / "net.tflite", parse_tflite(model, name="net")
    path.write_bytes(model)
    fed = dict(zip(graph.inputs, random_inputs(graph, 8, 0), strict=True))
    check = sequence_check(graph, path, fed, LIMIT_S)
    assert check.inputs == 8
    return check.status


def test_a_run_proves_one_piece_and_the_sequence(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(svdf_net())
    run = run_job(Job.of(model=str(path), board="corstone300_64k"), out=tmp_path / "out")
    checks = {check.name: (check.status.value, check.inputs) for check in run.checks}
    assert checks["outputs"] == checks["sequence"] == checks["litert"] == ("passed", 8)
    assert "keep state between inferences" in (run.folder / "summary.txt").read_text("utf-8")


@pytest.mark.parametrize("model", [svdf_net(), streaming_net(60, [64, 2, 64, 2])])
def test_pieces_carry_state_as_the_unsplit_model_does(model: bytes, tmp_path: Path) -> None:
    """Over eight inferences, bit for bit; one that began anew at each of them would not."""
    path, graph = tmp_path / "net.tflite", parse_tflite(model, name="net")
    path.write_bytes(model)
    settings = {"objective": {"minimise": "smallest"}, "pieces": {"bands": False}}
    job = Job.of(model=str(path), board="corstone300_64k", **settings)
    run = run_job(job, out=tmp_path / "out")
    checks = {check.name: (check.status.value, check.inputs) for check in run.checks}
    names = ("outputs", "boundaries", "sequence", "litert")
    assert [checks[name] for name in names] == [("passed", 8)] * 4
    opened, [output] = open_bundle(run.folder).pieces, graph.outputs
    files = [PieceFile(piece.path, piece.segment) for piece in opened]
    assert len(files) > 1

    def cut(fed: Mapping[int, Array]) -> list[bytes]:
        """Of interpreters that are made for this."""
        made = run_pieces(files, [graph] * len(files), fed, LIMIT_S)[output]
        return [sample.tobytes() for sample in made]

    feeds = dict(zip(graph.inputs, random_inputs(graph, 8, 0), strict=True))
    whole = [sample.tobytes() for sample in run_whole(graph, path, feeds, LIMIT_S)[output]]
    assert cut(feeds) == whole
    anew = [cut({t: feed[k : k + 1] for t, feed in feeds.items()})[0] for k in range(3)]
    assert anew[0] == whole[0]
    assert anew != whole[:3]


def test_outputs_depend_on_what_was_run_before(tmp_path: Path) -> None:
    """Otherwise the checks of a sequence would show nothing."""
    for name, model in (("svdf", svdf_net()), ("lstm", lstm_net())):
        path, graph = tmp_path / name, parse_tflite(model, name=name)
        path.write_bytes(model)
        [feed] = random_inputs(graph, 3, 1)
        last = {}
        for order in ([0, 1, 2], [1, 0, 2]):
            made = run_whole(graph, path, {graph.inputs[0]: feed[order]}, LIMIT_S)
            last[tuple(order)] = made[graph.outputs[0]][-1]
        assert not np.array_equal(*last.values()), name


def test_what_carries_another_state_is_warned_of(tmp_path: Path) -> None:
    """LiteRT takes every quantised state of SVDF for int16, TFLM runs int8 as well."""
    net = Drawn()
    first = net.activation([1, 16])
    model = net.bytes([first], [net.svdf(first, 8, 5, "INT8")])
    assert judged(model, tmp_path) is CheckStatus.WARNING
    assert judged(svdf_net(), tmp_path) is CheckStatus.PASSED


@pytest.mark.parametrize("bad", [b"", b"not a model"])
def test_what_cannot_be_run_is_skipped(bad: bytes, tmp_path: Path) -> None:
    graph, path = parse_tflite(svdf_net(), name="net"), tmp_path / "net.tflite"
    path.write_bytes(bad)
    fed = dict(zip(graph.inputs, random_inputs(graph, 1, 0), strict=True))
    assert sequence_check(graph, path, fed, LIMIT_S).status is CheckStatus.SKIPPED

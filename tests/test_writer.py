"""Pieces: what is taken over, what is left out, and that the same segment gives the same bytes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from handmade import branches, dense, diamond, with_custom_op

from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import segment_of
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.pieces.writer import write_piece

FindModel = Callable[[str], Path]
REPOSITORY = Path(__file__).resolve().parents[1]
IN_REPOSITORY = sorted((REPOSITORY / "configs" / "models").glob("*.tflite"))


def plain(value: Any) -> Any:
    """Objects of the generated bindings as comparable data."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if hasattr(value, "__dict__"):
        return {key: plain(inner) for key, inner in vars(value).items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def model_of(data: bytes) -> Any:
    return fb.ModelT.InitFromPackedBuf(data)


def segments_of(graph: ModelGraph) -> list[tuple[int, int]]:
    n = len(graph.ops)
    step = max(1, n // 6)
    return [(i, j) for i in range(0, n, step) for j in range(i + 1, n + 1, step)]


def check_piece(graph: ModelGraph, start: int, stop: int) -> None:
    segment = segment_of(graph, start, stop)
    data = write_piece(graph, segment)
    whole, piece = model_of(graph.source), model_of(data)
    old, new = whole.subgraphs[0], piece.subgraphs[0]
    assert len(new.tensors) == len(segment.tensors)
    for number, tensor in zip(segment.tensors, new.tensors, strict=True):
        want, got = plain(old.tensors[number]), plain(tensor)
        want_data = plain(whole.buffers[want.pop("buffer")].data)
        got_data = plain(piece.buffers[got.pop("buffer")].data)
        assert (want, want_data) == (got, got_data)
    for number, operator in zip(range(start, stop), new.operators, strict=True):
        origin = old.operators[number]
        for name in (
            "builtinOptionsType",
            "builtinOptions",
            "customOptions",
            "customOptionsFormat",
        ):
            assert plain(getattr(origin, name)) == plain(getattr(operator, name))
        codes = whole.operatorCodes[origin.opcodeIndex], piece.operatorCodes[operator.opcodeIndex]
        assert plain(codes[0]) == plain(codes[1])
        mapped = [segment.tensors[t] if t >= 0 else t for t in operator.inputs]
        assert mapped == plain(origin.inputs)
        assert [segment.tensors[t] for t in operator.outputs] == plain(origin.outputs)
    check_nothing_is_dead(piece)
    check_alignment(data)


def check_nothing_is_dead(piece: Any) -> None:
    graph = piece.subgraphs[0]
    named = {int(t) for op in graph.operators for t in (*op.inputs, *op.outputs) if t >= 0}
    assert named | {int(t) for t in graph.inputs} == set(range(len(graph.tensors)))
    used = {tensor.buffer for tensor in graph.tensors}
    assert used | {0} == set(range(len(piece.buffers)))
    assert {op.opcodeIndex for op in graph.operators} == set(range(len(piece.operatorCodes)))


def check_alignment(data: bytes) -> None:
    base = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    for tensor in parse_tflite(data, name="piece").tensors:
        if tensor.is_constant:
            at = np.frombuffer(tensor.data, np.uint8).__array_interface__["data"][0]
            assert (at - base) % 16 == 0


@pytest.mark.parametrize("path", IN_REPOSITORY, ids=lambda path: path.stem)
def test_pieces_of_the_repositorys_models_keep_everything(path: Path) -> None:
    graph = read_tflite(path)
    for start, stop in segments_of(graph):
        check_piece(graph, start, stop)


@pytest.mark.parametrize(
    "name", ["person_detect_int8", "ic_resnet8_int8", "kws_dscnn_int8", "ad01_int8"]
)
def test_pieces_of_public_models_keep_everything(name: str, shared_model: FindModel) -> None:
    graph = read_tflite(shared_model(name))
    for start, stop in segments_of(graph):
        check_piece(graph, start, stop)


@pytest.mark.parametrize(
    "make", [diamond, dense, lambda: dense(bias=False), with_custom_op, branches]
)
def test_every_piece_of_a_handmade_model_keeps_everything(make: Callable[[], bytes]) -> None:
    graph = parse_tflite(make(), name="m")
    n = len(graph.ops)
    for start in range(n):
        for stop in range(start + 1, n + 1):
            check_piece(graph, start, stop)


def test_inputs_and_outputs_of_the_whole_keep_their_order() -> None:
    graph = parse_tflite(branches(), name="m")
    piece = parse_tflite(write_piece(graph, segment_of(graph, 0, 3)), name="p")
    assert [piece.tensors[t].name for t in piece.inputs] == ["t1", "t0"]
    assert [piece.tensors[t].name for t in piece.outputs] == ["t4", "t2"]


def test_bytes_are_the_same_in_every_process() -> None:
    path = IN_REPOSITORY[0]
    graph = read_tflite(path)
    here = hashlib.sha256(write_piece(graph, segment_of(graph, 1, 5))).hexdigest()
    code = (
        "import hashlib, pathlib\n"
        "from splitopt.graph.tflite_reader import read_tflite\n"
        "from splitopt.graph.segments import segment_of\n"
        "from splitopt.pieces.writer import write_piece\n"
        f"graph = read_tflite(pathlib.Path({str(path)!r}))\n"
        "print(hashlib.sha256(write_piece(graph, segment_of(graph, 1, 5))).hexdigest())"
    )
    for seed in ("1", "77"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == here


def test_single_op_pieces_together_cost_little_more_than_the_model() -> None:
    """Constants are not copied into pieces that do not use them."""
    for path in IN_REPOSITORY:
        graph = read_tflite(path)
        pieces = [write_piece(graph, segment_of(graph, k, k + 1)) for k in range(len(graph.ops))]
        assert sum(map(len, pieces)) < len(graph.source) + 1500 * len(pieces)

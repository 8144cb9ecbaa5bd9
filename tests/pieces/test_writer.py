"""Pieces: what is taken over, what is left out, and that the same segment gives the same bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from builder import Builder
from models import SOUND
from needs import PUBLIC_MODELS, SHARED_MODELS

from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.pieces.writer import write_piece
from splitopt.runtime.model_builder import relu_model

FindModel = Callable[[str], Path]
REPOSITORY = Path(__file__).resolve().parents[2]
IMPORTS = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])
IN_REPOSITORY = sorted((REPOSITORY / "configs" / "models").glob("*.tflite"))
OPERATOR_NUMBERS = ("opcodeIndex", "inputs", "outputs", "intermediates")


def plain(value: Any) -> Any:
    """Objects of the generated bindings as comparable data."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if hasattr(value, "__dict__"):
        return {key: plain(inner) for key, inner in vars(value).items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def model_of(data: bytes) -> Any:
    return fb.ModelT.InitFromPackedBuf(data)


def some_segments(graph: ModelGraph) -> list[tuple[int, int]]:
    n = len(graph.ops)
    step = max(1, n // 6)
    return [(i, j) for i in range(0, n, step) for j in range(i + 1, n + 1, step)] + [(0, n)]


def all_segments(graph: ModelGraph) -> list[tuple[int, int]]:
    n = len(graph.ops)
    return [(i, j) for i in range(n) for j in range(i + 1, n + 1)]


def check_piece(graph: ModelGraph, whole: Any, start: int, stop: int) -> None:
    segment = segment_of(graph, start, stop)
    data = write_piece(graph, segment)
    piece = model_of(data)
    check_tensors(whole, piece, segment)
    check_operators(whole, piece, segment)
    check_ends(whole, piece, segment)
    check_nothing_is_dead(piece)
    check_alignment(data)
    check_graph_of(graph, parse_tflite(data, name="piece"), segment)


def check_tensors(whole: Any, piece: Any, segment: Segment) -> None:
    """Every field: name, shape, signature, type, quantisation with minima, variable; and data."""
    old, new = whole.subgraphs[0].tensors, piece.subgraphs[0].tensors
    assert len(new) == len(segment.tensors)
    for number, tensor in zip(segment.tensors, new, strict=True):
        want, got = plain(old[number]), plain(tensor)
        want_data = plain(whole.buffers[want.pop("buffer")].data)
        got_data = plain(piece.buffers[got.pop("buffer")].data)
        assert (want, want_data or None) == (got, got_data or None)


def check_operators(whole: Any, piece: Any, segment: Segment) -> None:
    """Every field as it was; the indices among them name the same codes and tensors."""
    originals = whole.subgraphs[0].operators[segment.start : segment.stop]
    for origin, operator in zip(originals, piece.subgraphs[0].operators, strict=True):
        want, got = plain(origin), plain(operator)
        numbers = {name: (want.pop(name), got.pop(name)) for name in OPERATOR_NUMBERS}
        assert want == got
        old_code, new_code = numbers.pop("opcodeIndex")
        assert plain(whole.operatorCodes[old_code]) == plain(piece.operatorCodes[new_code])
        for theirs, mine in numbers.values():
            assert (theirs or []) == [segment.tensors[t] if t >= 0 else t for t in mine or []]


def check_ends(whole: Any, piece: Any, segment: Segment) -> None:
    new = piece.subgraphs[0]
    assert tuple(segment.tensors[t] for t in new.inputs) == segment.inputs
    assert tuple(segment.tensors[t] for t in new.outputs) == segment.outputs
    assert (piece.version, piece.description) == (whole.version, whole.description)
    assert new.name == whole.subgraphs[0].name


def check_nothing_is_dead(piece: Any) -> None:
    graph = piece.subgraphs[0]
    named = {int(t) for t in graph.inputs}
    for op in graph.operators:
        between = [] if op.intermediates is None else op.intermediates
        named |= {int(t) for t in (*op.inputs, *op.outputs, *between) if t >= 0}
    assert named == set(range(len(graph.tensors)))
    assert {tensor.buffer for tensor in graph.tensors} | {0} == set(range(len(piece.buffers)))
    assert {op.opcodeIndex for op in graph.operators} == set(range(len(piece.operatorCodes)))
    assert piece.buffers[0].data is None


def check_alignment(data: bytes) -> None:
    """Constants stand on 16 bytes of the file, as the bindings find them."""
    model = fb.Model.GetRootAs(data)
    first_slot = 4
    for number in range(1, model.BuffersLength()):
        table = model.Buffers(number)._tab
        assert table.Vector(table.Offset(first_slot)) % 16 == 0


def check_graph_of(graph: ModelGraph, piece: ModelGraph, segment: Segment) -> None:
    for number, mine in zip(segment.tensors, piece.tensors, strict=True):
        was = graph.tensors[number]
        assert (was.name, was.shape, was.dtype) == (mine.name, mine.shape, mine.dtype)
        assert (was.kind, was.quantization) == (mine.kind, mine.quantization)
        assert was.data == mine.data
    for was_op, op in zip(graph.ops[segment.start : segment.stop], piece.ops, strict=True):
        assert (was_op.type, was_op.version, was_op.options) == (op.type, op.version, op.options)


def check_model(graph: ModelGraph, segments: list[tuple[int, int]]) -> None:
    whole = model_of(graph.source)
    for start, stop in segments:
        check_piece(graph, whole, start, stop)


@pytest.mark.parametrize("path", IN_REPOSITORY, ids=lambda path: path.stem)
def test_pieces_of_the_repositorys_models_keep_everything(path: Path) -> None:
    graph = read_tflite(path)
    check_model(graph, some_segments(graph))


@pytest.mark.parametrize("name", PUBLIC_MODELS)
def test_pieces_of_public_models_keep_everything(name: str, shared_model: FindModel) -> None:
    graph = read_tflite(shared_model(name))
    check_model(graph, some_segments(graph))


@pytest.mark.needs("public models")
def test_no_public_model_is_left_out() -> None:
    there = {path.stem for path in SHARED_MODELS.glob("*.tflite")}
    assert there - {path.stem for path in IN_REPOSITORY} == set(PUBLIC_MODELS)


@pytest.mark.parametrize("name", SOUND)
def test_every_piece_of_a_handmade_model_keeps_everything(name: str) -> None:
    graph = parse_tflite(SOUND[name](), name="m")
    check_model(graph, all_segments(graph))


def piece_of(name: str, start: int, stop: int) -> Any:
    graph = parse_tflite(SOUND[name](), name="m")
    return model_of(write_piece(graph, segment_of(graph, start, stop)))


def test_inputs_and_outputs_of_the_whole_keep_their_order() -> None:
    graph = piece_of("branches", 0, 3).subgraphs[0]
    assert [graph.tensors[t].name for t in graph.inputs] == [b"t1", b"t0"]
    assert [graph.tensors[t].name for t in graph.outputs] == [b"t4", b"t2"]


def test_an_input_that_nothing_reads_stays_with_the_whole_only() -> None:
    whole, part = piece_of("many_ends", 0, 3), piece_of("many_ends", 0, 2)
    assert [whole.subgraphs[0].tensors[t].name for t in whole.subgraphs[0].inputs] == [
        b"t2", b"t1", b"t0",
    ]  # fmt: skip
    assert b"t2" not in [tensor.name for tensor in part.subgraphs[0].tensors]


def test_custom_options_are_the_same_bytes() -> None:
    piece = piece_of("custom_op", 1, 2)
    assert piece.subgraphs[0].operators[0].customOptions.tobytes() == b"\x01\x02\x03options"
    assert piece.operatorCodes[0].customCode == b"MyOp"


def test_absent_inputs_stay_absent_and_variables_variable() -> None:
    piece = piece_of("recurrent", 0, 1).subgraphs[0]
    op = piece.operators[0]
    assert [t == -1 for t in op.inputs] == [False, False, False, True, False]
    assert op.mutatingVariableInputs.tolist() == [False] * 4 + [True]
    assert piece.tensors[op.inputs[4]].isVariable
    assert piece.tensors[op.intermediates[0]].name == b"t3"


def test_names_that_are_not_utf8_are_taken_over_as_they_are() -> None:
    piece = piece_of("vector_options", 0, 1)
    assert piece.description == b"latin-1: \xe9"
    assert piece.subgraphs[0].tensors[1].name == b"caf\xe9"


def test_two_tensors_on_one_buffer_stay_on_one() -> None:
    together = piece_of("quantized_in_every_way", 0, 2)
    assert len(together.buffers) == 2
    assert sum(tensor.buffer == 1 for tensor in together.subgraphs[0].tensors) == 2


def test_dead_weight_is_left_out() -> None:
    piece = piece_of("dead_weight", 0, 2)
    assert len(piece.subgraphs[0].tensors) == 3
    assert len(piece.buffers) == 1
    assert len(piece.operatorCodes) == 2
    assert not piece.metadata


@pytest.mark.parametrize("size", range(1, 34))
def test_constants_of_any_size_are_aligned(size: int) -> None:
    builder = Builder()
    source, out = builder.tensor([1]), builder.tensor([1])
    weights = [builder.tensor([n], data=bytes([n]) * n) for n in (size, 1, size + 1)]
    builder.op("CUSTOM", [source, *weights], [out], custom=("Mine", bytes(size)))
    graph = parse_tflite(builder.bytes([source], [out]), name="m")
    check_model(graph, [(0, 1)])


def test_a_piece_of_the_whole_piece_is_the_same_bytes() -> None:
    """Writing is idempotent: nothing drifts from one generation to the next."""
    for make in (*SOUND.values(), relu_model):
        graph = parse_tflite(make(), name="m")
        once = write_piece(graph, segment_of(graph, 0, len(graph.ops)))
        again = parse_tflite(once, name="m")
        assert write_piece(again, segment_of(again, 0, len(again.ops))) == once


def digest_of_pieces(path: Path) -> str:
    digest = hashlib.sha256()
    graphs = [read_tflite(path), *(parse_tflite(make(), name="m") for make in SOUND.values())]
    for graph in graphs:
        for start, stop in some_segments(graph):
            digest.update(write_piece(graph, segment_of(graph, start, stop)))
    return digest.hexdigest()


def test_bytes_are_the_same_twice_and_in_every_process() -> None:
    path = next(path for path in IN_REPOSITORY if path.stem.startswith("squeeze"))
    here = digest_of_pieces(path)
    assert digest_of_pieces(path) == here
    code = (
        "import pathlib, test_writer\n"
        f"print(test_writer.digest_of_pieces(pathlib.Path({str(path)!r})))"
    )
    for seed in ("1", "77"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": IMPORTS},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == here, f"PYTHONHASHSEED={seed}"


@pytest.mark.parametrize("path", IN_REPOSITORY, ids=lambda path: path.stem)
def test_single_op_pieces_together_cost_little_more_than_the_model(path: Path) -> None:
    """Each constant goes where it is used, and a piece of one op is about 1 KB of tables."""
    graph = read_tflite(path)
    pieces = [write_piece(graph, segment_of(graph, k, k + 1)) for k in range(len(graph.ops))]
    total = sum(map(len, pieces))
    constants = {t.buffer: len(t.data) for t in graph.tensors if t.is_constant}
    assert sum(constants.values()) < total < len(graph.source) + 1500 * len(pieces)

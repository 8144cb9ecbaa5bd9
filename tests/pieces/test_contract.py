"""Boundaries of pieces that were not cut from one model: what differs, and QUANTIZE in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from allocations import measure_allocations

from splitopt.arena.abi import X86_64
from splitopt.arena.replay import replay
from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph, Quantization
from splitopt.graph.segments import segment_of, whole_model
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.pieces.boundary_scales import Agreement, Side, agreements
from splitopt.pieces.requantise import requantised
from splitopt.pieces.writer import write_piece
from splitopt.runtime.arrays import arena_bytes, dequantised
from splitopt.runtime.host import Stage, run_tflm_chain

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"
CUT = 9  # of resnet8_digits, between two residual blocks


@pytest.fixture(scope="module")
def model() -> ModelGraph:
    return read_tflite(MODELS / "resnet8_digits_int8.tflite")


def pieces_of(model: ModelGraph, cuts: Sequence[int]) -> list[bytes]:
    ends = [0, *cuts, len(model.ops)]
    return [write_piece(model, segment_of(model, a, b)) for a, b in pairwise(ends)]


def parsed(piece: bytes) -> ModelGraph:
    return parse_tflite(piece, name="piece", where="piece")


def rescaled(piece: ModelGraph, scale: float, shift: int) -> ModelGraph:
    """The piece as if its first input had another scale and zero point."""
    tensor = piece.tensors[piece.inputs[0]]
    assert tensor.quantization is not None
    own = tensor.quantization
    new = Quantization((own.scales[0] * scale,), (own.zero_points[0] + shift,))
    tensors = list(piece.tensors)
    tensors[tensor.index] = replace(tensor, quantization=new)
    return replace(piece, tensors=tuple(tensors))


def met(model: ModelGraph, scale: float, shift: int = 0) -> list[Agreement]:
    segments = [segment_of(model, 0, CUT), segment_of(model, CUT, len(model.ops))]
    first, second = map(parsed, pieces_of(model, [CUT]))
    return list(agreements(segments, [first, rescaled(second, scale, shift)]))


def test_pieces_of_one_model_agree(model: ModelGraph) -> None:
    ends = [0, 2, 4, 7, CUT, len(model.ops)]
    segments = [segment_of(model, a, b) for a, b in pairwise(ends)]
    found = list(agreements(segments, [parsed(p) for p in pieces_of(model, ends[1:-1])]))
    wanted = [(t, k) for k, s in enumerate(segments) for t in s.inputs if t not in model.inputs]
    assert [(a.tensor, a.reader.piece) for a in found] == wanted
    assert not any(a.requantise for a in found)
    assert all(a.writer.piece < a.reader.piece and a.writer.shape == a.reader.shape for a in found)


@pytest.mark.parametrize(
    ("scale", "shift", "differs"),
    [(1 + 1e-7, 0, False), (1 + 1e-3, 0, False), (1.01, 0, True), (2.0, 0, True), (1.0, 1, True)],
)
def test_sides_differ_where_an_integer_changes_its_meaning(
    model: ModelGraph, scale: float, shift: int, differs: bool
) -> None:
    """A thousandth of 255 steps is a quarter of a step: the same integers are the nearest."""
    [agreement] = met(model, scale, shift)
    assert agreement.requantise == differs
    assert agreement.reader.scale == pytest.approx(agreement.writer.scale * scale)


def test_an_input_of_the_model_is_fed_as_its_first_reader_wants_it(model: ModelGraph) -> None:
    """Two pieces that read the model's input agree with each other, not with the model."""
    first = replace(segment_of(model, 0, 1), outputs=())
    second = replace(segment_of(model, 0, 1), outputs=())
    piece = parsed(pieces_of(model, [1])[0])
    [agreement] = agreements([first, second], [piece, rescaled(piece, 2.0, 0)])
    assert (agreement.writer.piece, agreement.reader.piece) == (0, 1)
    assert agreement.requantise


@pytest.mark.parametrize(("scale", "zero_point"), [(0.05, -128), (0.011, 0), (0.0238, -120)])
def test_a_requantised_piece_reads_what_the_writer_means(
    model: ModelGraph, scale: float, zero_point: int, tmp_path: Path
) -> None:
    """TFLM's own QUANTIZE: every int8 of the writer comes to one of the two nearest."""
    plain = pieces_of(model, [CUT])[1]
    own = parsed(plain)
    shape = own.tensors[own.inputs[0]].shape
    piece = requantised(plain, {0: Side(0, scale, zero_point, shape, "nhwc")})
    graph = parsed(piece)
    assert [op.type for op in graph.ops] == ["QUANTIZE", *(op.type for op in own.ops)]
    path = tmp_path / "piece.tflite"
    path.write_bytes(piece)
    read = graph.ops[0].outputs[0]
    stage = Stage(path, ("x",), ("y",), arena_bytes(graph), keep=(("read", read),))
    feed = np.resize(np.arange(-128, 128), (1, *shape)).astype(np.int8)
    made = run_tflm_chain([stage], {"x": feed})["read"]
    wanted = dequantised(feed, graph.tensors[graph.inputs[0]])
    target = graph.tensors[read]
    assert target.quantization is not None
    step, zero = target.quantization.scales[0], target.quantization.zero_points[0]
    nearest = np.clip(wanted / step + zero, -128, 127)
    assert np.abs(made - nearest).max() < 1
    assert len(np.unique(made)) > 50


def test_the_arena_of_a_requantised_piece_is_exact(model: ModelGraph, tmp_path: Path) -> None:
    """Head and tail against the interpreter of this machine."""
    plain = pieces_of(model, [CUT])[1]
    shape = parsed(plain).tensors[parsed(plain).inputs[0]].shape
    piece = requantised(plain, {0: Side(0, 0.05, -128, shape, "nhwc")})
    path = tmp_path / "piece.tflite"
    path.write_bytes(piece)
    graph = parsed(piece)
    measured = measure_allocations(path, arena_bytes(graph))
    rules = target_rules("x86_64")
    predicted = replay(graph, whole_model(graph), rules.memories(graph), X86_64)
    assert (predicted.head_bytes, predicted.tail_bytes) == (
        measured.head_bytes, measured.tail_bytes,
    )  # fmt: skip


def test_a_piece_without_a_mismatch_is_left_as_it_is(model: ModelGraph) -> None:
    piece = pieces_of(model, [CUT])[1]
    assert requantised(piece, {}) == piece

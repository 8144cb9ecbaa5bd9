"""Pieces that are connected wrongly: tensors exchanged, axes turned, told by values and scales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from diagnosis_bundles import (
    codes_of,
    digits,
    digits_data,
    edit_piece,
    exchanged,
    faults_of,
    make_bundle,
    outputs_of,
    transposed,
)

from splitopt.explain.outputs import samples
from splitopt.explain.outputs.wiring import turns
from splitopt.graph.segments import segment_of
from splitopt.graph.tflite_reader import read_tflite
from splitopt.pieces.writer import write_piece

RESNET, UNET = digits("resnet8"), digits("unet")
DATA = digits_data("resnet8")


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MOST_RUN", 4)


@pytest.fixture
def resnet(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle", RESNET, (8, 13))


def real(folder: Path) -> Any:
    return outputs_of(folder, DATA, "test")


def test_exchanged_inputs_of_one_scale_are_told_by_values(tmp_path: Path) -> None:
    """unet's first CONCATENATION: two tensors of one shape and one quantisation."""
    folder = make_bundle(tmp_path / "bundle", UNET, (6,))
    edit_piece(folder, 1, lambda m: exchanged(m, inputs=True, order=(0, 2, 1)))
    found = outputs_of(folder, digits_data("unet"), "test")
    assert faults_of(found).keys() == {"wrong_tensor"}
    first, second = faults_of(found)["wrong_tensor"]
    assert first.figures == {"planned": 20, "right": 23}
    assert second.figures == {"planned": 23, "right": 20}
    assert first.title == "input 1 of piece 1 (01.tflite) is fed tensor 20, but wants tensor 23"
    assert "connected like this: equal" in first.evidence[1]
    assert found.pieces[1].verdict == "wrong by itself"


def test_exchanged_inputs_of_an_add_are_told_by_their_scales(resnet: Path) -> None:
    """An ADD computes the same of both orders, so values tell nothing."""
    edit_piece(resnet, 1, lambda m: exchanged(m, inputs=True))
    faults = faults_of(real(resnet))
    assert faults.keys() == {"wrong_tensor"}
    assert [f.figures for f in faults["wrong_tensor"]] == [
        {"planned": 29, "right": 30},
        {"planned": 30, "right": 29},
    ]


def test_exchanged_outputs_are_named(resnet: Path) -> None:
    edit_piece(resnet, 0, lambda m: exchanged(m, inputs=False))
    faults = faults_of(real(resnet))
    assert faults.keys() == {"wrong_tensor"}
    assert "output 0 of piece 0" in faults["wrong_tensor"][0].where


def test_a_piece_that_wants_another_boundary_tensor(tmp_path: Path) -> None:
    """Cut one op too early: it takes tensor 23 where the plan hands over 24."""
    folder = make_bundle(tmp_path / "bundle", RESNET, (1, 2, 3))
    graph = read_tflite(RESNET)
    piece = write_piece(graph, segment_of(graph, 1, 3))
    (folder / "pieces" / "02.tflite").write_bytes(piece)
    faults = faults_of(outputs_of(folder, DATA, "test"))
    [finding] = faults["wrong_tensor"]
    assert finding.figures == {"planned": 24, "right": 23}


def test_an_output_in_nchw_is_named_with_the_transpose(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle", RESNET, (4,))
    edit_piece(folder, 0, lambda m: transposed(m, 0, (0, 3, 1, 2), is_input=False))
    found = outputs_of(folder, DATA, "test")
    faults = faults_of(found)
    assert faults.keys() == {"wrong_layout"}
    [finding] = faults["wrong_layout"]
    assert "NCHW where the whole model has [1, 32, 32, 16]" in finding.title
    assert finding.figures["transpose"] == (0, 2, 3, 1)
    assert "Transpose(perm=[0, 2, 3, 1]) behind" in finding.next_step
    assert found.pieces[1].verdict == "right by itself, fed a wrong tensor 26 by piece 0"


def test_an_input_in_nchw_is_named_with_the_transpose(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle", RESNET, (4,))
    edit_piece(folder, 1, lambda m: transposed(m, 0, (0, 3, 1, 2), is_input=True))
    [finding] = faults_of(outputs_of(folder, DATA, "test"))["wrong_layout"]
    assert finding.pieces == (1,)
    assert finding.figures["transpose"] == (0, 3, 1, 2)
    assert "before it" in finding.next_step


@pytest.mark.parametrize("data", [None, "unet"])
def test_turned_axes_of_a_square_tensor_are_told_by_values(
    data: str | None, tmp_path: Path
) -> None:
    """unet's tensor 20 is [1, 16, 16, 16]: no shape gives it away."""
    folder = make_bundle(tmp_path / "bundle", UNET, (3,))
    edit_piece(folder, 0, lambda m: transposed(m, 1, (0, 3, 1, 2), is_input=False))
    found = outputs_of(folder)
    assert found.samples.random
    assert faults_of(found).keys() == {"wrong_layout"}
    [finding] = faults_of(found)["wrong_layout"]
    assert finding.tensors == (20,)
    assert finding.figures["transpose"] == (0, 2, 3, 1)


def test_layouts_that_agree_with_each_other_are_no_fault(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle", RESNET, (4,))
    edit_piece(folder, 0, lambda m: transposed(m, 0, (0, 3, 1, 2), is_input=False))
    edit_piece(folder, 1, lambda m: transposed(m, 0, (0, 3, 1, 2), is_input=True))
    found = outputs_of(folder, DATA, "test")
    assert not faults_of(found)
    assert found.verdict.startswith("No fault found")
    assert codes_of(found) == {"wrong_layout"}


def test_the_orders_of_axes_that_are_tried() -> None:
    assert next(iter(turns((1, 4, 4, 8), (1, 8, 4, 4)))) == (0, 3, 1, 2)
    assert len(list(turns((1, 4, 4, 8), (1, 8, 4, 4)))) == 5
    assert list(turns((1, 8), (8, 1))) == []
    assert list(turns((2, 3), (3, 2))) == [(1, 0)]
    assert list(turns((1, 1, 1, 5), (1, 5))) == []
    assert list(turns((1,) * 6, (1,) * 6)) == []

"""Of several findings with one root, the root: planted faults whose traces look like others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from diagnosis_bundles import (
    codes_of,
    digits,
    digits_data,
    edit_piece,
    end_tensor,
    faults_of,
    make_bundle,
    outputs_of,
    read_plan,
    scaled,
    sha256,
    write_plan,
)

RESNET = digits("resnet8")
DATA = digits_data("resnet8")
CUTS = (8, 13)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """With digests of its pieces, as a run writes them."""
    folder = make_bundle(tmp_path / "bundle", RESNET, CUTS)
    plan = read_plan(folder)
    for segment in plan["segments"]:
        segment["sha256"] = sha256(folder / segment["piece"])
    write_plan(folder, plan)
    return folder


def swap(folder: Path, one: int, other: int) -> None:
    paths = [folder / "pieces" / f"{k:02d}.tflite" for k in (one, other)]
    kept = folder / "kept"
    shutil.copy(paths[0], kept)
    shutil.copy(paths[1], paths[0])
    shutil.move(kept, paths[1])


def test_exchanged_pieces_are_told_by_their_bytes(bundle: Path) -> None:
    swap(bundle, 1, 2)
    found = outputs_of(bundle, DATA, "test")
    assert set(faults_of(found)) == {"pieces_exchanged"}
    [fault] = faults_of(found)["pieces_exchanged"]
    assert fault.title == "pieces 01.tflite and 02.tflite are exchanged"
    assert "01.tflite to 02.tflite" in fault.next_step
    assert "piece_replaced" not in codes_of(found)


def test_a_piece_that_is_there_twice(bundle: Path) -> None:
    pieces = bundle / "pieces"
    shutil.copy(pieces / "01.tflite", pieces / "02.tflite")
    [fault] = faults_of(outputs_of(bundle, DATA, "test"))["pieces_exchanged"]
    assert fault.title == "02.tflite holds the piece that belongs to 01.tflite"


def test_an_edited_input_scale_of_pieces_converted_by_themselves(tmp_path: Path) -> None:
    """The first piece is fed as it reads, so only the whole model's input tells."""
    folder = make_bundle(tmp_path / "bundle", RESNET, CUTS, route="pieces")
    edit_piece(folder, 0, lambda m: scaled(end_tensor(m, 0, is_input=True), 4.0))
    faults = faults_of(outputs_of(folder, DATA, "test"))
    assert set(faults) == {"boundary_quantisation"}
    [fault] = faults["boundary_quantisation"]
    assert fault.pieces == (0,)
    assert fault.figures["factor"] == pytest.approx(4)
    assert "the model's input" in fault.where


def test_pieces_converted_by_themselves_are_well_when_nothing_was_edited(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle", RESNET, CUTS, route="pieces")
    assert not faults_of(outputs_of(folder, DATA, "test"))


def test_data_that_are_gone_are_said_to_be(tmp_path: Path) -> None:
    settings = {"verify": {"data": "gone.npz", "key": "x"}}
    found = outputs_of(make_bundle(tmp_path / "bundle", RESNET, CUTS, settings))
    [warning] = [f for f in found.findings if f.code == "data_not_found"]
    assert found.samples.random
    assert "gone.npz" in warning.evidence[0]
    assert "--data" in warning.next_step


@pytest.mark.parametrize("cut", [8, 7])
def test_a_scale_that_tflm_refuses_is_the_fault_and_not_the_refusal(
    cut: int, tmp_path: Path
) -> None:
    """A MAX_POOL_2D and a CONCATENATION insist on equal scales at their ends."""
    folder = make_bundle(tmp_path / "bundle", digits("squeeze"), (cut,))
    edit_piece(folder, 1, lambda m: scaled(end_tensor(m, 0, is_input=True), 3.0))
    faults = faults_of(outputs_of(folder))
    assert set(faults) == {"boundary_quantisation"}
    [fault] = faults["boundary_quantisation"]
    assert any("does not run in TFLM" in text for text in fault.evidence)
    assert fault.figures["factor"] == pytest.approx(3)

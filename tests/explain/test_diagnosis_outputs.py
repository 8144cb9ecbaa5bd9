"""Every fault that splitting is known for, planted in a sound bundle: the diagnosis names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from diagnosis_bundles import (
    codes_of,
    digits,
    digits_data,
    edit,
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

from splitopt.base.errors import ModelError
from splitopt.bundle.schema.outputs import Severity
from splitopt.explain.outputs import samples
from splitopt.graph.tflite_reader import read_tflite

RESNET, UNET = digits("resnet8"), digits("unet")
DATA = digits_data("resnet8")
CUTS = (8, 13)  # inside residual blocks: tensors 29, 30 and then 34, 35 are handed over


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MOST_RUN", 2)


@pytest.fixture
def resnet(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle", RESNET, CUTS)


def real(folder: Path) -> Any:
    return outputs_of(folder, DATA, "test")


@pytest.mark.parametrize("data", [None, DATA])
def test_a_sound_bundle_has_no_finding(data: Path | None, resnet: Path) -> None:
    found = outputs_of(resnet, data, "test" if data else None)
    assert found.findings == ()
    assert found.samples.random == (data is None)
    assert found.outputs is not None
    assert found.outputs.largest == 0
    assert {piece.verdict for piece in found.pieces} == {"right"}
    kind = "random" if data is None else "real"
    assert found.verdict == (
        "No fault found: the chain of 3 pieces equals the whole model on 2 samples "
        f"({kind}), worst difference 0."
    )


@pytest.mark.parametrize("name", ["mbv2", "squeeze", "unet"])
def test_our_other_models_have_none_either(name: str, tmp_path: Path) -> None:
    graph = read_tflite(digits(name))
    cuts = (len(graph.ops) // 3, 2 * len(graph.ops) // 3)
    folder = make_bundle(tmp_path / "bundle", digits(name), cuts)
    assert outputs_of(folder).findings == ()
    assert outputs_of(folder, digits_data(name), "test").findings == ()


@pytest.mark.parametrize(
    "name",
    ["person_detect", "kws_dscnn", "ic_resnet8", "ad01", "micro_speech", "hello_world"],
)
def test_public_models_have_none_either(
    name: str, tmp_path: Path, shared_model: Callable[[str], Path]
) -> None:
    model = shared_model(f"{name}_int8")
    folder = make_bundle(tmp_path / "bundle", model, (len(read_tflite(model).ops) // 2,))
    assert outputs_of(folder).findings == ()


def test_a_scale_that_differs_is_named_with_both_sides(resnet: Path) -> None:
    edit_piece(resnet, 1, lambda m: scaled(end_tensor(m, 0, is_input=True), 2.0))
    found = real(resnet)
    [finding] = faults_of(found)["boundary_quantisation"]
    assert finding.title == "piece 1 (01.tflite) reads every value 2 times too large"
    assert finding.figures["factor"] == pytest.approx(2.0)
    assert finding.pieces == (0, 1)
    assert finding.tensors == (29,)
    assert "scale 0.0461356, zero point -4" in finding.evidence[0]
    assert "scale 0.0922711, zero point -4" in finding.evidence[0]
    assert "piece 1 (01.tflite) is the one that differs" in finding.evidence[-1]
    assert "QUANTIZE" in finding.next_step
    assert found.pieces[0].verdict == "right"
    assert found.verdict.startswith("The outputs of 3 pieces are wrong against the whole model")


def test_a_scale_edited_under_a_bias_is_told_from_another_computation(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle", RESNET, (2,))
    edit_piece(folder, 1, lambda m: scaled(end_tensor(m, 1, is_input=True), 2.0))
    faults = faults_of(real(folder))
    assert faults.keys() == {"boundary_quantisation", "edited_scale"}
    assert faults["edited_scale"][0].figures["factor"] == pytest.approx(2.0)
    assert (
        "op 0 CONV_2D fits an input scale 2 times smaller" in faults["edited_scale"][0].evidence[0]
    )


def test_a_zero_point_that_differs_is_named_with_its_shift(resnet: Path) -> None:
    edit_piece(resnet, 1, lambda m: scaled(end_tensor(m, 1, is_input=True), 1.0, shift=30))
    [finding] = faults_of(real(resnet))["boundary_quantisation"]
    assert finding.tensors == (30,)
    assert finding.title.endswith("reads every value 1.203 too low")


def test_a_difference_that_changes_no_value_is_no_finding(resnet: Path) -> None:
    edit_piece(resnet, 1, lambda m: scaled(end_tensor(m, 0, is_input=True), 1.0005))
    assert not codes_of(real(resnet))


@pytest.mark.parametrize("data", [None, DATA])
def test_a_boundary_whose_calibration_does_not_cover_the_data(
    data: Path | None, resnet: Path
) -> None:
    """Both sides agree, so that no look at the files alone finds it."""
    edit_piece(resnet, 1, lambda m: scaled(end_tensor(m, 0, is_input=False), 1 / 8))
    edit_piece(resnet, 2, lambda m: scaled(end_tensor(m, 0, is_input=True), 1 / 8))
    found = outputs_of(resnet, data, "test" if data else None)
    faults = faults_of(found)
    assert faults.keys() == {"calibration_range"}
    for finding, piece in zip(faults["calibration_range"], (1, 2), strict=True):
        assert finding.pieces == (piece,)
        assert finding.tensors == (34,)
        assert finding.figures["clipped_share"] > 0.2  # type: ignore[operator]
        assert finding.figures["explained"] == "true"
        assert "does not cover the data" in finding.title
        assert "of the values are clipped" in finding.evidence[0]


def test_a_range_inside_a_piece_that_does_not_cover_the_data(resnet: Path) -> None:
    def narrow(model: Any) -> None:
        graph = model.subgraphs[0]
        inner, bias = int(graph.operators[5].outputs[0]), int(graph.operators[6].inputs[2])
        scaled(graph.tensors[inner], 1 / 16)
        quantization, buffer = graph.tensors[bias].quantization, graph.tensors[bias].buffer
        quantization.scale = np.asarray(quantization.scale, np.float32) / 16
        values = np.asarray(model.buffers[buffer].data, np.uint8).view(np.int32) * 16
        model.buffers[buffer].data = values.view(np.uint8)

    edit_piece(resnet, 0, narrow)
    [finding] = faults_of(real(resnet))["inner_range"]
    assert finding.pieces == (0,)
    assert "op 5 CONV_2D" in finding.evidence[0]


def zero_constants(model: Any) -> None:
    for buffer in model.buffers:
        if buffer.data is not None and len(buffer.data) > 64:
            buffer.data = np.zeros(len(buffer.data), np.uint8)


def test_a_piece_that_gives_the_same_for_every_sample(resnet: Path) -> None:
    edit_piece(resnet, 2, zero_constants)
    found = real(resnet)
    assert codes_of(found) == {"computes_something_else", "constant_output"}
    [cause] = faults_of(found)["computes_something_else"]
    assert any("the same for every sample" in line for line in cause.evidence)
    assert any("1 of the model's 1 weight tensor" in line for line in cause.evidence)
    constant = next(f for f in found.findings if f.code == "constant_output")
    assert "tensor 38" in constant.evidence[0]
    assert constant.pieces == (2,)
    assert cause.title in constant.next_step
    assert "the same for every sample" in found.verdict


def test_where_the_chain_first_becomes_constant(resnet: Path) -> None:
    """The outputs of piece 1 saturate, so that piece 2 has nothing to work on."""

    def saturate(model: Any) -> None:
        for position in (0, 1):
            scaled(end_tensor(model, position, is_input=False), 1.0, shift=-2000)

    edit_piece(resnet, 1, saturate)
    found = real(resnet)
    constant = next(f for f in found.findings if f.code == "constant_output")
    assert (constant.tensors, constant.pieces) == ((34,), (1,))
    assert "first to be saturated is tensor 34" in constant.evidence[1]
    first = faults_of(found)["boundary_quantisation"][0]
    assert "because piece 1 (01.tflite) writes in another quantisation" in first.title
    assert first.title in constant.next_step
    assert found.pieces[2].verdict == "right by itself, fed a wrong tensor 34 by piece 1"


def test_a_piece_of_another_model_of_the_same_shape(tmp_path: Path, resnet: Path) -> None:
    def negate(model: Any) -> None:
        for buffer in model.buffers:
            if buffer.data is not None and len(buffer.data) > 64:
                buffer.data = np.asarray(buffer.data, np.uint8)[::-1].copy()

    edit_piece(resnet, 1, negate)
    [finding] = faults_of(real(resnet))["computes_something_else"]
    assert finding.pieces == (1,)
    assert "3 of the model's 3 weight tensors are not in the file" in finding.evidence


def test_a_piece_of_another_model_of_another_shape(tmp_path: Path, resnet: Path) -> None:
    other = make_bundle(tmp_path / "other", UNET, (6,))
    for name, where in (("00", "01"), ("01", "01")):
        data = (other / "pieces" / f"{name}.tflite").read_bytes()
        (resnet / "pieces" / f"{where}.tflite").write_bytes(data)
        faults = faults_of(real(resnet))
        assert faults.keys() == {"piece_ends"}
        assert faults["piece_ends"][0].pieces == (1,)


def test_pieces_in_one_another_s_places(tmp_path: Path) -> None:
    """A piece of ops 1 to 2 where that of op 1 belongs: same shapes, other ops."""
    folder = make_bundle(tmp_path / "bundle", RESNET, (1, 2, 3))
    first, second = (folder / "pieces" / f"0{k}.tflite" for k in (1, 2))
    data = first.read_bytes(), second.read_bytes()
    first.write_bytes(data[1])
    second.write_bytes(data[0])
    found = outputs_of(folder, DATA, "test")
    assert {p for f in found.faults for p in f.pieces} >= {1, 2}


def test_an_element_type_that_differs(resnet: Path) -> None:
    def widen(model: Any) -> None:
        end_tensor(model, 0, is_input=True).type = 7  # INT16

    edit_piece(resnet, 1, widen)
    faults = faults_of(real(resnet))
    assert "boundary_form" in faults
    assert "INT16" in faults["boundary_form"][0].evidence[1]


@pytest.mark.parametrize("scale", [0.0, float("nan")])
def test_a_scale_that_is_no_positive_number(scale: float, resnet: Path) -> None:
    def broken(model: Any) -> None:
        tensor = end_tensor(model, 0, is_input=True)
        tensor.quantization.scale = np.asarray([scale], np.float32)

    edit_piece(resnet, 1, broken)
    with pytest.raises(ModelError, match=r"01.tflite: tensor .* has the scale"):
        real(resnet)


def test_an_element_type_that_nothing_can_feed(resnet: Path) -> None:
    def broken(model: Any) -> None:
        end_tensor(model, 0, is_input=True).type = fb.TensorType.UINT16

    edit_piece(resnet, 1, broken)
    found = real(resnet)
    assert "unusable_form" in faults_of(found)
    assert found.pieces[1].verdict == "can not be fed"


def test_the_model_s_input_of_a_piece_with_too_narrow_a_range(resnet: Path) -> None:
    edit_piece(resnet, 0, lambda m: scaled(end_tensor(m, 0, is_input=True), 1 / 8))
    faults = faults_of(real(resnet))
    [finding] = faults["boundary_quantisation"]
    assert finding.title.endswith("reads every value 8 times too small")
    assert "from the model's input to piece 0" in finding.where


def keep_hashes(folder: Path) -> None:
    """Into its plan, as a run does it."""
    plan = read_plan(folder)
    for k, segment in enumerate(plan["segments"]):
        segment["sha256"] = sha256(folder / "pieces" / f"{k:02d}.tflite")
    write_plan(folder, plan)


def test_a_piece_that_is_not_the_run_s_own_and_right_is_warned_of(resnet: Path) -> None:
    keep_hashes(resnet)
    assert not codes_of(real(resnet))
    edit_piece(resnet, 1, lambda m: None)
    found = real(resnet)
    assert codes_of(found) == {"piece_replaced"}
    assert found.findings[0].pieces == (1,)
    assert found.findings[0].severity is Severity.WARNING
    assert found.verdict.startswith("No fault found")


def test_a_piece_that_is_not_the_run_s_own_and_wrong_is_the_first_fault(resnet: Path) -> None:
    keep_hashes(resnet)
    edit_piece(resnet, 1, zero_constants)
    found = real(resnet)
    first = found.findings[0]
    assert (first.code, first.severity, first.pieces) == ("piece_replaced", Severity.FAULT, (1,))
    assert first.title == "01.tflite: not the piece that the run wrote"
    assert "computes_something_else" in faults_of(found)
    [constant] = [finding for finding in found.findings if finding.code == "constant_output"]
    assert "01.tflite" in constant.evidence[0]
    assert first.title not in constant.next_step


def test_untrusted_names_do_not_steer_the_terminal(resnet: Path) -> None:
    plan = read_plan(resnet)
    plan["layout"] = {
        "region_bytes": 1,
        "boundary": [
            {
                **dict.fromkeys(("offset", "size", "first_segment", "last_segment"), 0),
                "tensor": 29,
                "name": "",
                "onnx_tensor": "a\x1b[31mb" + "c" * 300,
            }
        ],
    }
    write_plan(resnet, plan)
    found = real(resnet)
    name = next(b.name for b in found.boundaries if b.tensor == 29)
    assert "ONNX a?[31mbccc" in name
    assert len(name) < 250


def test_a_piece_that_tflm_refuses(resnet: Path) -> None:
    def unknown(model: Any) -> None:
        model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = 69

    edit_piece(resnet, 1, unknown)
    faults = faults_of(real(resnet))
    assert faults.keys() <= {"does_not_run", "computes_something_else"}
    assert faults


def test_the_model_itself_is_constant(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(RESNET.read_bytes())
    edit(model, zero_constants)
    folder = make_bundle(tmp_path / "bundle", model, CUTS)
    found = outputs_of(folder, DATA, "test")
    assert codes_of(found) == {"constant_model"}
    assert found.findings[0].severity is Severity.FAULT
    assert "splitting is not the cause" in found.findings[0].next_step
    keep_hashes(folder)
    edit_piece(folder, 1, lambda m: None)
    found = outputs_of(folder)  # on random inputs, which show nothing
    severities = {finding.code: finding.severity for finding in found.findings}
    assert severities == {"piece_replaced": Severity.FAULT, "constant_model": Severity.WARNING}
    assert all(boundary.constant for boundary in found.boundaries)
    assert ", the same for every sample; 1 fault" in found.verdict

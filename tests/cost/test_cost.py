"""Estimated instructions against instructions counted by QEMU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest
from golden_figures import MODELS, SPLIT_MODELS, measured_pieces

from splitopt.arena.replay import plan_head, replay
from splitopt.arena.rules import target_rules
from splitopt.cost.allocate import allocate_insn, m55_table
from splitopt.cost.copying import copy_insn, fill_insn, resident_construct_insn
from splitopt.cost.costs import built_in, estimate_invoke
from splitopt.cost.streaming import check_insn
from splitopt.graph.segments import segment_of, whole_model
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.runtime.model_builder import ModelBuilder
from splitopt.workflows.calibrate.models import generated
from splitopt.workflows.calibrate.one_op import OneOp

FindModel = Callable[[str], Path]
CONV_NETS = [
    name for name in MODELS if name not in ("ad01_int8", "micro_speech_int8", "hello_world_int8")
]


@pytest.mark.parametrize("name", CONV_NETS)
def test_allocate_tensors_of_conv_nets_within_3_percent(name: str, shared_model: FindModel) -> None:
    graph = read_tflite(shared_model(name))
    segment = segment_of(graph, 0, len(graph.ops))
    buffers = plan_head(graph, segment, target_rules("m55").memories(graph))
    estimate = allocate_insn(graph, segment, buffers, m55_table())
    assert estimate == pytest.approx(MODELS[name]["allocate_tensors_insn"], rel=0.03)


@pytest.mark.parametrize("name", SPLIT_MODELS)
def test_allocate_tensors_of_pieces_within_1_5_percent(name: str, shared_model: FindModel) -> None:
    graph = read_tflite(shared_model(name))
    memories, errors = target_rules("m55").memories(graph), []
    for piece in measured_pieces(name, len(graph.ops)):
        segment = segment_of(graph, piece.start, piece.stop)
        buffers = plan_head(graph, segment, memories)
        estimate = allocate_insn(graph, segment, buffers, m55_table())
        errors.append(abs(estimate / piece.allocate_insn - 1))
    assert max(errors) < 0.015
    assert mean(errors) < 0.005


ONE_OP = {
    ("TRANSPOSE_CONV", "4x4x8 to 8, 2x2, stride 2"): 16_477,
    ("TRANSPOSE_CONV", "6x6x32 to 12, 3x3, stride 2"): 17_700,
    ("TRANSPOSE_CONV", "4x4x16 to 20, 3x3, stride 2"): 19_682,
    ("CONCATENATION", "8x8x16"): 10_798,
    ("MAX_POOL_2D", "9x9x40, 3x3, stride 2"): 8_062,
    ("MEAN", "7x7x32"): 12_538,
    ("MUL", "7x9x5"): 10_115,
    ("RELU", "8x8x16"): 7_711,
    ("RELU6", "8x8x16"): 6_756,
    ("TANH", "8x8x16"): 8_510,
    ("HARD_SWISH", "8x8x16"): 7_796,
    ("QUANTIZE", "8x8x16"): 7_694,
    ("BATCH_MATMUL", "1x12x40 by 21"): 11_352,
    ("RESIZE_BILINEAR", "6x6x16, twice"): 8_493,
    ("RESIZE_NEAREST_NEIGHBOR", "6x6x16, twice"): 8_530,
    ("SVDF", "64 to 32, memory 12"): 14_269,
    ("SVDF", "24 to 20, memory 4"): 13_932,
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", "3 steps of 40 to 32"): 32_718,
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", "10 steps of 12 to 7"): 32_345,
}
"""Instructions of AllocateTensors of a model of one op, as `splitopt calibrate` counts them."""


def test_allocate_tensors_of_one_op_within_2_percent() -> None:
    models = {(sample.op_type, sample.label): sample.data for sample in generated()}
    for key, counted in ONE_OP.items():
        assert allocate_of(models[key]) == pytest.approx(counted, rel=0.02), key


@pytest.mark.parametrize(
    ("inputs", "counted"), [(1, 8_421), (2, 10_784), (3, 13_214), (5, 18_255), (8, 26_273)]
)
def test_each_input_of_a_concatenation_is_prepared(inputs: int, counted: int) -> None:
    ends = ("INT8 1x4x4x8",) * inputs, (f"INT8 1x4x4x{8 * inputs}",)
    data = OneOp("CONCATENATION", *ends, "ConcatenationOptions", {"axis": 3}).model()
    assert allocate_of(data) == pytest.approx(counted, rel=0.005)


@pytest.mark.parametrize(
    ("inputs", "outputs", "counted"),
    [(1, 2, 11_892), (1, 3, 16_172), (1, 4, 20_515), (2, 2, 13_361), (3, 3, 19_204)],
)
def test_each_input_and_output_of_a_model_is_allocated(
    inputs: int, outputs: int, counted: int
) -> None:
    """RELUs side by side, of one input or one each."""
    model = ModelBuilder()
    sources, made = (
        [model.tensor([1, 4, 4, 8], scales=[0.05]) for _ in range(n)] for n in (inputs, outputs)
    )
    for k, out in enumerate(made):
        model.op("RELU", [sources[k % inputs]], [out])
    assert allocate_of(model.bytes(sources, made)) == pytest.approx(counted, rel=0.02)


COUNTED_DENSE = {
    (64, 10): (11_011, 12_946), (1280, 10): (16_174, 18_114), (4000, 4): (20_658, 21_351),
    (100, 33): (12_685, 19_408), (128, 64): (15_017, 28_189), (640, 128): (47_408, 73_892),
    (300, 21): (13_658, 17_887), (1, 16): (10_906, 14_095), (7, 2): (10_612, 10_888),
}  # fmt: skip
"""Columns and rows of the weights → AllocateTensors of a model of that FULLY_CONNECTED, with one
scale and with one for each row: counts of QEMU, inputs of zero point -128, random scales."""


@pytest.mark.parametrize(("columns", "rows"), COUNTED_DENSE)
def test_weights_are_summed_up_and_scales_are_converted(columns: int, rows: int) -> None:
    for scales, counted in zip((1, rows), COUNTED_DENSE[columns, rows], strict=True):
        assert allocate_of(dense(columns, rows, scales, -128)) == pytest.approx(counted, rel=0.025)


def test_weights_are_not_summed_up_for_inputs_of_zero_point_0() -> None:
    for columns, counted in ((64, 10_582), (1280, 10_578)):
        assert allocate_of(dense(columns, 10, 1, 0)) == pytest.approx(counted, rel=0.025)


def dense(columns: int, rows: int, scales: int, zero_point: int) -> bytes:
    model = ModelBuilder()
    source = model.tensor([1, columns], scales=[0.02], zero_point=zero_point)
    data = bytes(rows * columns)
    weights = model.tensor([rows, columns], scales=[0.01] * scales, data=data)
    bias = model.tensor([rows], "INT32", scales=[0.01] * scales, data=bytes(4 * rows))
    out = model.tensor([1, rows], scales=[0.1])
    model.op("FULLY_CONNECTED", [source, weights, bias], [out])
    return model.bytes([source], [out])


def allocate_of(data: bytes) -> int:
    graph = parse_tflite(data, name="one op", where="one op")
    buffers = plan_head(graph, whole_model(graph), target_rules("m55").memories(graph))
    return allocate_insn(graph, whole_model(graph), buffers, m55_table())


@pytest.mark.parametrize("name", MODELS)
def test_invoke_of_public_models(name: str, shared_model: FindModel) -> None:
    """None of them was part of the fits, which are of models of one op."""
    graph = read_tflite(shared_model(name))
    estimate = estimate_invoke(built_in(), graph, 0, len(graph.ops))
    assert estimate.whole is not None
    within = 0.015 if name == "unet_digits_int8" else 0.006  # the former has TRANSPOSE_CONV
    assert estimate.whole == pytest.approx(MODELS[name]["invoke_insn"], rel=within)


@pytest.mark.parametrize(
    ("size_bytes", "copied", "filled"),
    [(256, 165, 146), (4096, 2325, 1826), (65536, 36885, 28706), (262144, 147478, 114722)],
)
def test_memory_functions_within_half_a_percent(size_bytes: int, copied: int, filled: int) -> None:
    assert copy_insn(size_bytes) == pytest.approx(copied, rel=0.03)
    assert fill_insn(size_bytes) == pytest.approx(filled, rel=0.03)


@pytest.mark.parametrize(
    "name", ["person_detect_int8", "micro_speech_int8", "kws_dscnn_int8", "ad01_int8"]
)
def test_what_offline_plans_change_in_allocate_tensors(name: str, shared_model: FindModel) -> None:
    """TFLM's own places given as a plan, against the same file without: counted elsewhere."""
    graph = read_tflite(shared_model(name))
    path = Path(__file__).resolve().parents[3] / "shared/reference/m55_offline_plan.json"
    runs = [run for run in json.loads(path.read_text("utf-8"))["runs"] if run["model"] == name]
    counted = {run["variant"]: run["allocate_tensors_insn"] for run in runs}
    want = counted["offline=greedy offsets"] - counted["repacked_no_plan"]
    rules, whole = target_rules("m55"), whole_model(graph)
    memories = rules.memories(graph)
    greedy = replay(graph, whole, memories, rules.abi, {})
    places = {b.tensor: b.offset for b in greedy.buffers if b.tensor is not None}
    pinned = replay(graph, whole, memories, rules.abi, places)
    assert [b.offset for b in pinned.buffers] == [b.offset for b in greedy.buffers]
    without, under = (
        allocate_insn(graph, whole, arena.buffers, m55_table()) for arena in (greedy, pinned)
    )
    assert under - without == pytest.approx(want, abs=0.005 * counted["repacked_no_plan"])


COUNTED_RESIDENT = {
    1: (521, 545, 546), 2: (562,), 4: (678, 701), 5: (686, 710, 722), 10: (911,),
    13: (1_031, 1_058), 18: (1_245,), 19: (1_313,), 23: (1_460,), 24: (1_614,), 31: (1_822,),
    45: (2_643,), 53: (2_995,), 61: (3_377,),
}  # fmt: skip
"""Ops of a resident piece → counts of QEMU: pieces of ad01, ic_resnet8, kws_dscnn, mbv2_digits and
person_detect, kept in the main SRAM or in a second memory."""


@pytest.mark.parametrize("ops", COUNTED_RESIDENT)
def test_constructing_resident_pieces_within_6_percent(ops: int) -> None:
    for counted in COUNTED_RESIDENT[ops]:
        assert resident_construct_insn(ops) == pytest.approx(counted, rel=0.06)


COUNTED_CHECKS = {
    2: (255, 261, 263, 264, 269, 270), 3: (350, 351, 356, 357, 359, 360), 4: (435, 443, 444, 447),
}  # fmt: skip
"""Inputs and outputs of a group → counts of QEMU: all that differ, of 35 groups of streamed stages
of resnet8_digits, squeeze_digits, unet_digits and mbv2_digits."""


@pytest.mark.parametrize("ends", COUNTED_CHECKS)
def test_the_look_at_places_of_a_group_within_4_percent(ends: int) -> None:
    for counted in COUNTED_CHECKS[ends]:
        assert check_insn(ends) == pytest.approx(counted, rel=0.04)

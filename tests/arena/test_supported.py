"""The table of types that TFLM's kernels run, against the tflite-micro wheel itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as fb
from op_cases import CASES
from op_models import model_of as one_op_model
from op_requests import TABLE as GOLDEN
from single_ops import SINGLE_OPS, TYPES, Const, SingleOp, model_of
from stream_nets import StreamNet

from splitopt.arena.kernel_types import KERNEL_TYPES
from splitopt.arena.supported import refusals
from splitopt.graph.op_signatures import SIGNATURES
from splitopt.graph.tflite_reader import parse_tflite

_MISREAD = frozenset({"LOGICAL_AND", "LOGICAL_OR"})
"""Kernels that look at no type: they take the bytes of others for bools, and the table does not."""
_WITHOUT_TYPES = {"ASSIGN_VARIABLE", "READ_VARIABLE", "VAR_HANDLE", "CALL_ONCE", "IF", "WHILE"}
_INDEX_OPERANDS = "i" * 3
_WEIGHTED = (
    "fff>f ff>f ff->f bbi>b bb>b bb->b b4i>b hbq>h hbi>h hb>h fbf>f fbi>f fb>f BBi>B ef>e eee>e "
    "bfi>b hhq>h 4bi>4 b4>b"
)
_TRANSPOSED = (
    "ifff>f iff>f ibbi>b ibb>b ibbh>h ibhq>h ibhh>h ibh>h ifbf>f iBBi>B ib4i>b i4bi>b ibfi>f"
)
_GATES = "{0}{1}---{2}--{3}----"
FORMS = {
    "CONV_2D": _WEIGHTED,
    "DEPTHWISE_CONV_2D": _WEIGHTED.replace("hbi>h ", ""),
    "FULLY_CONNECTED": _WEIGHTED,
    "TRANSPOSE_CONV": _TRANSPOSED,
    "CAST": " ".join(f"{a}>{b}" for a in "fbhiqzBI" for b in "fbhiqzBI"),
    "QUANTIZE": " ".join(f"{a}>{b}" for a in "fbhiqB" for b in "bhiqB"),
    "DEQUANTIZE": " ".join(f"{a}>f" for a in "bhiqBe"),
    "PRELU": "ff>f bb>b hb>h hh>h BB>B ee>e",
    "SOFTMAX": "f>f b>b h>h B>B e>e",
    "SVDF": "fffff>f fff-f>f bbhih>b bbbib>b bbh-h>b fbfff>f hbhih>h",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": " ".join(
        _GATES.format(a, w * 8, bias * 4, states) + f">{a}"
        for a, w, bias, states in (
            ("f", "f", "f", "ff"), ("b", "b", "i", "bh"), ("h", "b", "q", "hh"),
            ("b", "b", "i", "bb"), ("B", "B", "i", "Bh"),
        )
    ),
    "EMBEDDING_LOOKUP": "if>f ib>b ib>f ih>h iB>B qf>f",
    "SHAPE": "f>i b>i h>i z>i b>q",
    "BROADCAST_ARGS": "ii>i qq>q ff>f bb>b",
    "ARG_MAX": "fi>i bi>i hi>i Bi>i ii>i fi>q",
    "ARG_MIN": "fi>i bi>i hi>i Bi>i ii>i fi>q",
}  # fmt: skip


def _uniform_forms(name: str) -> list[str]:
    """All data operands of one type, indices int32: what a converter writes."""
    count = len(SINGLE_OPS[name].inputs)
    patterns = {
        "SELECT_V2": "zTT", "SPLIT": "iT", "FILL": "iT", "DYNAMIC_UPDATE_SLICE": "TTi",
        "PADV2": "TiT",
    }  # fmt: skip
    data = {"CONCATENATION", "PACK", "BATCH_MATMUL"}
    is_pair = "left right" in _operands(name) or name in data | {"ADD_N"}
    inputs = patterns.get(name) or ("T" * count if is_pair else "T" + "i" * (count - 1))
    outputs = len(SINGLE_OPS[name].outputs)
    is_comparison = name in {"EQUAL", "NOT_EQUAL"} or name.startswith(("GREATER", "LESS"))
    made = "z" if is_comparison else "T" * outputs
    letters = "z" if name in _MISREAD else "fbhiqzBIe"
    return [f"{inputs}>{made}".replace("T", letter) for letter in letters]


def _operands(name: str) -> str:
    return " ".join(operand.name for operand in SIGNATURES[name].inputs)


def candidates() -> dict[tuple[str, str], bytes]:
    return {
        (name, form): model_of(name, op, form)
        for name, op in SINGLE_OPS.items()
        for form in (FORMS[name].split() if name in FORMS else _uniform_forms(name))
    }


def test_every_registered_op_is_in_the_table() -> None:
    assert set(KERNEL_TYPES) == set(SIGNATURES) - _WITHOUT_TYPES == set(SINGLE_OPS)


def test_the_table_refuses_what_the_wheel_does_not_run_and_nothing_else(tmp_path: Path) -> None:
    """Models of one op and one set of types, each in a process of its own."""
    pytest.importorskip("tflite_micro")
    models = candidates()
    files = [tmp_path / f"{k}.tflite" for k in range(len(models))]
    for file, data in zip(files, models.values(), strict=True):
        file.write_bytes(data)
    worker = Path(__file__).with_name("wheel_runs.py")
    done = subprocess.run(
        [sys.executable, worker, *files], check=True, capture_output=True, text=True, timeout=600
    )
    runs = [line == "1" for line in done.stdout.split()]
    refused = [refusals(parse_tflite(data, name="m"), "x86_64") for data in models.values()]
    differs = [
        f"{name} {form} {'runs' if is_run else 'does not run'} there"
        for (name, form), is_run, said in zip(models, runs, refused, strict=True)
        if bool(said) == is_run
    ]
    assert not differs, "\n".join(differs)
    assert sum(runs) > 250 < len(runs) - sum(runs)


def _said(name: str, form: str, abi: str = "x86_64") -> str:
    [said] = refusals(parse_tflite(model_of(name, SINGLE_OPS[name], form), name="m"), abi)
    return said


@pytest.mark.parametrize(
    ("name", "form", "says"),
    [
        ("CONV_2D", "BBi>B", "op 0 CONV_2D: TFLM has no uint8 kernel for CONV_2D; convert to int8"),
        ("CONV_2D", "fbf>f", "op 0 CONV_2D: float activations with int8 weights, which TFLM does"),
        ("DEQUANTIZE", "e>f", "TFLM has no float16 kernel for DEQUANTIZE; convert to int8, or"),
        ("MEAN", "ii>i", r"TFLM's kernel \(reduce.cc\) runs on FLOAT32, INT8, INT16 only"),
        ("DEPTHWISE_CONV_2D", "bb->b", "its bias is absent .* give it a bias of zeros"),
    ],
)
def test_a_refusal_names_the_op_the_reason_and_the_way_out(name: str, form: str, says: str) -> None:
    assert re.search(says, _said(name, form))


def test_what_only_cmsis_nn_refuses_is_refused_for_the_m55_alone() -> None:
    rank_5 = SingleOp([(1, 2, 2, 2, 2), Const([0, 1, 2, 4, 3])], [(1, 2, 2, 2, 2)])
    graph = parse_tflite(model_of("TRANSPOSE", rank_5, "bi>b"), name="m")
    assert refusals(graph, "x86_64") == ()
    [said] = refusals(graph, "m55")
    assert "CMSIS-NN's kernel on the Cortex-M55 (cmsis_nn/transpose.cc) runs int8 up to" in said
    assert "casts to no BOOL" in _said("CAST", "b>z", "m55")
    assert "it would leave the output unwritten" in _said_of_a_row(columns=49)[0]
    assert _said_of_a_row(columns=47) == ()
    wide = parse_tflite(model_of("TRANSPOSE", rank_5, "hi>h"), name="m")
    assert refusals(wide, "m55") == ()


def _said_of_a_row(columns: int) -> tuple[str, ...]:
    """Of 14 windows of 1x8 in steps of 3 columns, which read 47 of them. On QEMU's Cortex-M55, a
    row of 49 left the output as it was."""
    filters, bias = Const([1] * 22 * 8 * 4, (22, 1, 8, 4)), Const([0] * 22)
    row = SingleOp(
        [(1, 1, columns, 4), filters, bias],
        [(1, 1, 14, 22)],
        fb.Conv2DOptionsT,
        {"strideH": 1, "strideW": 3, "padding": fb.Padding.VALID},
    )
    return refusals(parse_tflite(model_of("CONV_2D", row, "bbi>b"), name="m"), "m55")


def test_transposed_convolutions_that_cmsis_nn_gets_wrong() -> None:
    """By height of the filter, stride, channels and padding: each was run on QEMU beside TFLM's
    reference kernel."""
    wrong = [(4, 2, 3, "same"), (5, 2, 3, "same"), (5, 3, 20, "same")]
    right = [(3, 2, 3, "same"), (6, 2, 3, "same"), (4, 2, 20, "same"), (4, 2, 3, "valid")]
    for height, stride, channels, padding in wrong + right:
        net = StreamNet()
        source = net.image(4, 3, channels)
        made = net.transposed(source, (height, 2), (stride, stride), padding)
        said = refusals(net.graph([source], [made]), "m55")
        is_wrong = (height, stride, channels, padding) in wrong
        assert bool(said) == is_wrong
        assert all("leaves some unwritten" in reason for reason in said)


def test_options_that_prepare_refuses() -> None:
    op = SINGLE_OPS["RESIZE_BILINEAR"]
    both = replace(op, fields={"halfPixelCenters": True, "alignCorners": True})
    [said] = refusals(parse_tflite(model_of("RESIZE_BILINEAR", both, "bi>b"), name="m"), "x86_64")
    assert "half_pixel_centers with align_corners" in said


def test_of_the_ops_measured_on_the_m55_those_are_refused_that_it_did_not_allocate() -> None:
    """Golden: QEMU's Cortex-M55, AllocateTensors of TFLM 90b983c2 (tests/op_requests.py). FILL
    allocates whatever its type, and fails in Invoke."""
    refused = {
        case.name
        for case in CASES
        if refusals(parse_tflite(one_op_model(case, 1), name="m"), "m55")
    }
    not_allocated = json.loads(GOLDEN.read_text(encoding="utf-8"))["refused"]
    assert refused - {f"FILL {name}" for name in TYPES.values()} == {*not_allocated}

"""Float ends of an integer model dropped: which can go, why others stay, and that bits agree.

The oracle is TFLM: what its own QUANTIZE and DEQUANTIZE make inside the model as given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from builder import Builder

from splitopt.convert.integer_io import IntegerIo, with_integer_io
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.runtime.model_builder import ModelBuilder
from splitopt.verify.check import CheckStatus
from splitopt.verify.integer_io import io_check

SCALE, ZERO = 0.05, -3
WIDE = 0.3


class Net(Builder):
    """int8 ops between ends of other types."""

    def end(self, dtype: str, name: str, scale: float = SCALE, zero: int = ZERO) -> int:
        scales = () if dtype == "FLOAT32" else (scale,)
        return ModelBuilder.tensor(self, [1, 4], dtype, name=name, scales=scales, zero_point=zero)

    def quantised(self, source: int, name: str = "q", scale: float = SCALE) -> int:
        made = self.end("INT8", name, scale)
        self.op("QUANTIZE", [source], [made])
        return made

    def dequantised(self, source: int, name: str = "out") -> int:
        made = self.end("FLOAT32", name)
        self.op("DEQUANTIZE", [source], [made])
        return made

    def added(self, a: int, b: int, name: str = "sum") -> int:
        made = self.end("INT8", name, WIDE, 5)
        self.op("ADD", [a, b], [made], ("AddOptions", fb.AddOptionsT()))
        return made


def stripped(net: Net, inputs: Sequence[int], outputs: Sequence[int]) -> IntegerIo:
    return with_integer_io(parse_tflite(net.bytes(inputs, outputs), name="net"))


def types(io: IntegerIo) -> list[str]:
    return [op.type for op in io.graph.ops]


def proved(io: IntegerIo, folder: Path) -> None:
    """Equal in TFLM; and a model of another zero point is told from it."""
    paths = [folder / "given.tflite", folder / "integer.tflite"]
    for path, graph in zip(paths, (io.given, io.graph), strict=True):
        path.write_bytes(graph.source)
    check = io_check(io, *paths, count=16, seed=3, timeout_s=60)
    assert check.status is CheckStatus.PASSED, check


def both_float() -> tuple[Net, int, int]:
    net = Net()
    source = net.end("FLOAT32", "in")
    inner = net.quantised(source)
    return net, source, net.dequantised(net.added(inner, inner))


def test_float_input_and_output_go_and_every_bit_agrees(tmp_path: Path) -> None:
    net, source, out = both_float()
    io = stripped(net, [source], [out])
    assert types(io) == ["ADD"]
    assert io.dropped_names == ("op 0 QUANTIZE", "op 2 DEQUANTIZE")
    assert [t.name for t in io.graph.tensors] == ["q", "sum"]
    assert [(e.name, e.was) for e in (*io.inputs, *io.outputs)] == [
        ("in", "FLOAT32"),
        ("out", "FLOAT32"),
    ]
    assert not io.kept
    proved(io, tmp_path)


def test_the_check_sees_another_scale_and_another_network(tmp_path: Path) -> None:
    """Faults that it must not pass: the wrong scale told, and a model that computes otherwise."""
    net, source, out = both_float()
    io = stripped(net, [source], [out])
    tensors = tuple(
        replace(t, quantization=replace(t.quantization, scales=(SCALE * 1.01,)))
        if t.quantization and t.index == io.inputs[0].tensor
        else t
        for t in io.graph.tensors
    )
    given, integer = tmp_path / "given.tflite", tmp_path / "integer.tflite"
    given.write_bytes(io.given.source)
    integer.write_bytes(io.graph.source)
    misread = replace(io, graph=replace(io.graph, tensors=tensors))
    check = io_check(misread, given, integer, 16, 3, 60)
    assert check.status is CheckStatus.FAILED
    assert "what QUANTIZE makes of input 'in'" in check.detail
    changed = Net()
    b = changed.end("INT8", "q", SCALE, ZERO + 1)
    integer.write_bytes(changed.bytes([b], [changed.added(b, b)]))
    check = io_check(io, given, integer, 16, 3, 60)
    assert check.status is CheckStatus.FAILED
    assert "output 'out' differs" in check.detail


@pytest.mark.parametrize("kind", ["inputs", "outputs"])
def test_only_one_side_is_float(kind: str, tmp_path: Path) -> None:
    net = Net()
    source = net.end("FLOAT32" if kind == "inputs" else "INT8", "in")
    inner = net.quantised(source) if kind == "inputs" else source
    total = net.added(inner, inner)
    out = net.dequantised(total) if kind == "outputs" else total
    io = stripped(net, [source], [out])
    assert types(io) == ["ADD"]
    assert [e.is_changed for e in (*io.inputs, *io.outputs)] == [
        kind == "inputs",
        kind == "outputs",
    ]
    assert not io.kept
    proved(io, tmp_path)


def test_several_ends_keep_their_order_and_scales(tmp_path: Path) -> None:
    """The QUANTIZE of the second input stands between other ops, and an int8 result is read
    inside, too."""
    net = Net()
    a, b = net.end("FLOAT32", "a"), net.end("FLOAT32", "b")
    first = net.quantised(a, "qa", 0.02)
    half = net.added(first, first, "half")
    second = net.quantised(b, "qb", 0.07)
    total = net.added(half, second, "total")
    outs = net.dequantised(half, "half_out"), net.dequantised(total, "total_out")
    io = stripped(net, [b, a], outs)
    assert types(io) == ["ADD", "ADD"]
    names = [io.graph.tensors[t].name for t in (*io.graph.inputs, *io.graph.outputs)]
    assert names == ["qb", "qa", "half", "total"]
    scales = [io.graph.tensors[e.tensor].quantization for e in io.inputs]
    assert [s.scales[0] for s in scales if s] == pytest.approx([0.07, 0.02])
    proved(io, tmp_path)


def test_an_input_quantised_twice_to_the_same_becomes_one(tmp_path: Path) -> None:
    net = Net()
    source = net.end("FLOAT32", "in")
    one, two = net.quantised(source, "one"), net.quantised(source, "two")
    io = stripped(net, [source], [net.dequantised(net.added(one, two))])
    assert types(io) == ["ADD"]
    assert io.graph.ops[0].inputs == (io.graph.inputs[0],) * 2
    proved(io, tmp_path)


def test_uint8_ends_that_only_shift_go_and_flip_the_top_bit(tmp_path: Path) -> None:
    net = Net()
    source = net.end("UINT8", "in", SCALE, ZERO + 128)
    inner = net.quantised(source)
    total = net.added(inner, inner)
    byte = net.end("UINT8", "byte", WIDE, 5 + 128)
    net.op("QUANTIZE", [total], [byte])
    io = stripped(net, [source], [byte])
    assert types(io) == ["ADD"]
    assert [e.was for e in (*io.inputs, *io.outputs)] == ["UINT8", "UINT8"]
    proved(io, tmp_path)


def test_an_output_that_went_through_uint8_to_float_goes_whole(tmp_path: Path) -> None:
    net = Net()
    source = net.end("INT8", "in")
    byte = net.end("UINT8", "byte", WIDE, 5 + 128)
    net.op("QUANTIZE", [net.added(source, source)], [byte])
    io = stripped(net, [source], [net.dequantised(byte)])
    assert types(io) == ["ADD"]
    assert io.outputs[0].was == "FLOAT32"
    proved(io, tmp_path)


def test_int16_ends_go_as_well(tmp_path: Path) -> None:
    net = Net()
    source = net.end("FLOAT32", "in")
    inner = net.end("INT16", "q", 1 / 1024, 0)
    net.op("QUANTIZE", [source], [inner])
    total = net.end("INT16", "sum", 1 / 256, 0)
    net.op("ADD", [inner, inner], [total], ("AddOptions", fb.AddOptionsT()))
    io = stripped(net, [source], [net.dequantised(total)])
    assert types(io) == ["ADD"]
    assert [io.graph.tensors[e.tensor].dtype.name for e in (*io.inputs, *io.outputs)] == [
        "INT16",
        "INT16",
    ]
    proved(io, tmp_path)


def _also_read() -> tuple[Net, list[int], list[int]]:
    net = Net()
    source = net.end("FLOAT32", "in")
    inner = net.quantised(source)
    absolute = net.end("FLOAT32", "abs")
    net.op("ABS", [source], [absolute])
    return net, [source], [net.added(inner, inner), absolute]


def _two_scales() -> tuple[Net, list[int], list[int]]:
    net = Net()
    source = net.end("FLOAT32", "in")
    one, two = net.quantised(source, "one"), net.quantised(source, "two", 0.5)
    return net, [source], [net.added(one, two)]


def _read_inside() -> tuple[Net, list[int], list[int]]:
    net = Net()
    source = net.end("INT8", "in")
    out = net.dequantised(net.added(source, source))
    absolute = net.end("FLOAT32", "abs")
    net.op("ABS", [out], [absolute])
    return net, [source], [out, absolute]


def _passed_through() -> tuple[Net, list[int], list[int]]:
    net = Net()
    source = net.end("FLOAT32", "in")
    inner = net.quantised(source)
    return net, [source], [net.dequantised(inner), net.added(inner, inner)]


def _twice_out() -> tuple[Net, list[int], list[int]]:
    net = Net()
    source = net.end("INT8", "in")
    total = net.added(source, source)
    return net, [source], [net.dequantised(total, "one"), net.dequantised(total, "two")]


def _shifted() -> tuple[Net, list[int], list[int]]:
    net = Net()
    source = net.end("UINT8", "in", SCALE, ZERO + 100)
    inner = net.quantised(source)
    return net, [source], [net.added(inner, inner)]


def _rescaled() -> tuple[Net, list[int], list[int]]:
    net = Net()
    source = net.end("UINT8", "in", 2 * SCALE, ZERO + 128)
    inner = net.quantised(source)
    return net, [source], [net.added(inner, inner)]


def _integers() -> tuple[Net, list[int], list[int]]:
    net = Net()
    source = net.end("INT8", "in")
    return net, [source], [net.added(source, source)]


@pytest.mark.parametrize(
    ("made", "left", "why"),
    [
        (_also_read, 3, ["input 'in' stays FLOAT32: op 1 ABS reads it so", "output 'abs'"]),
        (_two_scales, 3, ["op 0 QUANTIZE and op 1 QUANTIZE quantise it in two ways"]),
        (_read_inside, 3, ["output 'out' stays FLOAT32: op 2 ABS reads it, too", "op 2 ABS makes"]),
        (_passed_through, 2, ["what op 1 DEQUANTIZE reads is an input or output already"]),
        (_twice_out, 2, ["what op 2 DEQUANTIZE reads is an input or output already"]),
        (_shifted, 2, ["op 0 QUANTIZE shifts UINT8 to INT8 by 100 levels, not by 128"]),
        (_rescaled, 2, ["op 0 QUANTIZE changes the scale between UINT8 and INT8"]),
        (_integers, 1, []),
    ],
)
def test_what_has_to_stay_says_why(made, left: int, why: list[str], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    io = stripped(*made())
    assert len(io.graph.ops) == left
    assert len(io.kept) == len(why)
    for said, part in zip(io.kept, why, strict=True):
        assert part in said
    if io.changed:
        proved(io, tmp_path)
    else:
        assert io.graph is io.given


def test_signatures_and_offline_offsets_follow_their_tensors() -> None:
    net, source, out = both_float()
    offsets = [-1, 32, -1, -1]
    words = np.asarray([1, 0, len(offsets), *offsets], "<i4")
    net.metadata("OfflineMemoryAllocation", words.tobytes())
    signature = fb.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving", 0
    for field, tensor in (("inputs", source), ("outputs", out)):
        entry = fb.TensorMapT()
        entry.name, entry.tensorIndex = field, tensor
        setattr(signature, field, [entry])
    net.model.signatureDefs = [signature]
    io = stripped(net, [source], [out])
    assert io.graph.offline_offsets == {io.inputs[0].tensor: 32}
    read = fb.Model.GetRootAs(io.graph.source).SignatureDefs(0)
    assert read.Inputs(0).TensorIndex() == io.graph.inputs[0]
    assert read.Outputs(0).TensorIndex() == io.graph.outputs[0]

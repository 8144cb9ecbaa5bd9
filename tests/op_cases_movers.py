"""Cases of ops that move, convert or make elements and compute none, in the types TFLM runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from op_models import Case, Ops, Value, constant, indices, scales_of

_NUMBERS = ("INT8", "INT16", "FLOAT32", "INT32")
_NEURAL = ("INT8", "INT16", "FLOAT32")
_SMALL = ("INT8", "FLOAT32")
_QUANTISED = {
    "INT8": ("INT8", "INT16", "UINT8"),
    "INT16": ("INT8", "INT16"),
    "FLOAT32": ("INT8", "INT16"),
    "INT32": ("INT8", "INT16"),
    "UINT8": ("INT8",),
}
_DEQUANTISED = ("INT8", "INT16", "UINT8")


def shaped(o: Ops) -> Iterator[Case]:
    image, flat, whole = o.act(1, 4, 4, 3), [o.act(1, 48)], o.act(1, 4, 6)
    options: dict[str, Any] = {"newShape": [1, 48]}
    yield o.case("RESHAPE", [image, indices(1, 48)], flat, "ReshapeOptions", **options)
    yield o.case("RESHAPE", [image], flat, "ReshapeOptions", "without shape", **options)
    computed = [image, Value((2,), "INT32")]
    yield o.case("RESHAPE", computed, flat, "ReshapeOptions", "to a computed shape")
    yield o.case("SQUEEZE", [whole], [o.act(4, 6)], "SqueezeOptions", squeezeDims=[0])
    yield o.case("SHAPE", [image], [Value((4,), "INT32")], "ShapeOptions")
    yield o.case("REVERSE_V2", [image, indices(1)], [image], "ReverseV2Options")
    yield o.case("BROADCAST_TO", [o.act(1, 3), indices(4, 3)], [o.act(4, 3)], "BroadcastToOptions")
    yield o.case("FILL", [indices(2, 3), o.act()], [o.act(2, 3)], "FillOptions")
    if o.dtype in _NEURAL:
        yield o.case("EXPAND_DIMS", [o.act(4, 6), indices(0)], [whole], "ExpandDimsOptions")
        turned, order = [o.act(1, 3, 4, 4)], indices(0, 3, 1, 2)
        yield o.case("TRANSPOSE", [image, order], turned, "TransposeOptions")
    if o.dtype == "INT32":
        yield o.case("BROADCAST_ARGS", [o.act(2), o.act(2)], [o.act(2)])


def cut_and_joined(o: Ops) -> Iterator[Case]:
    image, whole = o.act(1, 4, 4, 3), o.act(1, 4, 6)
    parts, axis = [o.act(1, 4, 2), o.act(1, 4, 4)], indices(2, shape=())
    row, pair = o.act(4, 6), o.act(2, 4, 6)
    if o.dtype != "UINT8":
        yield o.case("CONCATENATION", parts, [whole], "ConcatenationOptions", axis=2)
    if o.dtype in (*_NUMBERS, "BOOL"):
        part, begin = [o.act(1, 2, 2, 3)], indices(0, 1, 1, 0)
        yield o.case("SLICE", [image, begin, indices(1, 2, 2, 3)], part, "SliceOptions")
        ends = [indices(1, 3, 3, 3), indices(1, 1, 1, 1)]
        yield o.case("STRIDED_SLICE", [image, begin, *ends], part, "StridedSliceOptions")
    if o.dtype in (*_NUMBERS, "INT64"):
        yield o.case("PACK", [row, row], [pair], "PackOptions", valuesCount=2)
    if o.dtype in _NUMBERS:
        halves = [o.act(1, 4, 3), o.act(1, 4, 3)]
        yield o.case("SPLIT", [axis, whole], halves, "SplitOptions", numSplits=2)
        yield o.case("SPLIT_V", [whole, indices(2, 4), axis], parts, "SplitVOptions", numSplits=2)
        yield o.case("UNPACK", [pair], [row, row], "UnpackOptions", num=2)
        update = [row, o.act(2, 2), indices(1, 1)]
        yield o.case("DYNAMIC_UPDATE_SLICE", update, [row], "DynamicUpdateSliceOptions")
    if o.dtype in _SMALL:
        yield o.case("GATHER", [row, indices(1, 3)], [o.act(2, 6)], "GatherOptions")
        places = indices(1, 3, shape=(2, 1))
        yield o.case("GATHER_ND", [row, places], [o.act(2, 6)], "GatherNdOptions")
        looked_up = [Value((2,), "INT32"), o.still(4, 6)]
        yield o.case("EMBEDDING_LOOKUP", looked_up, [o.act(2, 6)])
    if o.dtype == "INT8":
        looked_up = [Value((2,), "INT32"), constant("INT8", 4, 6, scales=4)]
        yield o.case("EMBEDDING_LOOKUP", looked_up, [Value((2, 6), "FLOAT32")], form="to FLOAT32")


def spatial(o: Ops) -> Iterator[Case]:
    image = o.act(1, 4, 4, 3)
    if o.dtype in _NUMBERS:
        paddings = indices(0, 0, 1, 1, 2, 1, 0, 0, shape=(4, 2))
        padded = [o.act(1, 6, 7, 3)]
        yield o.case("PAD", [image, paddings], padded, "PadOptions")
        yield o.case("PADV2", [image, paddings, o.still(1)], padded, "PadV2Options")
    resized, size = [o.act(1, 8, 8, 3)], indices(8, 8)
    if o.dtype in _NEURAL:
        table = "ResizeNearestNeighborOptions"
        yield o.case("RESIZE_NEAREST_NEIGHBOR", [image, size], resized, table)
    if o.dtype in _SMALL:
        yield o.case("RESIZE_BILINEAR", [image, size], resized, "ResizeBilinearOptions")
        yield o.case("MIRROR_PAD", [image, paddings], padded, "MirrorPadOptions")
        deep = o.act(1, 2, 2, 12)
        yield o.case("SPACE_TO_DEPTH", [image], [deep], "SpaceToDepthOptions", blockSize=2)
        yield o.case("DEPTH_TO_SPACE", [deep], [image], "DepthToSpaceOptions", blockSize=2)
        block, none = indices(2, 2), indices(0, 0, 0, 0, shape=(2, 2))
        many = o.act(4, 2, 2, 3)
        yield o.case("SPACE_TO_BATCH_ND", [image, block, none], [many], "SpaceToBatchNDOptions")
        yield o.case("BATCH_TO_SPACE_ND", [many, block, none], [image], "BatchToSpaceNDOptions")


def converted(o: Ops) -> Iterator[Case]:
    def case(op: str, table: str, dtype: str) -> Case:
        other = Value((1, 8), dtype, scales_of(dtype, 0.25))
        return o.case(op, [o.act(1, 8)], [other], table, f"to {dtype}")

    for dtype in _NUMBERS if o.dtype in (*_NUMBERS, "BOOL") else ():
        yield case("CAST", "CastOptions", dtype)
    for dtype in _QUANTISED.get(o.dtype, ()):
        yield case("QUANTIZE", "QuantizeOptions", dtype)
    if o.dtype in _DEQUANTISED:
        yield case("DEQUANTIZE", "DequantizeOptions", "FLOAT32")

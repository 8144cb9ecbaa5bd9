"""The part of plan.json on models that were converted or quantised, and on routes from ONNX."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from splitopt.bundle.schema.common import (
    Count,
    Index,
    Line,
    Map,
    Number,
    Op,
    Open,
    Shape,
    Signed,
    Text,
    Texts,
)


class Quality(Open):
    """The int8 model against the float one on held-out samples; top-1 in shares of one."""

    samples: Count
    sqnr_db: Number
    worst_litert_lsb: Number | None
    top1_float: Number | None
    top1_int8: Number | None
    top1_agreement: Number | None


class Preprocess(Open):
    mean: tuple[Number, ...] = ()
    std: tuple[Annotated[Number, Field(gt=0)], ...] = ()
    layout: Literal["nhwc", "nchw"] = "nhwc"


class OnnxSource(Open):
    notes: Texts = ()


class Conversion(Open):
    """How the int8 model was made, for models that were converted or quantised."""

    schema_version: Count = 1
    onnx: OnnxSource | None
    renamed: Any = None
    external: Map = Field(default={})
    calibration_samples: Count
    calibration_range: tuple[Number, Number] | None = None
    held_out_range: tuple[Number, Number] | None = None
    preprocess: Preprocess = Preprocess()
    conversion_s: Number = 0
    quality: Quality
    warnings: Texts = ()


class Side(Shape):
    """One piece's end of a boundary: real = scale x (integer - zero point)."""

    piece: Op
    scale: Number
    zero_point: Annotated[int, Field(ge=-(2**31), lt=2**31)]
    shape: tuple[int, ...] = ()
    layout: Line = ""


class Agreement(Shape):
    """A boundary tensor from the piece that makes it to one that reads it."""

    tensor: Index | None = None
    position: Op | None = None
    writer: Side
    reader: Side
    requantise: bool
    insn: Count
    onnx_tensor: Text | None


class Route(Shape):
    """One route from ONNX to pieces; accuracy is null where it was not measured."""

    peak_ram_bytes: Count
    largest_arena_bytes: Count
    estimated_added_insn: Signed
    requantised_boundaries: Count
    conversion_s: Number
    samples: Count | None = None
    worst_lsb: Number | None
    sqnr_db: Number | None
    top1: Number | None
    top1_agreement: Number | None


class Routes(Shape):
    whole: Route
    pieces: Route

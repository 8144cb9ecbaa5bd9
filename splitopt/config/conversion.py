"""The keys of a job that say how an ONNX or float model becomes an int8 one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from splitopt.base.yaml_input import Strict
from splitopt.config.target import LISTED

MOST_AXES = 8
Seconds = Annotated[float, Field(gt=0, le=86400, strict=False)]
Shape = Annotated[
    tuple[Annotated[int, Field(ge=1, le=2**31 - 1)], ...],
    LISTED,
    Field(min_length=1, max_length=MOST_AXES),
]
_AboveZero = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)]


class PreprocessSpec(Strict):
    """(x - mean) / std of each channel, before samples reach the model."""

    mean: Annotated[tuple[float, ...], LISTED] = ()
    std: Annotated[tuple[_AboveZero, ...], LISTED] = ()
    layout: Annotated[Literal["nhwc", "nchw"], Field(description="Of the images in the data.")] = (
        "nhwc"
    )


class InputSpec(Strict):
    """Samples of one input of several."""

    key: Annotated[
        str | None, Field(description="The array of the .npz; default: the input's name.")
    ] = None
    test: Annotated[
        str | None, Field(description="The array of the .npz that the conversion is checked on.")
    ] = None
    preprocess: Annotated[PreprocessSpec | None, Field(description="Default: the job's.")] = None


class CalibrationSpec(Strict):
    """Samples of the inputs of an ONNX or float model, to quantise it with."""

    path: Annotated[str, Field(description="An .npz, an .npy, or a folder of npy, npz or png.")]
    key: Annotated[str | None, Field(description="The array of the .npz.")] = None
    test: Annotated[
        str | None,
        Field(
            description="The array of the .npz that the conversion is checked on; "
            "default: the last fifth of the samples is held out."
        ),
    ] = None
    label: Annotated[
        str | None, Field(description="The array of the .npz with the right classes, for top-1.")
    ] = None
    inputs: Annotated[
        Mapping[str, InputSpec],
        Field(description="For models of several inputs: the arrays of each, by its name."),
    ] = {}


class ConvertSpec(Strict):
    """How onnx2tf is called, and where conversions are kept."""

    command: Annotated[
        Annotated[tuple[str, ...], LISTED] | None, Field(description="Another onnx2tf.")
    ] = None
    time_limit_s: Seconds = 600.0
    cache: Annotated[
        str | None, Field(description="A folder; default: splitopt in the user's cache.")
    ] = None

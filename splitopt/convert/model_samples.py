"""Samples of all inputs of a model, each from the array and with the preprocessing it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from splitopt.base.errors import UsageError
from splitopt.convert.calibration import (
    WITH_CHANNELS,
    Preprocess,
    data_shape,
    load_samples,
    without_batch,
)
from splitopt.runtime.arrays import Array, require_arrays

Inputs = Sequence[tuple[str, tuple[int | None, ...]]]
"""Name and shape of each input, batch included."""


@dataclass(frozen=True)
class InputData:
    """Where the samples of one input are, and how they are prepared."""

    key: str | None
    test_key: str | None
    preprocess: Preprocess


@dataclass(frozen=True)
class DataFiles:
    """A job's calibration data. `one`: for a model of one input; `by_name`: for several.

    `where` is what messages begin with. `is_onnx`: whether the model is, whose images may lie as
    its own inputs do.
    """

    path: Path
    one: InputData
    label_key: str | None
    by_name: Mapping[str, InputData]
    where: str
    is_onnx: bool = False


@dataclass(frozen=True)
class ModelSamples:
    """For each input, in the model's order: float32 [N, ...], images NHWC; labels of the held-out.

    All inputs have as many samples. `as_nchw`: inputs whose data were taken for nchw unasked.
    """

    names: tuple[str, ...]
    calibration: tuple[Array, ...]
    held_out: tuple[Array, ...]
    labels: Array | None
    as_nchw: tuple[str, ...] = ()


def load_model_samples(data: DataFiles, inputs: Inputs, *, channels_first: bool) -> ModelSamples:
    """Samples as the model wants them, channels last.

    Raises UsageError for inputs that are not there, arrays that do not fit, or differ in number.
    """
    names = [name for name, _ in inputs]
    asked = _asked(data, names)
    loaded = [
        load_samples(
            data.path,
            asked[name].key,
            asked[name].test_key,
            data.label_key if name == names[0] else None,
            asked[name].preprocess,
            shape,
            data.where if len(inputs) == 1 else f"{data.where}.inputs: {name!r}",
            channels_first=channels_first,
            may_be_nchw=data.is_onnx,
        )
        for name, shape in inputs
    ]
    counts = {
        name: (len(s.calibration), len(s.held_out)) for name, s in zip(names, loaded, strict=True)
    }
    if len({*counts.values()}) != 1:
        told = ", ".join(f"{name!r} {a} + {b}" for name, (a, b) in counts.items())
        raise UsageError(
            f"{data.where}.inputs: {data.path}: samples differ in number (calibration + held out: "
            f"{told}); want one of each input for every sample"
        )
    return ModelSamples(
        tuple(names),
        tuple(s.calibration for s in loaded),
        tuple(s.held_out for s in loaded),
        loaded[0].labels,
        tuple(
            name
            for name, found in zip(names, loaded, strict=True)
            if found.layout != asked[name].preprocess.layout
        ),
    )


def require_named(data: DataFiles) -> None:
    """Raises UsageError for an array that is asked for and absent, before anything is read."""
    asked = [key for own in (data.one, *data.by_name.values()) for key in (own.key, own.test_key)]
    keys = [key for key in (*asked, data.label_key) if key is not None]
    require_arrays(data.path, keys, data.where)


def sizes_of_samples(
    data: DataFiles, inputs: Mapping[str, Sequence[int | str]]
) -> dict[str, tuple[int, ...]]:
    """Sizes for the open axes (words) of ONNX inputs, batch first, where the samples tell them."""
    found = {}
    with suppress(UsageError):
        for name, own in _asked(data, tuple(inputs)).items():
            shape = data_shape(data.path, own.key, data.where)
            sizes = _fitting(shape, inputs[name], own.preprocess.layout)
            if sizes is not None:
                found[name] = sizes
    return found


def _fitting(
    shape: Sequence[int], axes: Sequence[int | str], layout: str
) -> tuple[int, ...] | None:
    """One sample of `shape` as `axes` have it, its layout first, else the other."""
    inner = without_batch(shape, len(axes) - 1)
    if len(inner) + 1 != len(axes):
        return None
    turned = inner
    if len(axes) in WITH_CHANNELS:
        turned = (*inner[-1:], *inner[:-1])
    for sizes in (inner, turned) if layout == "nchw" else (turned, inner):
        if all(isinstance(a, str) or a == n for a, n in zip(axes[1:], sizes, strict=True)):
            return 1, *sizes
    return None


def _asked(data: DataFiles, names: Sequence[str]) -> Mapping[str, InputData]:
    """What each input takes: what it is given by name, else the array of its name."""
    strangers = [name for name in data.by_name if name not in names]
    if strangers:
        raise UsageError(
            f"{data.where}.inputs: no input {strangers[0]!r}; the model's are "
            f"{', '.join(map(repr, names))}"
        )
    if len(names) == 1:
        return {names[0]: data.by_name.get(names[0], data.one)}
    if data.one.key or data.one.test_key:
        line = ", ".join(f"{name!r}: {{key: ARRAY}}" for name in names)
        raise UsageError(
            f"{data.where}.key: the model has {len(names)} inputs; without a key "
            f"({data.path.name} alone) each takes the array of its own name, {', '.join(names)}; "
            "or give each its array in a job: "
            f"calibration: {{path: {data.path.name}, inputs: {{{line}}}}}"
        )
    by_default = {name: InputData(name, None, data.one.preprocess) for name in names}
    given = {
        name: own if own.key is not None else replace(own, key=name)
        for name, own in data.by_name.items()
    }
    return by_default | given

"""Shapes of an ONNX model: open axes of its inputs filled, all others inferred from them.

What a file says of its outputs and inner tensors is dropped: exporters leave there what held for
another batch, or for the sizes that the model was traced with.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from splitopt.convert.onnx_external import Refusal

Axes = list[int | str]
_FLOAT32 = 1  # TensorProto.FLOAT


class OpenAxes(Refusal):
    """Inputs, by name, with axes that have no size."""

    def __init__(self, inputs: Mapping[str, Axes]) -> None:
        super().__init__(open_text(inputs, {}))
        self.inputs = inputs


def fix_shapes(model: Any, given: Mapping[str, Sequence[int]]) -> bool:
    """Fills the inputs' open axes with the sizes `given` by name, an open batch with 1; drops every
    other shape. Whether a batch was open.

    Raises Refusal: for what `given` does not fit, and for axes that stay open, all of them named.
    """
    inputs = {value.name: value for value in inputs_of(model.graph)}
    for name in given:
        if name not in inputs:
            raise Refusal(
                f"input_shapes: no input {name!r}; the model's are {', '.join(map(repr, inputs))}"
            )
    was_open = [_fill(value, given.get(value.name)) for value in inputs.values()]
    _refuse_open(list(inputs.values()))
    for value in inputs.values():
        if (batch := _axes(value)[:1]) and batch[0] != 1:
            raise Refusal(f"input {value.name!r}: a batch of {batch[0]}; export it with 1")
    del model.graph.value_info[:]
    for value in model.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            dim.Clear()
    return any(was_open)


def inputs_of(graph: Any) -> Iterator[Any]:
    """Old files list their constants among the inputs."""
    constants = {tensor.name for tensor in graph.initializer}
    return (value for value in graph.input if value.name not in constants)


def _fill(value: Any, given: Sequence[int] | None) -> bool:
    tensor = value.type.tensor_type
    if tensor.elem_type != _FLOAT32:
        raise Refusal(f"input {value.name!r}: want FLOAT (32 bits); export it so")
    if given is not None:
        _check_given(value, given)
        tensor.shape.ClearField("dim")
        for size in given:
            tensor.shape.dim.add().dim_value = size
        return False
    axes = _axes(value)
    if not axes or isinstance(axes[0], int):
        return False
    tensor.shape.dim[0].Clear()
    tensor.shape.dim[0].dim_value = 1
    return True


def _check_given(value: Any, given: Sequence[int]) -> None:
    """Raises Refusal where an axis that the file fixes is given another size."""
    if not value.type.tensor_type.HasField("shape"):
        return
    axes = _axes(value)
    fits = len(axes) == len(given) and all(
        isinstance(axis, str) or axis == size for axis, size in zip(axes, given, strict=True)
    )
    if not fits:
        raise Refusal(
            f"input_shapes: input {value.name!r}: got {list(given)}, want {_written(axes)} as the "
            "model has it; export the model again for another fixed size"
        )


def _axes(value: Any) -> Axes:
    """Sizes of an input; a name for each that the file leaves open."""
    return [
        dim.dim_value if dim.dim_value > 0 else dim.dim_param or "?"
        for dim in value.type.tensor_type.shape.dim
    ]


def _refuse_open(inputs: Sequence[Any]) -> None:
    found: dict[str, Axes] = {}
    for value in inputs:
        axes: Axes = _axes(value) if value.type.tensor_type.HasField("shape") else ["..."]
        if any(isinstance(axis, str) for axis in axes):
            found[value.name] = axes
    if found:
        raise OpenAxes(found)


def open_text(inputs: Mapping[str, Axes], sizes: Mapping[str, Sequence[int]]) -> str:
    """What to type for inputs with open axes. `sizes`: of those whose samples are known."""
    named = "; ".join(f"input {name!r} is {_written(axes)}" for name, axes in inputs.items())
    filled = {name: sizes.get(name, axes) for name, axes in inputs.items()}
    line = ", ".join(f"{_key(name)}: {_written(axes)}" for name, axes in filled.items())
    options = (f"{name}={','.join(map(str, axes))}" for name, axes in filled.items())
    typed = " ".join(f"--input-shape {shlex.quote(option)}" for option in options)
    words = dict.fromkeys(a for axes in filled.values() for a in axes if isinstance(a, str))
    how = f"with numbers for {', '.join(words)}, type" if words else "as the samples are, type"
    return (
        f"axes without a fixed size: {named}; {how} {typed}, or write into the job: "
        f"input_shapes: {{{line}}}"
    )


def _written(axes: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, axes))}]"


def _key(name: str) -> str:
    """A name as a key of YAML in one line."""
    is_plain = name.replace("_", "a").isalnum() and name.isascii() and not name[0].isdigit()
    words = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
    return name if is_plain and name.lower() not in words else json.dumps(name, ensure_ascii=False)

"""The C++ header by which an application feeds and reads a model of integers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from splitopt.graph.model import Tensor

_TYPES = {"INT8": ("std::int8_t", -128, 127), "INT16": ("std::int16_t", -32768, 32767)}


@dataclass(frozen=True)
class NamedEnd:
    """An input or output. `was`: its element type before `model.io: int8`, if that changed it."""

    name: str
    tensor: Tensor
    was: str = ""


def io_header_text(namespace: str, inputs: Sequence[NamedEnd], outputs: Sequence[NamedEnd]) -> str:
    """Scales, zero points, and functions that compute what TFLM's QUANTIZE and DEQUANTIZE do.

    Source: tensorflow/lite/kernels/internal/reference/{quantize,dequantize}.h. Ends without a scale
    of the whole tensor are left out.
    """
    guard = f"{namespace.upper()}_IO_H_"
    parts = [_input(k, end) for k, end in enumerate(inputs) if _has_scale(end)]
    parts += [_output(k, end) for k, end in enumerate(outputs) if _has_scale(end)]
    body = "\n".join(parts)
    return f"""\
// How to feed and read {namespace}: real = scale * (integer - zero point).
#ifndef {guard}
#define {guard}

#include <cmath>
#include <cstdint>

namespace {namespace} {{

{body}
}}  // namespace {namespace}

#endif  // {guard}
"""


def _has_scale(end: NamedEnd) -> bool:
    affine = end.tensor.quantization
    return end.tensor.dtype.name in _TYPES and affine is not None and len(affine.scales) == 1


def _input(k: int, end: NamedEnd) -> str:
    integer, low, high = _TYPES[end.tensor.dtype.name]
    return f"""\
{_constants(f"Input{k}", f"Input {k}", end)}
// Halves are rounded away from zero.
inline {integer} QuantizeInput{k}(float real) {{
  const float level = std::round(real / kInput{k}Scale) + kInput{k}ZeroPoint;
  if (!(level > {low})) return {low};
  return level < {high} ? static_cast<{integer}>(level) : {high};
}}
"""


def _output(k: int, end: NamedEnd) -> str:
    integer = _TYPES[end.tensor.dtype.name][0]
    return f"""\
{_constants(f"Output{k}", f"Output {k}", end)}
inline float DequantizeOutput{k}({integer} value) {{
  return static_cast<float>(static_cast<double>(kOutput{k}Scale) * (value - kOutput{k}ZeroPoint));
}}
"""


def _constants(stem: str, title: str, end: NamedEnd) -> str:
    affine, tensor = end.tensor.quantization, end.tensor
    assert affine is not None, "asked for ends that have a scale"
    # A name is not trusted: a newline or a backslash at its end would end the comment elsewhere.
    name = re.sub(r"[^A-Za-z0-9_./:;-]", "?", end.name)[:80]
    before = f"; {end.was} before QUANTIZE or DEQUANTIZE was dropped" if end.was else ""
    shift = "; the UINT8 of before is 128 more" if end.was == "UINT8" else ""
    return f"""\
// {title} {name}: {tensor.dtype.name} {list(tensor.shape)}{before}{shift}.
inline constexpr float k{stem}Scale = {_literal(affine.scales[0])};
inline constexpr int k{stem}ZeroPoint = {affine.zero_points[0]};"""


def _literal(value: float) -> str:
    """Nine digits give a float32 back whole."""
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"

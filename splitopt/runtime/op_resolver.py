"""The calls that register TFLM's kernels in a MicroMutableOpResolver, by builtin op name.

Source: micro_mutable_op_resolver.h of TFLM 90b983c2.
"""

from __future__ import annotations

from collections.abc import Iterable

from splitopt.graph.registered_ops import REGISTERED

_IRREGULAR = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}


def add_call(op_type: str) -> str:
    """`CONV_2D` → `AddConv2D`."""
    words = op_type.split("_")
    regular = "".join(w.capitalize() if w[0].isalpha() else w for w in words)
    return f"Add{_IRREGULAR.get(op_type, regular)}"


def any_op_header() -> str:
    """A C++ header with class `sim::Resolver`, to which the ops of a job are added by number."""
    cases = "\n".join(
        f"      case tflite::BuiltinOperator_{name}: return {add_call(name)}() == kTfLiteOk;"
        for name in sorted(REGISTERED)
    )
    body = f"""\
  bool Add(std::uint32_t op) {{
    switch (op) {{
{cases}
      default: return false;
    }}
  }}"""
    return _header("sim", len(REGISTERED), body)


def resolver_header(op_types: Iterable[str], namespace: str) -> str:
    """A C++ header with class `Resolver`, which knows these ops and no other.

    Raises AssertionError for an op that TFLM has no kernel for.
    """
    chosen = sorted(set(op_types))
    assert set(chosen) <= REGISTERED, f"not registered: {set(chosen) - REGISTERED}"
    calls = "\n".join(f"    {add_call(name)}();" for name in chosen)
    return _header(namespace, max(1, len(chosen)), f"  Resolver() {{\n{calls}\n  }}")


def _header(namespace: str, op_count: int, body: str) -> str:
    guard = f"{namespace.upper()}_RESOLVER_H_"
    return f"""\
#ifndef {guard}
#define {guard}

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

namespace {namespace} {{

class Resolver : public tflite::MicroMutableOpResolver<{op_count}> {{
 public:
{body}
}};

}}  // namespace {namespace}

#endif  // {guard}
"""

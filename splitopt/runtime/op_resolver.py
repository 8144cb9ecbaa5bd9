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
    return f"""\
#ifndef SIM_RESOLVER_H_
#define SIM_RESOLVER_H_

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

namespace sim {{

class Resolver : public tflite::MicroMutableOpResolver<{len(REGISTERED)}> {{
 public:
  bool Add(std::uint32_t op) {{
    switch (op) {{
{cases}
      default: return false;
    }}
  }}
}};

}}  // namespace sim

#endif  // SIM_RESOLVER_H_
"""


def resolver_header(op_types: Iterable[str], namespace: str) -> str:
    """A C++ header with class `Resolver`, which knows these ops and no other.

    Raises AssertionError for an op that TFLM has no kernel for.
    """
    chosen = sorted(set(op_types))
    assert set(chosen) <= REGISTERED, f"not registered: {set(chosen) - REGISTERED}"
    calls = "\n".join(f"    {add_call(name)}();" for name in chosen)
    guard = f"{namespace.upper()}_RESOLVER_H_"
    return f"""\
#ifndef {guard}
#define {guard}

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

namespace {namespace} {{

class Resolver : public tflite::MicroMutableOpResolver<{max(1, len(chosen))}> {{
 public:
  Resolver() {{
{calls}
  }}
}};

}}  // namespace {namespace}

#endif  // {guard}
"""

"""Every op that has a rule of bytes, in each element type and form that the rules tell apart.

Which types TFLM runs was seen on a simulated Cortex-M55: AllocateTensors or Invoke fails on others.
"""

from __future__ import annotations

from op_cases_movers import converted, cut_and_joined, shaped, spatial
from op_cases_plain import elementwise, pools, reductions, tables
from op_cases_weighted import products, stateful, weighted
from op_models import Case, Ops

_NEURAL = (weighted, stateful, products, pools, tables)
_PLAIN = (elementwise, reductions, shaped, cut_and_joined, spatial, converted)
_TYPES = ("INT8", "INT16", "FLOAT32", "INT32", "INT64", "BOOL", "UINT8")
CASES: tuple[Case, ...] = (
    *(case for dtype in _TYPES[:3] for family in _NEURAL for case in family(Ops(dtype))),
    *(case for dtype in _TYPES for family in _PLAIN for case in family(Ops(dtype))),
)

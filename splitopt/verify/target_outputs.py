"""Outputs on a target against TFLM on this machine: bit for bit, but where floats are computed.

Two builds of TFLM need not round floats alike: a Cortex-M55's compiler contracts a * b + c into one
rounding and sums in another order, and its C library has an expf of its own. Integers, and floats
that are only moved, are the same everywhere; and on one target, pieces and unsplit model are the
same code on the same bits, so their outputs must be equal there, floats or not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from splitopt.graph.model import ModelGraph, Tensor
from splitopt.runtime.arrays import Array, difference, numpy_dtype
from splitopt.verify.check import Check, CheckStatus

Ran = Sequence[Sequence[bytes]]
"""Bytes of a model's outputs: [sample][output]."""

FLOAT_TOLERANCE = 1e-5
"""Share of an output's range: some hundred roundings of float32 (6e-8 each); seen on QEMU: 2.3e-7.
Integers that are quantised from such floats may be one step apart."""

_EXACT = frozenset(
    """
    BATCH_TO_SPACE_ND CONCATENATION DEPTH_TO_SPACE DEQUANTIZE EXPAND_DIMS FILL GATHER GATHER_ND
    MAX_POOL_2D MAXIMUM MINIMUM MIRROR_PAD PACK PAD PADV2 QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6
    RESHAPE RESIZE_NEAREST_NEIGHBOR REVERSE_V2 SLICE SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V
    SQUEEZE STRIDED_SLICE TRANSPOSE UNPACK
    """.split()
)
"""Ops that move floats, choose among them, or round each once."""


def computed_in_float(graph: ModelGraph) -> frozenset[int]:
    """Tensors with an op on their path that sums or multiplies floats."""
    found: set[int] = set()
    for op in graph.ops:
        reads = [graph.tensors[tensor] for tensor in op.given_inputs]
        rounds = op.type not in _EXACT and any(t.dtype.name.startswith("FLOAT") for t in reads)
        if rounds or found.intersection(op.given_inputs):
            found.update(op.outputs)
    return frozenset(found)


def forgets_on_target(graph: ModelGraph) -> bool:
    """Whether TFLM's kernels for the Cortex-M55 drop a state that those of this machine carry.

    cmsis_nn/unidirectional_sequence_lstm.cc of TFLM 90b983c2 hands CMSIS-NN no hidden state:
    arm_lstm_unidirectional_s8 and _s16 then begin every Invoke with zeros.
    """
    lstms = (op for op in graph.ops if op.type == "UNIDIRECTIONAL_SEQUENCE_LSTM")
    return any(graph.tensors[op.inputs[0]].dtype.name.startswith("INT") for op in lstms)


def outputs_check(
    graph: ModelGraph,
    target: str,
    host: Ran,
    unsplit: Ran | None,
    pieces: Ran,
    names: Sequence[str],
) -> Check:
    """`unsplit`, `pieces`: on the target, the unsplit model only where it ran there; `host`: the
    unsplit model in TFLM on this machine.

    `names`: of the model's outputs. `worst_difference` counts outputs that differ in a bit where
    none may; with floats it is the largest difference in shares of what is allowed. A warning
    where the target's kernels drop a state, and pieces and unsplit model agree there.
    """
    floats, forgets = computed_in_float(graph), forgets_on_target(graph)
    wrong, dropped, worst = [], [], 0.0
    first = "pieces" if unsplit is None else "unsplit model"
    for k, tensor in enumerate(graph.outputs):
        ran = (host, pieces if unsplit is None else unsplit, pieces)
        want, whole, chained = ([sample[k] for sample in own] for own in ran)
        if tensor in floats:
            share = _share_of_allowed(graph.tensors[tensor], want, whole)
            worst = max(worst, share)
            wrong += [f"{first}: {names[k]} by {share:.3g} times"] if share > 1 else []
            want = whole
        elif forgets:
            dropped += _differing(f"{first}: {names[k]}", want, whole)
            want = whole
        else:
            wrong += _differing(f"{first}: {names[k]}", want, whole)
        if unsplit is not None:
            wrong += _differing(f"pieces: {names[k]}", want, chained)
    status = CheckStatus.FAILED if wrong else CheckStatus.PASSED
    if dropped and not wrong:
        said = _DROPPED if unsplit is None else f"{_DROPPED}; pieces = unsplit model on the target"
        status, wrong = CheckStatus.WARNING, [f"{said} ({dropped[0]})"]
    within = f"where computed in float, to {FLOAT_TOLERANCE:g} of their range or 1 LSB"
    alike = "" if unsplit is None else "; pieces = unsplit there, bit for bit"
    some = floats.intersection(graph.outputs)
    return Check(
        name="target_outputs",
        status=status,
        compared=f"outputs on {target} = TFLM on this machine, "
        + (within + alike if some else "bit for bit"),
        inputs=len(pieces),
        worst_difference=round(worst, 6) if some else len(wrong),
        detail="; ".join(wrong[:3]),
    )


_DROPPED = (
    "CMSIS-NN's LSTM begins every inference with a state of zeros, the kernel of this machine goes "
    "on with the last"
)


def _differing(what: str, want: Sequence[bytes], got: Sequence[bytes]) -> list[str]:
    pairs = enumerate(zip(want, got, strict=True))
    return [f"{what}, input {sample}" for sample, (a, b) in pairs if a != b]


def _share_of_allowed(tensor: Tensor, want: Sequence[bytes], got: Sequence[bytes]) -> float:
    """Over 1: wrong. Integers without a scale, as the places that ARG_MAX finds, must be equal."""
    a, b = _values(tensor, want), _values(tensor, got)
    if not np.issubdtype(a.dtype, np.floating):
        return difference(a, b) * (1 if tensor.quantization else 2)
    finite = a[np.isfinite(a)]
    reach = float(np.abs(finite).max()) if finite.size else 0.0
    return difference(a, b) / (FLOAT_TOLERANCE * max(reach, FLOAT_TOLERANCE))


def _values(tensor: Tensor, samples: Sequence[bytes]) -> Array:
    dtype = numpy_dtype(tensor)
    return np.stack([np.frombuffer(sample, dtype) for sample in samples])

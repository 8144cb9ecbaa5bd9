"""The unsplit model in TFLM against LiteRT's reference kernels (BUILTIN_REF), op by op.

Each op runs in LiteRT on the inputs that it had in TFLM: what earlier ops did differently is no
part of its difference, whatever the ops behind them do to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from splitopt.base.errors import ToolError
from splitopt.base.limits import PROOF_BYTES
from splitopt.base.text import first_few
from splitopt.graph.model import ModelGraph, Tensor, TensorKind
from splitopt.graph.segments import segment_of
from splitopt.pieces.writer import write_piece
from splitopt.runtime.arrays import Array, difference
from splitopt.runtime.host import LitertOp, run_litert_ops
from splitopt.verify.chains import run_whole
from splitopt.verify.check import Check, CheckStatus, named_tensor

COMPARED = "each op of the unsplit model in TFLM = LiteRT BUILTIN_REF on the same inputs, to 1 LSB"
_FLOAT_TOLERANCE = 1e-5


@dataclass(frozen=True)
class _Apart:
    """How far one tensor is from TFLM's, and how far it may be."""

    op: int
    tensor: int
    difference: float
    allowed: float


def litert_check(
    graph: ModelGraph, model: Path, feeds: Mapping[int, Array], timeout_s: float
) -> Check:
    """A warning where they differ by more than 1 LSB: TFLM's kernels are not the pieces' fault.

    `feeds`: the model's inputs, [N, *shape] each; as many samples are run as PROOF_BYTES hold.
    SKIPPED where LiteRT runs no op of the model.
    """
    fed = _affordable(graph, feeds)
    count = len(next(iter(fed.values())))
    try:
        tflm = {**fed, **run_whole(graph, model, fed, timeout_s, _inner(graph))}
        ran = run_litert_ops(_single_ops(graph), {_key(t): a for t, a in tflm.items()}, timeout_s)
    except ToolError as error:
        return Check.skipped("litert", COMPARED, f"could not be made: {error}")
    found = [_apart(graph, int(name), tflm, array) for name, array in ran.arrays.items()]
    if not found:
        why = first_few(list(ran.refused.values()))
        return Check.skipped("litert", COMPARED, f"LiteRT cannot run it: {why}")
    worst = max(apart.difference for apart in found)
    wrong = [apart for apart in found if apart.difference > apart.allowed]
    status = CheckStatus.WARNING if wrong else CheckStatus.PASSED
    detail = "; ".join([*_disagreements(graph, wrong), *_notes(ran.refused, ran.repaired_biases)])
    return Check("litert", status, COMPARED, count, worst, detail)


def _inner(graph: ModelGraph) -> list[int]:
    made = [t for op in graph.ops for t in op.outputs if t not in graph.outputs]
    return [t for t in made if graph.tensors[t].is_activation and graph.tensors[t].bytes]


def _affordable(graph: ModelGraph, feeds: Mapping[int, Array]) -> dict[int, Array]:
    each = sum(tensor.bytes for tensor in graph.tensors if not tensor.is_constant)
    most = max(1, PROOF_BYTES // max(1, each))
    return {tensor: array[:most] for tensor, array in feeds.items()}


def _single_ops(graph: ModelGraph) -> list[LitertOp]:
    """Each op as a model of its own, but for those whose outputs nothing reads, and those of
    resource variables, which other ops fill."""
    ops = []
    graph = replace(graph, called=())
    for k, op in enumerate(graph.ops):
        if any(graph.tensors[t].kind is TensorKind.HANDLE for t in op.touched):
            continue
        segment = segment_of(graph, k, k + 1)
        outputs = [t for t in segment.outputs if graph.tensors[t].bytes]
        if len(outputs) == len(segment.outputs) and outputs:
            inputs = tuple(map(_key, segment.inputs))
            data = write_piece(graph, segment)
            ops.append(LitertOp(graph.op_name(k), data, inputs, tuple(map(_key, outputs))))
    return ops


def _key(tensor: int) -> str:
    return str(tensor)


def _apart(graph: ModelGraph, tensor: int, tflm: Mapping[int, Array], litert: Array) -> _Apart:
    allowed = _allowed(graph.tensors[tensor], tflm[tensor])
    return _Apart(graph.producer[tensor], tensor, difference(litert, tflm[tensor]), allowed)


def _allowed(tensor: Tensor, values: Array) -> float:
    """1 LSB where kernels round to a scale; nothing where integers are only moved or compared.

    Floats: a hundred-thousandth of the tensor's range, some hundred roundings of float32.
    """
    if np.issubdtype(values.dtype, np.inexact):
        finite = values[np.isfinite(values)]
        return _FLOAT_TOLERANCE * (1 + (float(np.abs(finite).max()) if finite.size else 0.0))
    return 0 if tensor.quantization is None else 1


def _disagreements(graph: ModelGraph, wrong: Sequence[_Apart]) -> Iterator[str]:
    if not wrong:
        return
    first = wrong[0]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    yield (
        f"the kernels disagree at {graph.op_name(first.op)}{more}: "
        f"{named_tensor(graph, first.tensor)} differs by {first.difference:g}, {first.allowed:g} "
        "is explained by rounding; the pieces are not the cause: judge the unsplit model in TFLM "
        "on data of your own (verify.litert: false leaves this out)"
    )


def _notes(refused: Mapping[str, str], repaired_biases: int) -> Iterator[str]:
    if repaired_biases:
        yield f"LiteRT ran copies with the axis of {repaired_biases} biases corrected"
    if refused:
        op, why = next(iter(refused.items()))
        more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
        yield f"LiteRT cannot run {op}{more}: {why}"

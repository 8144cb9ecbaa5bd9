"""A model that keeps state, over a sequence of inferences: TFLM against LiteRT (BUILTIN_REF).

Both start afresh and run the same inputs one after another, so that a state which is lost, reset
or carried wrongly shows in every output behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from splitopt.base.errors import ToolError
from splitopt.graph.model import ModelGraph
from splitopt.runtime.arrays import Array, difference
from splitopt.runtime.host import run_litert
from splitopt.verify.chains import run_whole
from splitopt.verify.check import Check, CheckStatus, named_tensor

COMPARED = "unsplit model in TFLM = LiteRT BUILTIN_REF, state carried over all inputs in a row"


def sequence_check(
    graph: ModelGraph, model: Path, feeds: Mapping[int, Array], timeout_s: float
) -> Check:
    """A warning where a bit differs: TFLM's kernels are not the pieces' fault.

    `feeds`: the model's inputs, [N, *shape] each, in the order they are run. SKIPPED where LiteRT
    does not run the model.
    """
    count, inputs = len(next(iter(feeds.values()))), [feeds[tensor] for tensor in graph.inputs]
    names = [str(tensor) for tensor in graph.outputs]
    try:
        tflm = run_whole(graph, model, feeds, timeout_s)
        litert = run_litert(model, inputs, names, repair_bias_axis=True, timeout_s=timeout_s).arrays
    except ToolError as error:
        return Check.skipped("sequence", COMPARED, f"could not be made: {error}")
    wrong = [t for t in graph.outputs if litert[str(t)].tobytes() != tflm[t].tobytes()]
    worst = max(difference(litert[str(t)], tflm[t]) for t in graph.outputs)
    if not wrong:
        return Check("sequence", CheckStatus.PASSED, COMPARED, count, worst)
    detail = f"output {named_tensor(graph, wrong[0])} differs by up to {worst:g}"
    return Check("sequence", CheckStatus.WARNING, COMPARED, count, worst, detail)

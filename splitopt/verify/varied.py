"""Does the unsplit model tell its inputs apart? Where it does not, equal outputs prove little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from splitopt.base.units import plural
from splitopt.graph.model import ModelGraph
from splitopt.runtime.arrays import Array, is_constant
from splitopt.verify.check import VARIED, Check, CheckStatus


def varied_check(
    graph: ModelGraph,
    fed: Mapping[int, Array],
    whole: Mapping[int, Array],
    inner: Sequence[int],
) -> Iterator[Check]:
    """A warning where inputs differ and all outputs are the same for each of them; else nothing.

    `fed`, `whole`: tensor → [N, *shape], of the unsplit model; `inner`: the boundary tensors in
    `whole`, counted in the warning.
    """
    outputs = [whole[tensor] for tensor in graph.outputs]
    same_inputs = all(not values.size or is_constant(values) for values in fed.values())
    if same_inputs or not outputs or not all(is_constant(values) for values in outputs):
        return
    count = len(outputs[0])
    constant = sum(is_constant(whole[tensor]) for tensor in inner)
    too = f", as are {constant} of {plural(len(inner), 'boundary tensor')}" if constant else ""
    yield Check(
        VARIED,
        CheckStatus.WARNING,
        "outputs of the unsplit model in TFLM, of one input against those of the others",
        count,
        0,
        f"they are the same for all {plural(count, 'input')}{too}: that pieces equal them proves "
        "little; give samples that the model tells apart (verify.data)",
    )

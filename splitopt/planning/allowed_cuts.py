"""Which segments a job's cuts allow."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from splitopt.base.errors import UsageError
from splitopt.config.job import Job
from splitopt.graph.model import ModelGraph
from splitopt.planning.segment_bounds import has_both_ends
from splitopt.planning.state import segments_of_whole_variables
from splitopt.solvers.partition.option_pool import Mask

MAX_OPS = 1500


@dataclass(frozen=True)
class CutNames:
    """ONNX names that a job may use beside those of the int8 model's tensors.

    `cuts`: name → the cut after the op that makes its counterpart. `fused`: name → the op that it
    vanished in, where no cut can pass.
    """

    cuts: Mapping[str, int] = field(default_factory=dict)
    fused: Mapping[str, int] = field(default_factory=dict)


def allowed_segments(graph: ModelGraph, job: Job, names: CutNames | None = None) -> Mask:
    """Matrix [start, stop]: true for each segment that the job's cuts allow, that has an input and
    an output to hand over, and that parts no variable from its ops.

    Raises UsageError for a cut that the model does not have, and for a model of too many ops.
    """
    n = len(graph.ops)
    if n > MAX_OPS:
        raise UsageError(f"{job.model_path}: {n} ops; at most {MAX_OPS} are planned")
    cut = job.spec.cut
    ends = np.ones(n + 1, dtype=bool)

    def positions(cuts: Sequence[int | str], key: str) -> list[int]:
        where = f"{job.file}: $.cut.{key}"
        return [_cut_position(graph, c, names or CutNames(), where) for c in cuts]

    if cut.allow is not None:
        ends[1:n] = False
        ends[positions(cut.allow, "allow")] = True
    ends[positions(cut.forbid, "forbid")] = False
    allowed: Mask = np.triu(ends[:, None] & ends[None, :], 1) & has_both_ends(graph)
    allowed &= segments_of_whole_variables(graph)
    return allowed


def absent_cuts(graph: ModelGraph, job: Job, names: CutNames, segments: Mask) -> list[int | str]:
    """Cuts of `cut.allow`, as the job has them, where no segment of `segments` begins or ends."""
    where = f"{job.file}: $.cut.allow"
    listed = [(cut, _cut_position(graph, cut, names, where)) for cut in job.spec.cut.allow or ()]
    return [cut for cut, at in listed if not (segments[at].any() or segments[:, at].any())]


def _cut_position(graph: ModelGraph, cut: int | str, names: CutNames, where: str) -> int:
    """A cut by op index, or after the op that makes the tensor of that name."""
    n = len(graph.ops)
    if isinstance(cut, int):
        if not 1 <= cut < n:
            raise UsageError(f"{where}: got {cut}, want 1 to {n - 1} (the cut before that op)")
        return cut
    own: dict[str, list[int]] = {}
    for tensor, maker in graph.producer.items():
        own.setdefault(graph.tensors[tensor].name, []).append(maker + 1)
    if cut not in names.cuts and len(own.get(cut, ())) > 1:
        raise UsageError(
            f"{where}: several tensors are named {cut!r}; give the cut's op: {own[cut]}"
        )
    known = {**{name: cuts[0] for name, cuts in own.items()}, **names.cuts}
    if cut in names.fused and cut not in known:
        op = graph.op_name(names.fused[cut])
        raise UsageError(f"{where}: {cut!r} was fused into {op}; no cut can pass there")
    if cut not in known:
        near = difflib.get_close_matches(cut, known, n=1, cutoff=0.3)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"{where}: no op makes a tensor named {cut!r}{hint}")
    if known[cut] >= n:
        raise UsageError(f"{where}: {cut!r} is made by the last op; nothing is left to cut off")
    return known[cut]

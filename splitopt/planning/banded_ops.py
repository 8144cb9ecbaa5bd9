"""What one op asks for and takes on some rows of its input, in a band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from splitopt.arena.kernel import KernelMemory
from splitopt.arena.one_row import fails_on_one_row
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ABSENT, ModelGraph, Op
from splitopt.planning.alike_ops import AlikeOps
from splitopt.tiling.entries import Column
from splitopt.tiling.resized import resized
from splitopt.tiling.rows import RowRule, images_read

UNFIT = -1
"""In the place of instructions: the op is not run on so many rows. These have no estimate, as other
code may run on few rows, or CMSIS-NN gets them wrong."""
_UNKNOWN = -2


@dataclass(frozen=True, slots=True)
class OpFigures:
    """Columns: instructions (or UNFIT), bytes of scratch, each request rounded up to 16, and
    requests of scratch."""

    insn: Column
    scratch_bytes: Column
    requests: Column


@dataclass
class _Kind:
    """Ops that are alike: one of them as a model of its own, and what is known by its rows."""

    graph: ModelGraph
    rule: RowRule
    memories: dict[int, KernelMemory] = field(default_factory=dict)
    figures: Column = field(default_factory=lambda: np.full((3, 0), _UNKNOWN))


class BandedOps:
    """The ops of a model that can run in bands, on any number of rows."""

    def __init__(self, ops: AlikeOps, known: Sequence[RowRule | None]) -> None:
        self._graph, self._rules, self._costs, self._known = ops.graph, ops.rules, ops.costs, known
        self._numbers = ops.kinds
        self._kinds: dict[tuple[int, str], _Kind] = {}
        self._kind_of: dict[int, _Kind] = {}
        self._memories: dict[tuple[int, int], KernelMemory] = {}

    def source(self, op: int) -> int:
        """The activation whose rows say those of all that the op touches."""
        return images_read(self._graph, self._graph.ops[op])[0]

    def memory(self, op: int, rows: int) -> KernelMemory:
        """What the op's kernel asks for on so many rows."""
        found = self._memories.get((op, rows))
        if found is None:
            own, alike = _touched(self._graph.ops[op]), self._on(op, rows).memories[rows]
            temporaries = tuple(own[place] for place in alike.temporaries)
            found = self._memories[op, rows] = replace(alike, temporaries=temporaries)
        return found

    def insn(self, op: int, rows: int) -> int:
        """The op's instructions on so many rows, where it is run on them."""
        return int(self._on(op, rows).figures[0, rows])

    def figures(self, op: int, rows: Column) -> OpFigures:
        """The op's figures for each of these numbers of rows."""
        insn, scratch_bytes, requests = self._with_rows(op, rows).figures[:, rows]
        return OpFigures(insn, scratch_bytes, requests)

    def _on(self, op: int, rows: int) -> _Kind:
        kind = self._kind(op)
        return kind if rows in kind.memories else self._with_rows(op, np.array([rows]))

    def _with_rows(self, op: int, rows: Column) -> _Kind:
        """The op's kind, with the figures for these numbers of rows."""
        kind = self._kind(op)
        more = int(rows.max(initial=0)) + 1 - kind.figures.shape[1]
        if more > 0:
            kind.figures = np.pad(kind.figures, ((0, 0), (0, more)), constant_values=_UNKNOWN)
        wanted = np.zeros(kind.figures.shape[1], dtype=bool)
        wanted[rows] = True
        for count in np.flatnonzero(wanted & (kind.figures[0] == _UNKNOWN)).tolist():
            kind.figures[:, count] = self._compute(kind, count)
        return kind

    def _compute(self, kind: _Kind, rows: int) -> tuple[int, int, int]:
        [op] = kind.graph.ops
        counts = dict.fromkeys(images_read(kind.graph, op), rows)
        counts[op.outputs[0]] = int(kind.rule.count(np.array(rows)))
        graph = resized(kind.graph, 0, 1, counts)
        memory, insn = self._rules.memory(graph, op), self._costs.invoke(graph, op)
        if insn is None or (rows == 1 and fails_on_one_row(graph, op)):
            insn = UNFIT
        kind.memories[rows] = memory
        scratch = sum(align_up(size, ARENA_ALIGNMENT) for size in memory.scratch)
        return insn, scratch, len(memory.scratch)

    def _kind(self, index: int) -> _Kind:
        found = self._kind_of.get(index)
        if found is None:
            rule = self._known[index]
            assert rule is not None, "asked for ops that can run in bands"
            name = self._numbers[index], repr(rule)
            if name not in self._kinds:
                self._kinds[name] = _Kind(_alone(self._graph, self._graph.ops[index]), rule)
            found = self._kind_of[index] = self._kinds[name]
        return found


def _touched(op: Op) -> tuple[int, ...]:
    return tuple(dict.fromkeys(op.touched))


def _alone(graph: ModelGraph, op: Op) -> ModelGraph:
    """A model of the op and its tensors, which are numbered anew."""
    touched = _touched(op)
    number = {ABSENT: ABSENT, **{tensor: k for k, tensor in enumerate(touched)}}
    own = replace(
        op,
        index=0,
        inputs=tuple(number[tensor] for tensor in op.inputs),
        outputs=tuple(number[tensor] for tensor in op.outputs),
    )
    tensors = tuple(replace(graph.tensors[t], index=k) for k, t in enumerate(touched))
    return ModelGraph("", tensors, (own,), (), (), b"")

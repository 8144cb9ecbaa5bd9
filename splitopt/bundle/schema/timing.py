"""timing.json: what a simulator counted, in its own unit, beside what was predicted.

Figures of the unit that the simulator does not count are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from splitopt.bundle.schema.common import MOST_OPS, Count, Document, Line, Op, Shape, Signed, Text
from splitopt.bundle.schema.verify import Check

Unit = Literal["insn", "ticks"]
STEPS = ("zero", "construct", "allocate", "restore", "copy_in", "invoke", "copy_out")
"""Of an inference."""
GROUP_STEPS = ("construct", "allocate", "invoke")
_ADDED_LATER = frozenset({"restore"})
_TOTALS = ("unsplit_inference", "split_inference", "added")


class Counted(Shape):
    """Figures that are there in one unit: `simulated_invoke_insn` or `simulated_invoke_ticks`."""

    def simulated(self, figure: str, unit: str) -> int:
        count: int | None = getattr(self, f"simulated_{figure}_{unit}")
        return count or 0


class OpTiming(Shape):
    """An op, at `op` of its piece, by TFLM's own name for it."""

    op: Op
    tag: Line
    simulated_insn: Count | None = None
    simulated_ticks: Count | None = None

    def simulated(self, unit: str) -> int:
        count: int = getattr(self, f"simulated_{unit}")
        return count


class GroupTiming(Counted):
    """A group of a stream, all its executions together."""

    executions: Count
    simulated_construct_insn: Count | None = None
    simulated_construct_ticks: Count | None = None
    simulated_allocate_insn: Count | None = None
    simulated_allocate_ticks: Count | None = None
    simulated_invoke_insn: Count | None = None
    simulated_invoke_ticks: Count | None = None


class StartTiming(Counted):
    """What a piece that is resident or restored takes once, at start-up."""

    simulated_construct_insn: Count | None = None
    simulated_construct_ticks: Count | None = None
    simulated_allocate_insn: Count | None = None
    simulated_allocate_ticks: Count | None = None
    simulated_save_insn: Count | None = None
    simulated_save_ticks: Count | None = None


class InferenceTiming(Counted):
    """An inference of the unsplit model and of the pieces, and by how much these take longer."""

    simulated_unsplit_insn: Count | None = None
    simulated_unsplit_ticks: Count | None = None
    simulated_split_insn: Count | None = None
    simulated_split_ticks: Count | None = None
    simulated_added_insn: Signed | None = None
    simulated_added_ticks: Signed | None = None


class PieceTiming(Counted):
    """A piece, all its executions together; `index` and `piece` are None for the unsplit model.

    Of a stream, `copy_in` is all that moves and fills rows, and `groups` are told apart. Of one
    that is resident or restored, construct and allocate are 0, and `start_up` has those.
    """

    index: Op | None = None
    piece: Text | None = None
    measured_arena_used_bytes: Count
    predicted_arena_used_bytes: Count
    executions: Count
    simulated_zero_insn: Count | None = None
    simulated_zero_ticks: Count | None = None
    simulated_construct_insn: Count | None = None
    simulated_construct_ticks: Count | None = None
    simulated_allocate_insn: Count | None = None
    simulated_allocate_ticks: Count | None = None
    simulated_restore_insn: Count | None = None
    simulated_restore_ticks: Count | None = None
    simulated_copy_in_insn: Count | None = None
    simulated_copy_in_ticks: Count | None = None
    simulated_invoke_insn: Count | None = None
    simulated_invoke_ticks: Count | None = None
    simulated_copy_out_insn: Count | None = None
    simulated_copy_out_ticks: Count | None = None
    estimated_allocate_insn: Count
    estimated_invoke_insn: Count
    ops: Annotated[tuple[OpTiming, ...], Field(max_length=MOST_OPS)] = ()
    start_up: StartTiming | None = None
    groups: Annotated[tuple[GroupTiming, ...], Field(max_length=MOST_OPS)] = ()


class Timing(Counted, Document):
    """timing.json. Totals, and `further`, are those of every inference but the first; `first` has
    what is built once, too."""

    simulator: Line
    unit: Unit
    caveat: Text
    inputs: Count
    seed: int
    program_sha256: Line
    library: Text
    library_sha256: Line
    unsplit: PieceTiming
    pieces: Annotated[tuple[PieceTiming, ...], Field(min_length=1, max_length=MOST_OPS)]
    simulated_unsplit_inference_insn: Count | None = None
    simulated_unsplit_inference_ticks: Count | None = None
    simulated_split_inference_insn: Count | None = None
    simulated_split_inference_ticks: Count | None = None
    simulated_added_insn: Signed | None = None
    simulated_added_ticks: Signed | None = None
    first: InferenceTiming | None = None
    further: InferenceTiming | None = None
    estimated_added_insn: Signed
    per_op: Text | None = None
    checks: tuple[Check, ...]

    @model_validator(mode="after")
    def _has_its_unit(self) -> Self:
        for name in self._missing():
            raise ValueError(f"{name}, since unit is {self.unit}")
        return self

    def _missing(self) -> Iterator[str]:
        """Names of figures in its unit that are not there."""
        runs = [(self, _TOTALS), *((run, STEPS) for run in (self.unsplit, *self.pieces))]
        for held, figures in runs:
            for figure in figures:
                name = f"simulated_{figure}_{self.unit}"
                if getattr(held, name) is None and figure not in _ADDED_LATER:
                    yield name
        ops = (op for run in (self.unsplit, *self.pieces) for op in run.ops)
        if any(getattr(op, f"simulated_{self.unit}") is None for op in ops):
            yield f"simulated_{self.unit}"

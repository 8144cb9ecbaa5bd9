"""timing.json of a board's log: what was measured there, in the unit of the board's counter, beside
what was predicted. The unsplit model is not in an export, so it is not here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from splitopt.bundle.schema.common import MOST_OPS, Count, Document, Line, Op, Shape, Text
from splitopt.bundle.schema.verify import Check

BoardUnit = Literal["cycles", "insn", "ticks"]


class Took(Shape):
    """Steps of a piece, all its executions together; `build` is constructing interpreters. Of a
    stream, `copy_in` is all that moves and fills rows."""

    zero: Count = 0
    build: Count = 0
    allocate: Count = 0
    save: Count = 0
    restore: Count = 0
    copy_in: Count = 0
    invoke: Count = 0
    copy_out: Count = 0

    @property
    def total(self) -> int:
        return sum(getattr(self, step) for step in type(self).model_fields)


class Measured(Shape):
    """Steps in the one unit that the board counts; none where nothing counts there."""

    measured_cycles: Took | None = None
    measured_insn: Took | None = None
    measured_ticks: Took | None = None

    @property
    def took(self) -> Took | None:
        return self.measured_cycles or self.measured_insn or self.measured_ticks


class BoardOp(Shape):
    """An op, at `op` of its piece, by TFLM's own name for it."""

    op: Op
    tag: Line
    measured_cycles: Count | None = None
    measured_insn: Count | None = None
    measured_ticks: Count | None = None

    @property
    def took(self) -> int:
        return self.measured_cycles or self.measured_insn or self.measured_ticks or 0


class BoardPiece(Measured):
    """The largest of all inputs, each step by itself. `start_up`: of a piece that is restored."""

    index: Op
    piece: Text
    measured_arena_used_bytes: Count
    predicted_arena_used_bytes: Count
    executions: Count
    estimated_allocate_insn: Count
    estimated_invoke_insn: Count
    start_up: Measured | None = None
    ops: Annotated[tuple[BoardOp, ...], Field(max_length=MOST_OPS)] = ()


class BoardInference(Shape):
    """All steps of all pieces."""

    measured_cycles: Count | None = None
    measured_insn: Count | None = None
    measured_ticks: Count | None = None

    @property
    def took(self) -> int | None:
        return self.measured_cycles or self.measured_insn or self.measured_ticks


class BoardTiming(Document):
    """`first`: an inference with all that is built once. `estimated_inference_insn`: none of a plan
    with ops whose Invoke has no estimate."""

    board_log: Text
    board_log_sha256: Line
    counter: Line
    unit: BoardUnit
    caveat: Text
    inputs: Count
    seed: int
    pieces: Annotated[tuple[BoardPiece, ...], Field(min_length=1, max_length=MOST_OPS)]
    first: BoardInference
    further: BoardInference
    estimated_inference_insn: Count | None = None
    checks: tuple[Check, ...]

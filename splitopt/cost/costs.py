"""What estimates of instructions rest on: the built-in fits, or a table measured by `calibrate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from splitopt.base.json_input import parse_json
from splitopt.base.yaml_input import Strict, check
from splitopt.cost.allocate import AllocateTable, m55_table
from splitopt.cost.invoke import PER_INVOKE_INSN, insn_of, kernel_of
from splitopt.graph.model import ModelGraph, Op

Factor = Annotated[float, Field(gt=0, lt=1e3, allow_inf_nan=False)]


class _Fitted(Strict):
    """How well one op type's entry fits: relative errors, of samples that were left out of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    samples: Annotated[int, Field(ge=1)]
    mean_error: Annotated[float, Field(ge=0)]
    worst_error: Annotated[float, Field(ge=0)]


class Correction(_Fitted):
    """One kernel's Invoke: measured = constant + factor * built-in estimate."""

    constant_insn: Annotated[float, Field(ge=-1e6, le=1e9, allow_inf_nan=False)]
    factor: Factor


class Preparation(_Fitted):
    """What one op of a type adds to AllocateTensors whatever its shape; the errors are those of all
    of AllocateTensors."""

    insn: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class CostTable(Strict):
    """A table as its file has it; what it leaves out stays as it is built in.

    `invoke`: by kernel, as `kernel_of` names it; `prepare`: by op type. Factors are relative to the
    built-in fits, so that a table of version 1, which knew others, does not hold any more.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    schema_version: Literal[2]
    simulator: str
    per_invoke_insn: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
    invoke: Mapping[str, Correction]
    prepare: Mapping[str, Preparation]
    fully_connected_weight: Annotated[float, Field(ge=0, le=1e3, allow_inf_nan=False)]


class Scale(_Fitted):
    """measured = factor * built-in estimate."""

    factor: Factor


class BoardTable(Strict):
    """A table fitted on logs of boards, in the `unit` of their counter. All factors are units for
    an instruction that is estimated by the built-in fits.

    `runner`: of the runner's own code, which copies and builds interpreters; `other_kernels`: of
    those that `invoke` does not have.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    schema_version: Literal[3]
    unit: Literal["cycles", "insn", "ticks"]
    counter: Annotated[str, Field(max_length=200)]
    invoke: Mapping[str, Correction]
    other_kernels: Scale
    allocate: Scale
    runner: Scale


@dataclass(frozen=True)
class Costs:
    """Estimates of Invoke and of AllocateTensors, in instructions; `note` says what one stands for
    where that is not an instruction."""

    allocate: AllocateTable
    corrections: Mapping[str, Correction] = field(default_factory=dict)
    per_invoke: float = PER_INVOKE_INSN
    of_others: float = 1.0
    note: str = ""

    def invoke(self, graph: ModelGraph, op: Op) -> int | None:
        """Of one op; None where there is no estimate of its kernel."""
        kernel = kernel_of(graph, op)
        insn = None if kernel is None else insn_of(kernel)
        correction = None if kernel is None else self.corrections.get(kernel.name)
        if insn is None:
            return None
        if correction is None:
            return round(self.of_others * insn)
        return max(0, round(correction.constant_insn + correction.factor * insn))


@dataclass(frozen=True, slots=True)
class InvokeEstimate:
    """Estimated instructions of Invoke of the ops that have an estimate; `unmeasured` names those
    that have none, as `CONV_2D (INT16)`."""

    insn: int
    unmeasured: tuple[str, ...]

    @property
    def whole(self) -> int | None:
        """Of all ops; None where one of them has no estimate."""
        return None if self.unmeasured else self.insn


def estimate_invoke(costs: Costs, graph: ModelGraph, start: int, stop: int) -> InvokeEstimate:
    """Estimated instructions of one Invoke of ops [start, stop)."""
    total, unmeasured = round(costs.per_invoke), dict[str, None]()
    for op in graph.ops[start:stop]:
        insn = costs.invoke(graph, op)
        if insn is None:
            unmeasured[_named(graph, op)] = None
        total += insn or 0
    return InvokeEstimate(total, tuple(unmeasured))


def _named(graph: ModelGraph, op: Op) -> str:
    """`CONV_2D (INT16)`: the type is that of the first activation among the inputs."""
    tensors = [graph.tensors[tensor] for tensor in (*op.given_inputs, *op.outputs)]
    types = [tensor.dtype.name for tensor in tensors if tensor.is_activation]
    return f"{op.type} ({types[0]})" if types else op.type


@cache
def built_in() -> Costs:
    """Fitted to counts of QEMU's Cortex-M55; for its errors, see docs/accuracy.md."""
    return Costs(m55_table())


def parse_costs(text: str, where: str) -> Costs:
    """The costs of a table's text; the built-in ones of an empty text. Raises UsageError."""
    if not text:
        return built_in()
    document = parse_json(text.encode(), where)
    if document.get("schema_version") == 3:
        return _of_board(check(document, BoardTable, where=where))
    table = check(document, CostTable, where=where)
    base = m55_table()
    allocate = replace(
        base,
        per_op={**base.per_op, **{name: entry.insn for name, entry in table.prepare.items()}},
        fully_connected_weight=table.fully_connected_weight,
    )
    return Costs(allocate, table.invoke, table.per_invoke_insn)


def _of_board(table: BoardTable) -> Costs:
    """A plan has one unit, in which the runner's own code is counted as built in: all else is
    divided by what an instruction of that takes on the board."""
    runner = table.runner.factor
    others, allocate = table.other_kernels.factor / runner, table.allocate.factor / runner
    corrections = {
        name: entry.model_copy(
            update={
                "constant_insn": entry.constant_insn / runner,
                "factor": entry.factor / runner,
            }
        )
        for name, entry in table.invoke.items()
    }
    note = (
        f"Times are in instructions of {runner:.6g} {table.unit} each, by a cost table that was "
        f"fitted on logs of a board ({table.counter})."
    )
    scaled = m55_table().scaled(allocate)
    return Costs(scaled, corrections, PER_INVOKE_INSN * others, others, note)

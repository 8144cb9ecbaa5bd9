"""Estimated instructions of AllocateTensors: a linear model of what it loops over.

Dominant is the conversion of per-channel scales, in double precision, in each convolution's
Prepare; the planner's sort and gap search come after it. The table says how well it fits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

from splitopt.arena.kernel import OpView
from splitopt.arena.replay import PlannedBuffer
from splitopt.graph.model import ModelGraph, Op, Tensor
from splitopt.graph.segments import Segment
from splitopt.solvers.packing.greedy_replay import greedy_with_work
from splitopt.solvers.packing.greedy_work import PlannerWork

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"})


@dataclass(frozen=True)
class AllocateTable:
    """Coefficients in instructions per unit of what their name says."""

    constant: float
    per_op: Mapping[str, float]
    per_other_op: float
    convolution_channel: float
    concatenation_input: float
    fully_connected_weight: float
    fully_connected_scale: float
    tensor: float
    further_end: float
    scratch_times_ops: float
    planned_buffer: float
    sort_comparison: float
    sort_swap: float
    scan_step: float
    scan_active: float
    insert_step: float
    offline_plan: float
    offline_plan_tensor: float

    def scaled(self, factor: float) -> AllocateTable:
        """Every coefficient times `factor`."""
        per_op = {name: factor * insn for name, insn in self.per_op.items()}
        others = {
            own.name: factor * getattr(self, own.name)
            for own in fields(self)
            if own.name != "per_op"
        }
        return AllocateTable(per_op=per_op, **others)


@cache
def m55_table() -> AllocateTable:
    """The table counted on QEMU's Cortex-M55."""
    text = (files("splitopt.cost") / "m55_allocate_tensors.json").read_text("utf-8")
    table = json.loads(text)
    del table["about"]
    return AllocateTable(**table)


def prepare_insn(graph: ModelGraph, op: Op, table: AllocateTable) -> float:
    """The op's own share: its Init and Prepare, whatever segment it stands in."""
    view = OpView(graph, op)
    insn = table.per_op.get(op.type, table.per_other_op)
    if op.type in _CONVOLUTIONS and view.output.shape:
        insn += table.convolution_channel * view.output.shape[-1]
    if op.type == "CONCATENATION":
        insn += table.concatenation_input * len(op.inputs)
    if op.type == "FULLY_CONNECTED" and view.has_input(0) and view.has_input(1):
        insn += table.fully_connected_weight * summed_weights(view)
        insn += table.fully_connected_scale * _further_scales(view.input(1))
    return insn


def summed_weights(view: OpView) -> float:
    """Constant weights that FULLY_CONNECTED sums up, for inputs of int8 whose zero point is not 0.

    CMSIS-NN's arm_vector_sum_s8 takes five rows at a time, 16 weights of each in a step, then row
    by row what is left. A begun step, and the loop around, are told as the weights of whole steps
    of five rows that take as long: 150 for five rows, 50 for a row, 23.5 for a step of it.
    """
    source, weights = view.input(0), view.input(1)
    zero_points = () if source.quantization is None else source.quantization.zero_points
    columns = weights.shape[-1] if weights.elements and weights.shape else 0
    is_conv = len(view.output.shape) > 2 and columns % 4 == 0
    is_summed = weights.is_constant and weights.dtype.name == "INT8" and any(zero_points)
    if is_conv or not is_summed or columns == 0:
        return 0.0
    steps, (fives, others) = -(-columns // 16), divmod(weights.elements // columns, 5)
    return fives * (150 + 80 * steps) + others * (50 + 23.5 * steps)


def _further_scales(weights: Tensor) -> int:
    """Of weights with a scale per channel, each converted in double precision."""
    return 0 if weights.quantization is None else max(0, len(weights.quantization.scales) - 1)


def fixed_insn(ops: int, prepare: float, tensors: int, scratch: int, table: AllocateTable) -> float:
    """The part that needs no plan of the head: a lower bound for the whole."""
    walks = table.scratch_times_ops * scratch * ops
    return table.constant + prepare + table.tensor * tensors + walks


def planning_insn(buffers: tuple[PlannedBuffer, ...], table: AllocateTable) -> float:
    """The greedy planner's loops on these buffers."""
    _, work = greedy_with_work(
        [buffer.size_bytes for buffer in buffers],
        [buffer.live.start for buffer in buffers],
        [buffer.live.stop for buffer in buffers],
        {k: buffer.offset for k, buffer in enumerate(buffers) if buffer.pinned},
    )
    return work_insn(len(buffers), work, table)


def work_insn(buffers: int, work: PlannerWork, table: AllocateTable) -> float:
    """The same from counts."""
    return (
        table.planned_buffer * buffers
        + table.sort_comparison * work.sort_cmp
        + table.sort_swap * work.sort_swap
        + table.scan_step * work.scan_steps
        + table.scan_active * work.scan_active
        + table.insert_step * work.insert_steps
    )


def allocate_insn(
    graph: ModelGraph, segment: Segment, buffers: tuple[PlannedBuffer, ...], table: AllocateTable
) -> int:
    """Estimated instructions of AllocateTensors of one piece."""
    ops = graph.ops[segment.start : segment.stop]
    prepare = sum(prepare_insn(graph, op, table) for op in ops)
    scratch = sum(buffer.tensor is None for buffer in buffers)
    is_pinned = any(buffer.pinned for buffer in buffers)
    fixed = piece_insn(segment, prepare, scratch, is_pinned, table)
    return round(fixed + planning_insn(buffers, table))


def piece_insn(
    segment: Segment, prepare: float, scratch: int, is_pinned: bool, table: AllocateTable
) -> float:
    """The part of a piece without the planner's loops. `is_pinned`: it has an offline plan, of
    which TFLM reads an offset for each tensor. The constant covers one input and one output;
    TFLM keeps a TfLiteTensor for each further one, too."""
    tensors = len(segment.tensors)
    further = max(0, len(segment.inputs) + len(segment.outputs) - 2)
    fixed = fixed_insn(segment.stop - segment.start, prepare, tensors, scratch, table)
    fixed += table.further_end * further
    return fixed + (table.offline_plan + table.offline_plan_tensor * tensors if is_pinned else 0)

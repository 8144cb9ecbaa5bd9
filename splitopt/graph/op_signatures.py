"""Operands of every op that TFLM registers: how many, of which rank, and which must be constant.

Checked once, where a graph is made: whoever holds a ModelGraph may read the operands that its
ops' signatures call for. Source: Prepare of kernels/*.cc and micro_mutable_op_resolver.h of TFLM
90b983c2; where Prepare leaves a rank open, the rank that Eval indexes into.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from splitopt.base.errors import ModelError
from splitopt.base.units import plural
from splitopt.graph.model import ABSENT, ModelGraph, Op, Tensor

MAX_RANK = 8


@dataclass(frozen=True, slots=True)
class Operand:
    """One input or output. Ranks [least_rank, most_rank], both inclusive."""

    name: str
    least_rank: int = 0
    most_rank: int = MAX_RANK
    may_be_absent: bool = False
    is_constant: bool = False
    repeats: bool = False

    @property
    def ranks(self) -> str:
        if self.least_rank == self.most_rank:
            return str(self.least_rank)
        if self.most_rank == MAX_RANK:
            return f"{self.least_rank} or more"
        return f"{self.least_rank} to {self.most_rank}"


@dataclass(frozen=True, slots=True)
class Signature:
    """An op's operands in order; only the last of a side may repeat."""

    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]


_WORD = re.compile(r"(?P<name>\w+)(:(?P<least>\d)(?P<to>-)?(?P<most>\d)?)?(?P<marks>[!?+]*)")


def _operand(word: str) -> Operand:
    """`name:rank` with the rank as `4`, `3-4`, `2-`; `?` may be absent, `!` constant, `+` any
    number of them, one at least."""
    found = _WORD.fullmatch(word)
    assert found, word
    least = int(found["least"] or 0)
    is_exact = found["least"] and not found["to"]
    most = least if is_exact else int(found["most"] or MAX_RANK)
    marks = found["marks"]
    return Operand(found["name"], least, most, "?" in marks, "!" in marks, "+" in marks)


def _signature(text: str) -> Signature:
    inputs, outputs = text.split("->")
    return Signature(tuple(map(_operand, inputs.split())), tuple(map(_operand, outputs.split())))


_LSTM = " ".join(
    (
        "input:3",
        *(f"input_to_{gate}_weights:2" for gate in ("input", "forget", "cell", "output")),
        *(f"recurrent_to_{gate}_weights:2" for gate in ("input", "forget", "cell", "output")),
        *(f"cell_to_{gate}_weights?" for gate in ("input", "forget", "output")),
        *(f"{gate}_bias:1" for gate in ("input", "forget", "cell", "output")),
        *("projection_weights?", "projection_bias?", "output_state:2", "cell_state:2"),
        *(f"{gate}_norm?" for gate in ("input", "forget", "cell", "output")),
    )
)
_TEXTS = {
    "input -> output": """
        ABS CAST CEIL COS DEQUANTIZE ELU EXP FLOOR HARD_SWISH LEAKY_RELU LOG LOGICAL_NOT LOGISTIC
        NEG QUANTIZE RELU RELU6 ROUND RSQRT SIN SQRT SQUARE SQUEEZE TANH ZEROS_LIKE""",
    "left right -> output": """
        ADD DIV EQUAL FLOOR_DIV FLOOR_MOD GREATER GREATER_EQUAL LESS LESS_EQUAL LOGICAL_AND
        LOGICAL_OR MAXIMUM MINIMUM MUL NOT_EQUAL SQUARED_DIFFERENCE SUB""",
    "input axes -> output": "MEAN REDUCE_ALL REDUCE_MAX REDUCE_MIN SUM",
    "input:1- axis -> output": "ARG_MAX ARG_MIN CUMSUM",
    "input:1- -> output:1-": "LOG_SOFTMAX SOFTMAX",
    "input:1-4 -> output:1-4": "L2_NORMALIZATION",
    "image:4 -> output:4": "AVERAGE_POOL_2D DEPTH_TO_SPACE L2_POOL_2D MAX_POOL_2D SPACE_TO_DEPTH",
    "image:4 size:1! -> output:4": "RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR",
    "image:4 filter:4 bias? -> output:4": "CONV_2D DEPTHWISE_CONV_2D",
    "shape filter:4 image:4 bias? -> output:4": "TRANSPOSE_CONV",
    "input:1- weights:2- bias? -> output:1-": "FULLY_CONNECTED",
    "left:2- right:2- -> output:2-": "BATCH_MATMUL",
    "input:3-4 block:1 crops:2 -> output:3-4": "BATCH_TO_SPACE_ND",
    "input:3-4 block:1 padding:2 -> output:3-4": "SPACE_TO_BATCH_ND",
    "input:2 features:2 times:2 bias? state:2 -> output:2": "SVDF",
    f"{_LSTM} -> output:3": "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "input input+ -> output": "ADD_N",
    "input:1-+ -> output:1-": "CONCATENATION",
    "input+ -> output:1-": "PACK",
    "input:1- -> output+": "UNPACK",
    "axis! input:1- -> output:1-+": "SPLIT",
    "input:1- sizes! axis! -> output:1-+": "SPLIT_V",
    "left:1 right:1 -> output:1": "BROADCAST_ARGS",
    "input shape:1! -> output": "BROADCAST_TO",
    "input update start:1 -> output": "DYNAMIC_UPDATE_SLICE",
    "index:1 values:2- -> output:2-": "EMBEDDING_LOOKUP",
    "input axis! -> output:1-": "EXPAND_DIMS",
    "shape:1! value:0 -> output": "FILL",
    "input:1- index -> output": "GATHER",
    "input:1- index:1- -> output": "GATHER_ND",
    "input:1- padding:2 -> output:1-": "MIRROR_PAD",
    "input:1- padding:2! value? -> output:1-": "PAD PADV2",
    "input slope -> output": "PRELU",
    "input shape? -> output": "RESHAPE",
    "input:1- axis:1 -> output:1-": "REVERSE_V2",
    "condition left right -> output": "SELECT_V2",
    "input -> output:1": "SHAPE",
    "input:1- begin:1 size:1 -> output:1-": "SLICE",
    "input:1- begin:1! end:1! strides:1! -> output": "STRIDED_SLICE",
    "input:1- perm:1 -> output:1-": "TRANSPOSE",
    "handle value ->": "ASSIGN_VARIABLE",
    "handle -> output": "READ_VARIABLE",
    "-> handle": "VAR_HANDLE",
    "->": "CALL_ONCE",
    "condition input+ -> output+": "IF",
    "input+ -> output+": "WHILE",
}
SIGNATURES = {name: _signature(text) for text, names in _TEXTS.items() for name in names.split()}


def check_signature(graph: ModelGraph, op: Op) -> None:
    """Raises ModelError where a registered op's operands are missing, too many, or of another rank
    than its kernel indexes into. Ops that TFLM does not register have no signature here."""
    signature = SIGNATURES.get(op.type)
    if signature is not None:
        for side, operands, given in (
            ("input", signature.inputs, op.inputs),
            ("output", signature.outputs, op.outputs),
        ):
            _check_side(graph, op, side, operands, given)


def _check_side(
    graph: ModelGraph, op: Op, side: str, operands: tuple[Operand, ...], given: tuple[int, ...]
) -> None:
    where = graph.op_name(op.index)
    repeats = bool(operands) and operands[-1].repeats
    needed = max((k for k, o in enumerate(operands, start=1) if not o.may_be_absent), default=0)
    if len(given) < needed or (len(given) > len(operands) and not repeats):
        most = "or more" if repeats else f"to {len(operands)}" if needed < len(operands) else ""
        wanted = f"{needed} {most}".strip()
        raise ModelError(f"{where} has {plural(len(given), side)}, want {wanted}")
    for position, tensor in enumerate(given):
        operand = operands[min(position, len(operands) - 1)]
        if tensor != ABSENT:
            _check_operand(where, operand, graph.tensors[tensor])
        elif not operand.may_be_absent:
            raise ModelError(f"{where}: its {side} {position} ({operand.name}) is absent")


def _check_operand(where: str, operand: Operand, tensor: Tensor) -> None:
    rank = len(tensor.shape)
    if not operand.least_rank <= rank <= operand.most_rank:
        raise ModelError(
            f"{where}: its {operand.name} has the shape {list(tensor.shape)}, "
            f"want a rank of {operand.ranks}"
        )
    if operand.is_constant and not tensor.is_constant and tensor.bytes:
        raise ModelError(f"{where}: its {operand.name} is not constant, as TFLM wants it")

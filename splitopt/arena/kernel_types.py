"""Which element types TFLM's kernels run, op by op.

A form writes an op's operands as letters, inputs before `>` and outputs after it: f FLOAT32,
b INT8, 4 INT4, h INT16, i INT32, q INT64, z BOOL, B UINT8, I UINT32, x any other, - absent. It is a
regular expression, in which T stands for each of the row's types in turn. Source: Prepare and Eval
of TFLM 90b983c2 in the file named (tensorflow/lite/micro/kernels), checked against the tflite-micro
wheel op by op; on the Cortex-M55, CMSIS-NN's kernels run the same types but for what
`arena/supported.py` adds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LETTERS = {
    "FLOAT32": "f", "INT8": "b", "INT4": "4", "INT16": "h", "INT32": "i", "INT64": "q",
    "BOOL": "z", "UINT8": "B", "UINT32": "I",
}  # fmt: skip
OTHER, ABSENT_LETTER = "x", "-"


@dataclass(frozen=True, slots=True)
class KernelTypes:
    """What one kernel runs. `types`: those of its data where all are alike; none where not."""

    source: str
    form: re.Pattern[str]
    types: str


_WEIGHTED = "ff[f-]?>f|b[b4][i-]?>b"
_ROWS = (
    ("elementwise.cc", "COS LOG SIN SQRT SQUARE", "T>T", "f"),
    ("elementwise.cc", "ABS RSQRT", "T>T", "fbh"),
    ("elementwise.cc", "LOGICAL_NOT", "T>T", "z"),
    ("logical.cc", "LOGICAL_AND LOGICAL_OR", "TT>T", "z"),
    ("add.cc", "ADD", "TT>T", "fbhi"),
    ("sub.cc", "SUB", "TT>T", "fbhi"),
    ("mul.cc", "MUL", "TT>T", "fbhi"),
    ("div.cc", "DIV", "TT>T", "fbi"),
    ("add_n.cc", "ADD_N", "TT+>T", "fb"),
    ("squared_difference.cc", "SQUARED_DIFFERENCE", "TT>T", "fbhi"),
    ("maximum_minimum.cc", "MAXIMUM MINIMUM", "TT>T", "fbhiq"),
    ("floor_div.cc", "FLOOR_DIV", "TT>T", "f"),
    ("floor_mod.cc", "FLOOR_MOD", "TT>T", "f"),
    ("comparisons.cc", "EQUAL NOT_EQUAL", "TT>z", "fbiqz"),
    ("comparisons.cc", "GREATER", "TT>z", "fbhiq"),
    ("comparisons.cc", "GREATER_EQUAL LESS LESS_EQUAL", "TT>z", "fbiq"),
    ("arg_min_max.cc", "ARG_MAX ARG_MIN", "Ti>i", "fb"),
    ("pooling.cc", "AVERAGE_POOL_2D MAX_POOL_2D", "T>T", "fbh"),
    ("l2_pool_2d.cc", "L2_POOL_2D", "T>T", "f"),
    ("batch_matmul.cc", "BATCH_MATMUL", "TT>T", "fbh"),
    ("batch_to_space_nd.cc", "BATCH_TO_SPACE_ND", "Tii>T", "fb"),
    ("space_to_batch_nd.cc", "SPACE_TO_BATCH_ND", "Tii>T", "fb"),
    ("broadcast_args.cc", "BROADCAST_ARGS", "TT>T", "iq"),
    ("broadcast_to.cc", "BROADCAST_TO", "T[iq]>T", "fbhiqzBIx"),
    ("cast.cc", "CAST", "[fbhizI]>[fbhizI]", ""),
    ("ceil.cc", "CEIL", "T>T", "f"),
    ("floor.cc", "FLOOR", "T>T", "f"),
    ("round.cc", "ROUND", "T>T", "f"),
    ("exp.cc", "EXP", "T>T", "f"),
    ("neg.cc", "NEG", "T>T", "f"),
    ("elu.cc", "ELU", "T>T", "fb"),
    ("hard_swish.cc", "HARD_SWISH", "T>T", "fb"),
    ("activations.cc", "RELU RELU6", "T>T", "fbh"),
    ("leaky_relu.cc", "LEAKY_RELU", "T>T", "fbh"),
    ("logistic.cc", "LOGISTIC", "T>T", "fbh"),
    ("tanh.cc", "TANH", "T>T", "fbh"),
    ("prelu.cc", "PRELU", "ff>f|bb>b|hb>h", ""),
    ("softmax.cc", "SOFTMAX", "T>T|b>h", "fbh"),
    ("log_softmax.cc", "LOG_SOFTMAX", "T>T", "fb"),
    ("l2norm.cc", "L2_NORMALIZATION", "T>T", "fb"),
    ("concatenation.cc", "CONCATENATION", "T+>T", "fbhiqz"),
    ("conv.cc", "CONV_2D", f"{_WEIGHTED}|hb[iq-]?>h", ""),
    ("depthwise_conv.cc", "DEPTHWISE_CONV_2D", "fff?>f|b[b4]i?>b|hbq?>h", ""),
    ("fully_connected.cc", "FULLY_CONNECTED", f"{_WEIGHTED}|hb[iq-]?>h", ""),
    ("transpose_conv.cc", "TRANSPOSE_CONV", "iff[f-]?>f|ibb[i-]?>b|ibh[hq-]?>h", ""),
    ("cumsum.cc", "CUMSUM", "Ti>T", "fb"),
    ("depth_to_space.cc", "DEPTH_TO_SPACE", "T>T", "fb"),
    ("space_to_depth.cc", "SPACE_TO_DEPTH", "T>T", "fb"),
    ("dequantize.cc", "DEQUANTIZE", "[bhB]>f", ""),
    ("quantize.cc", "QUANTIZE", "f>[bh]|i>[bh]|h>[bhi]|b>[bhiB]|B>b", ""),
    ("dynamic_update_slice.cc", "DYNAMIC_UPDATE_SLICE", "TT[iq]>T", "fbhi"),
    ("embedding_lookup.cc", "EMBEDDING_LOOKUP", "if>f|ib>[bf]", ""),
    ("expand_dims.cc", "EXPAND_DIMS", "T[iq]>T", "fbh"),
    ("fill.cc", "FILL", "[bhiq]T>T", "fbi"),
    ("gather.cc", "GATHER", "Ti>T", "fb"),
    ("gather_nd.cc", "GATHER_ND", "Ti>T", "fb"),
    ("reduce.cc", "MEAN SUM", "Ti>T", "fbh"),
    ("reduce.cc", "REDUCE_MAX REDUCE_MIN", "Ti>T", "fb"),
    ("reduce.cc", "REDUCE_ALL", "Ti>T", "z"),
    ("mirror_pad.cc", "MIRROR_PAD", "T[iq]>T", "fb"),
    ("pack.cc", "PACK", "T+>T", "fbhiq"),
    ("unpack.cc", "UNPACK", "T>T+", "fbhi"),
    ("pad.cc", "PAD PADV2", "Ti[T-]?>T", "fbhi"),
    ("reshape.cc", "RESHAPE", "Ti?>T", "fbhiqzBIx"),
    ("squeeze.cc", "SQUEEZE", "T>T", "fbhiqzBIx"),
    ("resize_bilinear.cc", "RESIZE_BILINEAR", "Ti>T", "fb"),
    ("resize_nearest_neighbor.cc", "RESIZE_NEAREST_NEIGHBOR", "Ti>T", "fbh"),
    ("reverse.cc", "REVERSE_V2", "Ti>T", "fbhiqzB"),
    ("select.cc", "SELECT_V2", "zTT>T", "fbh"),
    ("shape.cc", "SHAPE", ".>i", ""),
    ("slice.cc", "SLICE", "Tii>T|Tqq>T", "fbhiz"),
    ("strided_slice.cc", "STRIDED_SLICE", "Tiii>T", "fbhiz"),
    ("split.cc", "SPLIT", "iT>T+", "fbhi"),
    ("split_v.cc", "SPLIT_V", "Tii>T+", "fbhi"),
    ("svdf.cc", "SVDF", "fffff>f|bb[bh]i[bh]>b", ""),
    ("transpose.cc", "TRANSPOSE", "Ti>T", "fbh"),
    (
        "unidirectional_sequence_lstm.cc",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "f{9}---f{4}--ff---->f|b{9}---i{4}--bh---->b|hb{8}---q{4}--hh---->h",
        "",
    ),
    ("zeros_like.cc", "ZEROS_LIKE", "T>T", "fbiq"),
)


def _kernel(source: str, form: str, types: str) -> KernelTypes:
    expanded = "|".join(form.replace("T", letter) for letter in types) if types else form
    return KernelTypes(source, re.compile(expanded), types)


KERNEL_TYPES = {
    op: _kernel(source, form, types) for source, ops, form, types in _ROWS for op in ops.split()
}

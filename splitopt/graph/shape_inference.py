"""Recorded shapes against what each op makes of its inputs.

TFLM takes the shapes that a file records: one that cannot be true makes it compute garbage, or
read beyond a buffer, without a word. Converters record such shapes where the batch was unknown.
"""

from __future__ import annotations

from math import prod

from splitopt.base.errors import ModelError
from splitopt.graph import shape_rules as rules
from splitopt.graph import windowed_shapes
from splitopt.graph.model import ModelGraph, Op
from splitopt.graph.op_view import Operands, Shape
from splitopt.graph.shape_rules import Rule

_ALIKE = (
    "ABS CAST CEIL COS DEQUANTIZE ELU EXP FLOOR HARD_SWISH LEAKY_RELU LOG LOGICAL_NOT LOGISTIC NEG "
    "QUANTIZE RELU RELU6 ROUND RSQRT SIN SQRT SQUARE TANH ZEROS_LIKE CUMSUM SOFTMAX LOG_SOFTMAX "
    "L2_NORMALIZATION REVERSE_V2 DYNAMIC_UPDATE_SLICE"
)
_BROADCAST = (
    "ADD ADD_N DIV EQUAL FLOOR_DIV FLOOR_MOD GREATER GREATER_EQUAL LESS LESS_EQUAL LOGICAL_AND "
    "LOGICAL_OR MAXIMUM MINIMUM MUL NOT_EQUAL SQUARED_DIFFERENCE SUB SELECT_V2"
)
_ELEMENTS_ONLY = frozenset({"RESHAPE", "SQUEEZE", "FULLY_CONNECTED"})
"""Ops whose outputs may have any shape of as many elements."""
_RULES: dict[str, Rule] = {
    **dict.fromkeys(_ALIKE.split(), rules.as_input()),
    **dict.fromkeys(_BROADCAST.split(), rules.broadcast),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_ALL", "REDUCE_MAX", "REDUCE_MIN"), rules.reduction),
    **dict.fromkeys(("ARG_MAX", "ARG_MIN"), rules.reduction),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), windowed_shapes.pool),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), rules.padded),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), rules.resized),
    **dict.fromkeys(("RESHAPE", "SQUEEZE"), rules.as_input()),
    "PRELU": rules.prelu,
    "CONV_2D": windowed_shapes.convolution,
    "DEPTHWISE_CONV_2D": windowed_shapes.depthwise,
    "TRANSPOSE_CONV": windowed_shapes.transpose_convolution,
    "FULLY_CONNECTED": rules.fully_connected,
    "BATCH_MATMUL": rules.matrix_product,
    "SPACE_TO_BATCH_ND": rules.space_to_batch,
    "BATCH_TO_SPACE_ND": rules.batch_to_space,
    "DEPTH_TO_SPACE": rules.depth_to_space,
    "SPACE_TO_DEPTH": rules.space_to_depth,
    "CONCATENATION": rules.concatenation,
    "PACK": rules.pack,
    "UNPACK": rules.unpack,
    "SPLIT": rules.split,
    "SPLIT_V": rules.split_by_sizes,
    "TRANSPOSE": rules.transposed,
    "SLICE": rules.sliced,
    "STRIDED_SLICE": rules.strided,
    "GATHER": rules.gathered,
    "GATHER_ND": rules.gathered_nd,
    "EMBEDDING_LOOKUP": rules.looked_up,
    "BROADCAST_TO": rules.as_constant(1),
    "FILL": rules.as_constant(0),
    "EXPAND_DIMS": rules.expanded,
    "SHAPE": rules.shape_of,
    "SVDF": rules.svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": rules.lstm,
}


def inferred_shapes(graph: ModelGraph, op: Op) -> tuple[Shape, ...] | None:
    """The op's outputs by its inputs, up to extents of 1; None where the file cannot tell.

    Raises ModelError for attributes and operands that do not go together.
    """
    rule = _RULES.get(op.type)
    return None if rule is None else rule(Operands(graph, op))


def check_shapes(graph: ModelGraph, op: Op) -> None:
    """Raises ModelError where the op's recorded outputs are not what its inputs make."""
    for tensor, wanted in zip(op.outputs, inferred_shapes(graph, op) or (), strict=False):
        recorded = graph.tensors[tensor].shape
        held, made = prod(recorded), prod(wanted)
        if held != made:
            raise ModelError(
                f"{graph.op_name(op.index)} holds {held} elements, {_makers(op)} make {made}; "
                f"{_way_out(graph)}"
            )
        if op.type not in _ELEMENTS_ONLY and _wide(recorded) != _wide(wanted):
            raise ModelError(
                f"{graph.op_name(op.index)} holds {list(recorded)}, {_makers(op)} make "
                f"{list(wanted)}; {_way_out(graph)}"
            )


def _makers(op: Op) -> str:
    beside = {"SPACE_TO_BATCH_ND": "block", "BATCH_TO_SPACE_ND": "block"}.get(op.type)
    return f"its input and {beside or 'options'}"


def _way_out(graph: ModelGraph) -> str:
    if any(tensor.is_open for tensor in graph.tensors):
        return (
            "converted with an unknown batch size (shape_signature -1), convert again with batch 1"
        )
    return "the recorded shape cannot be true, convert the model again"


def _wide(shape: Shape) -> Shape:
    return tuple(extent for extent in shape if extent != 1)

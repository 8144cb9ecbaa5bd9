"""Ops and element types that TFLM does not run, by name, with the next step.

What the table of types leaves open, such as scales that Prepare does not take, TFLM itself tells on
the host. What only CMSIS-NN's kernels on the Cortex-M55 refuse stands here in whole: no host shows
it. Source: tensorflow/lite/micro/kernels/cmsis_nn/*.cc of TFLM 90b983c2.
"""

from __future__ import annotations

from collections.abc import Iterator

from splitopt.arena.abi import M55, X86_64
from splitopt.arena.kernel import OpView
from splitopt.arena.kernel_types import ABSENT_LETTER, KERNEL_TYPES, LETTERS, OTHER, KernelTypes
from splitopt.arena.scattered_rows import makes_other_rows
from splitopt.arena.windows import convolution_axes
from splitopt.base.errors import ModelError
from splitopt.graph.model import ABSENT, ModelGraph, Op
from splitopt.graph.registered_ops import unregistered_types

_NAMES = {letter: name for name, letter in LETTERS.items()}
_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "SVDF"})
_NARROW = ("INT8", "INT4")
_LSTM_CONSTANTS = (*range(1, 9), *range(12, 16))


def refuse_unsupported(graph: ModelGraph, abi: str, where: str) -> None:
    """Raises ModelError where TFLM cannot run the model on the target of `abi`, or on the host,
    where pieces are proved. `where` opens the sentence."""
    foreign = tuple(dict.fromkeys(t for g in (graph, *graph.called) for t in unregistered_types(g)))
    if foreign:
        raise ModelError(
            f"{where}: TFLM does not register {', '.join(foreign)}; it cannot run there"
        )
    found = [*refusals(graph, X86_64.name), *refusals(graph, abi)]
    if found:
        more = len({*found}) - 1
        others = f" (and {more} more ops like it)" if more else ""
        raise ModelError(f"{where}: {found[0]}{others}")


def refusals(graph: ModelGraph, abi: str) -> tuple[str, ...]:
    """One sentence for each op that TFLM's kernels do not run on the target of that ABI."""
    views = (OpView(own, op) for own in (graph, *graph.called) for op in own.ops)
    return tuple(
        f"{view.graph.op_name(view.op.index)}: {reason}"
        for view in views
        for reason in _reasons(view, abi)
    )


def _reasons(view: OpView, abi: str) -> Iterator[str]:
    kernel = KERNEL_TYPES.get(view.op.type)
    if kernel is not None and not kernel.form.fullmatch(_form(view.graph, view.op)):
        yield _wrong_types(view, kernel)
        return
    yield from _of_another_form(view)
    if abi == M55.name:
        yield from _on_m55(view)


def _form(graph: ModelGraph, op: Op) -> str:
    """The op's operands as the letters of the table of kernels' types."""

    def letters(tensors: tuple[int, ...]) -> str:
        return "".join(
            ABSENT_LETTER
            if tensor == ABSENT
            else LETTERS.get(graph.tensors[tensor].dtype.name, OTHER)
            for tensor in tensors
        )

    return f"{letters(op.inputs)}>{letters(op.outputs)}"


def _wrong_types(view: OpView, kernel: KernelTypes) -> str:
    tensors = (*view.inputs, *(view.graph.tensors[tensor] for tensor in view.op.outputs))
    names = [tensor.dtype.name for tensor in tensors]
    for name, way_out in (
        ("UINT8", "convert to int8"),
        ("FLOAT16", "convert to int8, or to float32 without float16 weights"),
    ):
        if name in names:
            return f"TFLM has no {name.lower()} kernel for {view.op.type}; {way_out}"
    weights = [tensor for tensor in view.inputs if tensor.is_constant]
    is_hybrid = names[-1] == "FLOAT32" and any(w.dtype.name in _NARROW for w in weights)
    if view.op.type in _WEIGHTED and is_hybrid:
        return (
            f"float activations with {weights[0].dtype.name.lower()} weights, which TFLM does not "
            "run; convert with a representative data set"
        )
    form = _form(view.graph, view.op)
    if any(kernel.form.fullmatch(form.replace(ABSENT_LETTER, letter)) for letter in _NAMES):
        return (
            f"its bias is absent (-1), which TFLM's kernel ({kernel.source}) does not run; "
            "give it a bias of zeros"
        )
    given = ", ".join(names[: len(view.inputs)]) or "nothing"
    made = ", ".join(dict.fromkeys(names[len(view.inputs) :]))
    runs = ", ".join(_NAMES.get(letter, "others") for letter in kernel.types)
    takes = f"runs on {runs} only" if runs else "has no such combination of types"
    return (
        f"TFLM's kernel ({kernel.source}) {takes}, this one makes {made} of {given}; "
        "convert to int8, or leave the op out"
    )


def _of_another_form(view: OpView) -> Iterator[str]:
    """What Prepare refuses of an op whose types it takes."""
    centred, aligned = view.option("halfPixelCenters"), view.option("alignCorners")
    if view.op.type == "RESIZE_BILINEAR" and centred and aligned:
        yield (
            "half_pixel_centers with align_corners, which TFLM's kernel (resize_bilinear.cc) does "
            "not run; leave one of them out"
        )
    if view.op.type == "BATCH_MATMUL" and max(len(view.input(k).shape) for k in (0, 1)) > 5:
        yield "TFLM's kernel (batch_matmul.cc) runs up to rank 5; reshape its operands"
    if view.op.type == "STRIDED_SLICE" and (rank := len(view.input(0).shape)) > 4:
        yield (
            f"TFLM's kernel (strided_slice_common.cc) runs up to rank 4, not {rank}; reshape its "
            "input to rank 4 or less"
        )


def _on_m55(view: OpView) -> Iterator[str]:
    kind, types = view.op.type, _form(view.graph, view.op)
    on_m55 = "CMSIS-NN's kernel on the Cortex-M55"
    if kind == "CAST" and types[-1] == "z":
        yield "TFLM's kernel (cast.cc) for the Cortex-M55 casts to no BOOL; compare with 0 instead"
    if kind == "FULLY_CONNECTED" and types[0] == "h" and _scales(view, 1) > 1:
        yield (
            f"{on_m55} (cmsis_nn/fully_connected.cc) runs weights with a scale per channel on int8 "
            "activations only, not on int16; convert with per-tensor dense layers "
            "(_experimental_disable_per_channel_quantization_for_dense_layers)"
        )
    if kind == "TRANSPOSE_CONV" and types.startswith("ibh") and not view.has_input(3):
        yield f"{on_m55} (cmsis_nn/transpose_conv.cc) runs int16 with a bias; give it one of zeros"
    if kind == "TRANSPOSE_CONV" and makes_other_rows(view):
        yield (
            f"{on_m55} (arm_transpose_conv_s8.c) makes other rows than TFLM's reference and leaves "
            "some unwritten without an error where the padding above is no multiple of the stride; "
            "use a filter of the stride's height, or more than 16 channels at strides up to 2"
        )
    if kind == "TRANSPOSE" and types[0] == "b" and (rank := len(view.input(0).shape)) > 4:
        yield (
            f"{on_m55} (cmsis_nn/transpose.cc) runs int8 up to rank 4, not {rank}: it would leave "
            "the output unwritten without an error; write it as transposes of rank 4 or less"
        )
    if kind == "BATCH_MATMUL" and max(len(view.input(k).shape) for k in (0, 1)) > 4:
        yield (
            f"{on_m55} (cmsis_nn/batch_matmul.cc) runs up to rank 4; reshape its operands to "
            "rank 4 or less"
        )
    if kind == "CONV_2D" and types[0] == "b" and _leaves_a_row_unread(view):
        yield (
            f"{on_m55} (arm_convolve_1_x_n_s8) runs windows along one row only where they reach "
            "its end: it would leave the output unwritten without an error; pad the row, or cut it"
        )
    for name, positions in (("SVDF", (1,)), ("UNIDIRECTIONAL_SEQUENCE_LSTM", _LSTM_CONSTANTS)):
        if kind == name and types[0] != "f" and not _are_constant(view, positions):
            yield f"{on_m55} runs constant weights only; convert with the weights frozen"


def _leaves_a_row_unread(view: OpView) -> bool:
    """Whether CMSIS-NN takes its kernel for one row, whose last window ends before the row does."""
    image, weights = view.input(0).shape, view.input(1).shape
    height, width = convolution_axes(view)
    return (
        image[1] == height.kernel == width.dilation == 1
        and width.kernel > 1
        and image[3] == weights[3]
        and width.stride * image[3] % 4 == 0
        and width.unread > 1
    )


def _scales(view: OpView, position: int) -> int:
    quantization = view.input(position).quantization
    return 0 if quantization is None else len(quantization.scales)


def _are_constant(view: OpView, positions: tuple[int, ...]) -> bool:
    return all(view.input(position).is_constant for position in positions)

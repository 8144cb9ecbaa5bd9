"""What each op makes of its inputs' shapes, its constants and its options.

A rule returns a shape per output, or None where they depend on values that the file does not hold;
it raises ModelError for attributes that kernels divide by or index with. Source: the shape
functions of TensorFlow Lite (tensorflow/lite/kernels/*.cc), which TFLM leaves out: it takes the
shapes that the file records.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from splitopt.base.errors import ModelError
from splitopt.graph.op_view import Operands, Shape, without
from splitopt.graph.windowed_shapes import check_weights

Shapes = tuple[Shape, ...]
Rule = Callable[[Operands], Shapes | None]


def as_input(position: int = 0) -> Rule:
    return lambda op: (op.shape(position),)


def broadcast(op: Operands) -> Shapes:
    return (_broadcast(op, op.shapes),)


def _broadcast(op: Operands, shapes: list[Shape]) -> Shape:
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    made = []
    for extents in zip(*padded, strict=True):
        wide = {extent for extent in extents if extent != 1}
        if len(wide) > 1:
            raise op.refuse(f"shapes {_list(shapes)} do not broadcast")
        made.append(wide.pop() if wide else 1)
    return tuple(made)


def prelu(op: Operands) -> Shapes:
    _broadcast(op, op.shapes)
    return (op.shape(0),)


def fully_connected(op: Operands) -> Shapes:
    units, depth = prod(op.shape(1)[:-1]), op.shape(1)[-1]
    elements = prod(op.shape(0))
    op.want(
        depth > 0 and elements % depth == 0,
        f"its input holds {elements} elements, its weights read {depth}",
    )
    check_weights(op, 1, axis=0, bias=2)
    return ((elements // depth, units),)


def matrix_product(op: Operands) -> Shapes:
    left, right = op.shape(0), op.shape(1)
    rows, depth = left[-2:] if not op.option("adjX") else left[:-3:-1]
    again, columns = right[-2:] if not op.option("adjY") else right[:-3:-1]
    op.want(depth == again, f"matrices {_list([left, right])} do not go together")
    return ((*_broadcast(op, [left[:-2] or (1,), right[:-2] or (1,)]), rows, columns),)


def space_to_batch(op: Operands) -> Shapes | None:
    image, block, padding = op.shape(0), op.integers(1), op.integers(2)
    if block is None or padding is None:
        return None
    _check_block(op, block, padding)
    made = list(image)
    for axis, extent in enumerate(block, start=1):
        padded = image[axis] + padding[2 * axis - 2] + padding[2 * axis - 1]
        op.want(padded % extent == 0, f"{padded} elements in blocks of {extent}")
        made[axis] = padded // extent
        made[0] *= extent
    return (tuple(made),)


def batch_to_space(op: Operands) -> Shapes | None:
    image, block, crops = op.shape(0), op.integers(1), op.integers(2)
    if block is None or crops is None:
        return None
    _check_block(op, block, crops)
    made = list(image)
    op.want(image[0] % prod(block) == 0, f"a batch of {image[0]} in blocks of {prod(block)}")
    for axis, extent in enumerate(block, start=1):
        made[axis] = image[axis] * extent - crops[2 * axis - 2] - crops[2 * axis - 1]
    made[0] //= prod(block)
    return (tuple(made),)


def _check_block(op: Operands, block: list[int], ends: list[int]) -> None:
    fits = len(block) == len(op.shape(0)) - 2 and len(ends) == 2 * len(block)
    op.want(fits, f"a block of {len(block)} sizes for the shape {list(op.shape(0))}")
    op.want(min(block) > 0 and min(ends) >= 0, f"a block of {block} with padding {ends}")


def depth_to_space(op: Operands) -> Shapes:
    batch, rows, columns, channels = op.shape(0)
    block = _block_size(op)
    op.want(channels % block**2 == 0, f"{channels} channels in blocks of {block} x {block}")
    return ((batch, rows * block, columns * block, channels // block**2),)


def space_to_depth(op: Operands) -> Shapes:
    batch, rows, columns, channels = op.shape(0)
    block = _block_size(op)
    op.want(
        rows % block == columns % block == 0, f"{rows} x {columns} in blocks of {block} x {block}"
    )
    return ((batch, rows // block, columns // block, channels * block**2),)


def _block_size(op: Operands) -> int:
    block = op.option("blockSize")
    op.want(block > 0, f"blockSize {block}, want 1 or more")
    return block


def concatenation(op: Operands) -> Shapes:
    shapes = op.shapes
    axis = op.axis(op.option("axis"), len(shapes[0]))
    rests = {(*shape[:axis], 0, *shape[axis + 1 :]) for shape in shapes}
    op.want(len(rests) == 1, f"shapes {_list(shapes)} along axis {axis}")
    whole = sum(shape[axis] for shape in shapes)
    return ((*shapes[0][:axis], whole, *shapes[0][axis + 1 :]),)


def pack(op: Operands) -> Shapes:
    shapes = op.shapes
    op.want(len({*shapes}) == 1, f"shapes {_list(shapes)} differ")
    axis = op.axis(op.option("axis"), len(shapes[0]) + 1)
    return ((*shapes[0][:axis], len(shapes), *shapes[0][axis:]),)


def unpack(op: Operands) -> Shapes:
    shape, count = op.shape(0), len(op.op.outputs)
    axis = op.axis(op.option("axis"), len(shape))
    op.want(shape[axis] == count, f"{shape[axis]} slices into {count} outputs")
    return (without(shape, [axis]),) * count


def split(op: Operands) -> Shapes | None:
    axes, shape, count = op.integers(0), op.shape(1), len(op.op.outputs)
    if not axes:
        return None
    axis = op.axis(axes[0], len(shape))
    op.want(shape[axis] % count == 0, f"{shape[axis]} elements into {count} equal outputs")
    return ((*shape[:axis], shape[axis] // count, *shape[axis + 1 :]),) * count


def split_by_sizes(op: Operands) -> Shapes | None:
    shape, sizes, axes = op.shape(0), op.integers(1), op.integers(2)
    if sizes is None or not axes:
        return None
    axis = op.axis(axes[0], len(shape))
    op.want(len(sizes) == len(op.op.outputs), f"{len(sizes)} sizes, {len(op.op.outputs)} outputs")
    rest = shape[axis] - sum(size for size in sizes if size >= 0)
    whole = [size if size >= 0 else rest for size in sizes]
    op.want(sum(whole) == shape[axis] and min(whole) >= 0, f"sizes {sizes} of {shape[axis]}")
    return tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in whole)


def reduction(op: Operands) -> Shapes | None:
    """Kept axes have the extent 1, which shapes are compared without."""
    shape, axes = op.shape(0), op.integers(1)
    if axes is None:
        return None
    return (without(shape, [op.axis(axis, len(shape)) for axis in axes]),)


def resized(op: Operands) -> Shapes | None:
    batch, _, _, channels = op.shape(0)
    size = op.integers(1)
    if size is None:
        return None
    op.want(len(size) == 2 and min(size) > 0, f"a size of {size}, want two above 0")
    return ((batch, *size, channels),)


def padded(op: Operands) -> Shapes | None:
    shape, ends = op.shape(0), op.integers(1)
    if ends is None:
        return None
    op.want(len(ends) == 2 * len(shape), f"{len(ends)} paddings for the shape {list(shape)}")
    op.want(min(ends) >= 0, f"paddings {ends}, want none below 0")
    return (tuple(e + ends[2 * k] + ends[2 * k + 1] for k, e in enumerate(shape)),)


def transposed(op: Operands) -> Shapes | None:
    shape, perm = op.shape(0), op.integers(1)
    if perm is None:
        return None
    front = [axis % len(shape) if -len(shape) <= axis < 0 else axis for axis in perm]
    op.want(sorted(front) == [*range(len(shape))], f"{perm} is no permutation of {len(shape)} axes")
    return (tuple(shape[axis] for axis in front),)


def sliced(op: Operands) -> Shapes | None:
    shape, begin, size = op.shape(0), op.integers(1), op.integers(2)
    if begin is None or size is None:
        return None
    op.want(len(begin) == len(size) == len(shape), f"begin {begin} and size {size}")
    made = [e - b if s == -1 else s for e, b, s in zip(shape, begin, size, strict=True)]
    ends = zip(begin, made, shape, strict=True)
    fits = all(min(b, s) >= 0 and b + s <= e for b, s, e in ends)
    op.want(fits, f"begin {begin} and size {size} of the shape {list(shape)}")
    return (tuple(made),)


def strided(op: Operands) -> Shapes | None:
    """An axis that is shrunk is kept here with the extent 1."""
    shape, begin, end, strides = op.shape(0), *(op.integers(k) for k in (1, 2, 3))
    if begin is None or end is None or strides is None:
        return None
    if op.option("ellipsisMask") or op.option("newAxisMask"):
        return None
    op.want(len(begin) == len(end) == len(strides) <= len(shape), f"begin {begin}, end {end}")
    op.want(0 not in strides, f"strides {strides}, want none of 0")
    made = list(shape)
    for axis, (first, stop, stride) in enumerate(zip(begin, end, strides, strict=True)):
        if op.option("shrinkAxisMask") >> axis & 1:
            inside = -shape[axis] <= first < shape[axis]
            op.want(inside, f"element {first} of {shape[axis]} along axis {axis}")
            made[axis] = 1
            continue
        start = None if op.option("beginMask") >> axis & 1 else first
        until = None if op.option("endMask") >> axis & 1 else stop
        made[axis] = len(range(*slice(start, until, stride).indices(shape[axis])))
    return (tuple(made),)


def gathered(op: Operands) -> Shapes:
    shape, index = op.shape(0), op.shape(1)
    axis, batch = op.axis(op.option("axis"), len(shape)), op.option("batchDims")
    batch += len(index) if batch < 0 else 0
    op.want(0 <= batch <= min(axis, len(index)), f"batchDims {batch} with axis {axis}")
    return ((*shape[:axis], *index[batch:], *shape[axis + 1 :]),)


def gathered_nd(op: Operands) -> Shapes:
    shape, index = op.shape(0), op.shape(1)
    op.want(index[-1] <= len(shape), f"indices of {index[-1]} axes into the shape {list(shape)}")
    return ((*index[:-1], *shape[index[-1] :]),)


def looked_up(op: Operands) -> Shapes:
    return ((*op.shape(0), *op.shape(1)[1:]),)


def as_constant(position: int) -> Rule:
    """The shape that a constant operand states."""

    def rule(op: Operands) -> Shapes | None:
        values = op.integers(position)
        return None if values is None else (tuple(values),)

    return rule


def expanded(op: Operands) -> Shapes | None:
    axes = op.integers(1)
    if not axes:
        return None
    axis = op.axis(axes[0], len(op.shape(0)) + 1)
    return ((*op.shape(0)[:axis], 1, *op.shape(0)[axis:]),)


def shape_of(op: Operands) -> Shapes:
    return ((len(op.shape(0)),),)


def svdf(op: Operands) -> Shapes:
    (batch, depth), (filters, reads), times = op.shape(0), op.shape(1), op.shape(2)
    rank = op.option("rank")
    op.want(rank > 0 and filters % rank == 0, f"{filters} filters of rank {rank}")
    op.want(reads == depth, f"its features read {reads} inputs of {depth}")
    op.want(times[0] == filters, f"times of {times[0]} filters, features of {filters}")
    state = (batch, filters * times[1])
    op.want(op.shape(4) == state, f"a state of {list(op.shape(4))}, want {list(state)}")
    return ((batch, filters // rank),)


def lstm(op: Operands) -> Shapes:
    first, second, depth = op.shape(0)
    units = op.shape(1)[0]
    wrong = [k for k in range(1, 5) if op.shape(k) != (units, depth)]
    wrong += [k for k in range(5, 9) if op.shape(k) != (units, units)]
    wrong += [k for k in range(12, 16) if op.shape(k) != (units,)]
    if wrong:
        raise ModelError(
            f"{op.graph.op_name(op.op.index)}: input {wrong[0]} has the shape "
            f"{list(op.shape(wrong[0]))}; the cell has {units} units and {depth} inputs"
        )
    return ((first, second, units),)


def _list(shapes: list[Shape]) -> str:
    shown = [str(list(shape)) for shape in shapes[:4]]
    return ", ".join([*shown, *(["..."] if len(shapes) > len(shown) else [])])

"""Sizes of TFLM's structures for a target's ABI, in bytes.

Measured with sizeof/alignof at TFLM 90b983c2 (Cortex-M55: arm-none-eabi-gcc 12.2, release build;
x86-64: the tflite-micro wheel, whose interpreter uses the recording allocator).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from splitopt.base.units import Sizes, align_up

Block = tuple[int, int]
"""(size, alignment) of one allocation."""


def stacked(top: Sizes, block: Block, count: Sizes) -> Sizes:
    """How far memory is taken after one allocation of `count` structures behind `top`."""
    size, alignment = block
    return align_up(top + size * count, alignment)


def reached(top: int, blocks: Iterable[Block]) -> int:
    """The same after these allocations, one after another."""
    for size, alignment in blocks:
        top = align_up(top + size, alignment)
    return top


@dataclass(frozen=True, slots=True)
class Abi:
    """One target's structure sizes; `preamble` is what exists before the model is looked at: the
    first `shared_blocks` of it once for all models of one allocator, the rest for each.
    `two_arenas`: what the first of them is where persistent data have an arena of their own; None
    where that was not looked at. `has_two_arenas`: whether they do.
    `interpreter_bytes`: of a MicroInterpreter object, a multiple of 16. `variables_bytes`: of
    MicroResourceVariables; `variable_bytes`: of each entry of its table.

    A scratch request is a whole number of times each alignment of a TfLiteTensor's blocks, which
    are allocated above it: one request more lifts them by its size.
    """

    name: str
    preamble: tuple[Block, ...]
    subgraph: Block
    eval_tensor: Block
    node: Block
    pointer_bytes: int
    scratch_handle: Block
    tensor: Block
    affine: Block
    int_array_bytes: int
    scratch_request_bytes: int
    allocation_info: Block
    planner_entry_bytes: int
    interpreter_bytes: int
    variables_bytes: int
    variable_bytes: int
    shared_blocks: int = 3
    two_arenas: Block | None = None
    has_two_arenas: bool = False

    def __post_init__(self) -> None:
        alignments = (self.tensor[1], self.affine[1], self.int_array_bytes)
        assert not any(self.scratch_request_bytes % alignment for alignment in alignments)

    def in_two_arenas(self) -> Abi:
        """The same with persistent data in an arena of their own."""
        assert self.two_arenas is not None, "planned where this is known"
        return _in_two_arenas(self, self.two_arenas)

    def quantization_blocks(self, channels: int) -> tuple[Block, ...]:
        """What a TfLiteTensor of that many scales needs beside itself; 0: not quantised."""
        if not channels:
            return ()
        return self.affine, (self.int_array_bytes * (1 + channels), self.int_array_bytes)


@lru_cache
def _in_two_arenas(abi: Abi, first: Block) -> Abi:
    return replace(abi, preamble=(first, *abi.preamble[1:]), has_two_arenas=True)


M55 = Abi(
    name="m55",
    preamble=((36, 4), (44, 4), (36, 4), (8, 4)),
    subgraph=(8, 4),
    eval_tensor=(12, 4),
    node=(32, 4),
    pointer_bytes=4,
    scratch_handle=(4, 4),
    tensor=(32, 4),
    affine=(12, 4),
    int_array_bytes=4,
    scratch_request_bytes=12,
    allocation_info=(24, 4),
    planner_entry_bytes=40,
    interpreter_bytes=208,
    variables_bytes=12,
    variable_bytes=20,
    two_arenas=(48, 4),
)

X86_64 = Abi(
    name="x86_64",
    preamble=((104, 8), (72, 8), (272, 8), (16, 8)),
    subgraph=(24, 8),
    eval_tensor=(24, 8),
    node=(64, 8),
    pointer_bytes=8,
    scratch_handle=(8, 8),
    tensor=(64, 8),
    affine=(24, 8),
    int_array_bytes=4,
    scratch_request_bytes=16,
    allocation_info=(32, 8),
    planner_entry_bytes=40,
    interpreter_bytes=368,
    variables_bytes=16,
    variable_bytes=40,
)

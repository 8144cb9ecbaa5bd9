"""What a plan has of boundary tensors beside the main SRAM, in bytes and in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from splitopt.base.units import format_bytes
from splitopt.bundle.schema.outside import HeldOutside


class _Placed(Protocol):
    """A boundary tensor's place, in a plan or in plan.json."""

    @property
    def tensor(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def memory(self) -> str | None: ...


def held_outside(
    placed: Iterable[tuple[_Placed, int]], inputs: Iterable[int]
) -> tuple[HeldOutside, ...]:
    """`placed`: each boundary tensor with its bytes; `inputs`: the model's, as tensors."""
    found, inputs = dict[str, list[tuple[int, int, bool]]](), frozenset(inputs)
    for own, size in placed:
        if own.memory is not None:
            spans = found.setdefault(own.memory, [])
            spans.append((own.offset, own.offset + size, own.tensor in inputs))
    return tuple(
        HeldOutside(
            memory=memory,
            size_bytes=max(stop for _, stop, _ in spans) - min(start for start, _, _ in spans),
            input_bytes=sum(stop - start for start, stop, is_input in spans if is_input),
        )
        for memory, spans in found.items()
    )


def outside_lines(held: Iterable[HeldOutside]) -> Iterator[str]:
    """One line, where there is something in a memory beside the main SRAM."""
    if places := " and ".join(map(_place, held)):
        yield f"Boundary tensors beside the main SRAM: {places}."


def _place(held: HeldOutside) -> str:
    inputs = f", of it {format_bytes(held.input_bytes)} model input" if held.input_bytes else ""
    return f"{held.memory} ({format_bytes(held.size_bytes)}{inputs})"

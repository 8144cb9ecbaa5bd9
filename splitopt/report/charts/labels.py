"""Words for ops, steps and tensors, as figures show them."""

from __future__ import annotations

from collections.abc import Sequence

from splitopt.base.units import format_bytes
from splitopt.bundle.schema.memory import ArenaMap, Buffer


def shorten(name: str, most: int) -> str:
    """Both ends of a name that is too long: the start says where, the end says what."""
    if len(name) <= most:
        return name
    head = most // 3
    return f"{name[:head]}…{name[len(name) - (most - head - 1) :]}"


def step_name(ops: Sequence[int], step: int) -> str:
    """Step 0 holds the inputs; op k of a piece runs at step k + 1."""
    if step <= 0:
        return "in"
    return str(ops[step - 1]) if step <= len(ops) else f"+{step - len(ops)}"


def steps_text(ops: Sequence[int], start: int, stop: int) -> str:
    """A half-open range of steps, as the first and last op in which a buffer lives."""
    first, last = step_name(ops, start), step_name(ops, stop - 1)
    return f"ops {first} to {last}" if first != last else f"op {first}"


def buffer_text(buffer: Buffer, ops: Sequence[int], most: int) -> str:
    """`conv_1 (tensor 12): 4,608 B at 55,296, ops 7 to 11`."""
    name = shorten(buffer.name, most)
    kind = "scratch of " if buffer.kind == "scratch" else ""
    number = "" if buffer.tensor is None or kind else f" (tensor {buffer.tensor})"
    return (
        f"{kind}{name}{number}: {format_bytes(buffer.size)} at offset {buffer.offset:,}, "
        f"{steps_text(ops, buffer.start, buffer.stop)}"
    )


def tail_text(arena: ArenaMap) -> str:
    """The tail's size, then what it is made of, the largest first."""
    parts = sorted(arena.tail_by_category.items(), key=lambda item: -item[1])
    made = ", ".join(f"{name} {format_bytes(size)}" for name, size in parts)
    return f"tail: {format_bytes(arena.tail_bytes)}" + (f" ({made})" if made else "")

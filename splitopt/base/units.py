"""Integer arithmetic of sizes, and how figures are shown to people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # not loaded for a size
    import numpy as np
    import numpy.typing as npt

ARENA_ALIGNMENT = 16

Sizes = TypeVar("Sizes", int, "npt.NDArray[np.int64]")
"""One size, or an array of them."""


def align_up(value: Sizes, alignment: int) -> Sizes:
    return -(-value // alignment) * alignment


def align_down(value: int, alignment: int) -> int:
    return value // alignment * alignment


def ceil_div(value: int, divisor: int) -> int:
    return -(-value // divisor)


def format_bytes(value: int) -> str:
    """`62896` → `62,896 B`."""
    return f"{value:,} B"


def format_insn(insn: int) -> str:
    """Instructions, for display only: `6_792_400` → `6.8 M`, `379_338` → `379.3 k`."""
    size = abs(insn)
    if size >= 999_950:  # what would round to 1,000.0 k
        return f"{insn / 1_000_000:,.1f} M"
    return f"{insn / 1000:.1f} k" if size >= 1000 else str(insn)


def added_text(insn: int, invoke_insn: int | None, per: str = "per inference") -> str:
    """`+6.8 M instructions per inference (estimate, +10.5 % of Invoke)`."""
    share = f", {format_percent(insn, invoke_insn)} of Invoke" if invoke_insn else ""
    return f"{more_text(insn)} {per} (estimate{share})"


def more_text(insn: int) -> str:
    """`+6.8 M instructions`."""
    return f"{signed_insn(insn)} instructions"


def signed_insn(insn: int) -> str:
    """`+6.8 M`; `-12.3 k` where bands save more than they add."""
    return f"{'+' if insn >= 0 else ''}{format_insn(insn)}"


def no_estimate_text(ops: Iterable[str]) -> str:
    """Why nothing is told in parts of Invoke, and how it can be."""
    return (
        f"no estimate of Invoke for: {', '.join(ops)} (`splitopt time RUN_DIR --target qemu` "
        "counts it)"
    )


def format_percent(part: float, whole: float | None) -> str:
    """A signed share, `+10.5 %`; a hyphen where there is no whole to compare with."""
    return f"{100 * part / whole:+.1f} %" if whole else "-"


def pieces_text(pieces: int, streamed: int) -> str:
    """`7`, or `7 (6 streamed)`."""
    return f"{pieces} ({streamed} streamed)" if streamed else str(pieces)


def plural(count: int, noun: str) -> str:
    """`1 piece`, `2 pieces`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"

"""Instructions of newlib's memory functions and of constructing an interpreter, on Cortex-M55.

Counted by QEMU: memcpy and memset of 256 B to 1 MiB, construction on ten models.
"""

from __future__ import annotations

from splitopt.base.units import ceil_div

CONSTRUCT_INSN = 350
COPY_CALL_INSN = 25
_FILL_CALL_INSN = 35


def copy_insn(size_bytes: int) -> int:
    """memcpy: 0.5625 instructions per byte and 25 for the call."""
    return ceil_div(9 * size_bytes, 16) + COPY_CALL_INSN


def fill_insn(size_bytes: int) -> int:
    """memset: 0.4375 instructions per byte and 35 for the call."""
    return ceil_div(7 * size_bytes, 16) + _FILL_CALL_INSN

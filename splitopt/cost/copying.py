"""Instructions of newlib's memory functions and of constructing an interpreter, on Cortex-M55.

Counted by QEMU: memcpy and memset of 256 B to 1 MiB, construction on ten models.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

CONSTRUCT_INSN = 350
_RESIDENT_INSN, _LOOKED_AT_INSN = 480, 46
_FILL_CALL_INSN = 35

Amount = TypeVar("Amount", int, npt.NDArray[np.int64])


def copy_insn(size_bytes: Amount, copies: Amount | int = 1) -> Amount:
    """memcpy: 0.5625 instructions per byte and 25 for each call.

    Several copies with `size_bytes` in all take at least this: each rounds up by itself.
    """
    return -(-9 * size_bytes // 16) + 25 * copies  # 9/16 of an instruction a byte, rounded up


def resident_construct_insn(ops: int) -> int:
    """Of a piece of so many ops that is resident: the runner gives it two arenas and looks at each
    op for resource variables. Counted by QEMU on 31 resident pieces of five models, of 1 to 61 ops;
    worst error 6 %. A streamed stage is constructed as at each inference."""
    return _RESIDENT_INSN + _LOOKED_AT_INSN * ops


def fill_insn(size_bytes: Amount) -> Amount:
    """memset: 0.4375 instructions per byte and 35 for the call."""
    return -(-7 * size_bytes // 16) + _FILL_CALL_INSN  # 7/16 of an instruction, rounded up

"""Instructions of saving a built piece at start-up, and of copying it back, on Cortex-M55.

Counted by QEMU on the runner, images of 3 to 18 KB in plain memory: exact to 4 instructions.
"""

from __future__ import annotations

from splitopt.cost.copying import Amount
from splitopt.cost.streaming import moved_insn

_RESTORE_CALL_INSN, _STREAM_INSN, _SAVE_CALL_INSN = 86, 41, 190


def restore_insn(
    image_bytes: Amount, read_cost: float = 1.0, *, is_streamed: bool = False
) -> Amount:
    """Helium copies of interpreters and tail. `read_cost`: of a byte, relative to the main SRAM;
    taken in thousandths."""
    thousandths = round(1000 * read_cost)
    copies = -(-thousandths * moved_insn(image_bytes) // 1000)  # rounded up
    return _RESTORE_CALL_INSN + (_STREAM_INSN if is_streamed else 0) + copies


def save_insn(image_bytes: int) -> int:
    """Writing, reading back and comparing: 45/16 of an instruction a byte."""
    return _SAVE_CALL_INSN - (-45 * image_bytes // 16)

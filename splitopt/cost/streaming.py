"""Instructions of the runner's loop over rows of a streamed stage, on Cortex-M55 with Helium.

Counted by QEMU on 119 streamed stages of six models: the mean error is 2.6 % of the loop, the worst
13 %. Copies and moves take 3 instructions for 16 bytes, fills 2; see runner/splitopt_rows.h.
"""

from __future__ import annotations

from splitopt.cost.copying import Amount

FEED_INSN = 122
"""A row of a source, found, entered and copied."""

TURN_INSN = 63
"""A group's turn, beside its Invoke."""

MADE_INSN = 116
"""A row of a tensor that a group made."""

STAGE_INSN, GROUP_INSN = 190, 205
"""Constructing the allocator, and each interpreter."""

_CHECKED_INSN = 88

_HELIUM_BYTES = 16


def moved_insn(size_bytes: Amount) -> Amount:
    """Of the bytes of one copy or move; of several, at least that of all bytes."""
    return 3 * -(-size_bytes // _HELIUM_BYTES)  # begun blocks of 16


def filled_insn(size_bytes: Amount) -> Amount:
    return 2 * -(-size_bytes // _HELIUM_BYTES)


def construct_insn(groups: Amount) -> Amount:
    return STAGE_INSN + GROUP_INSN * groups


def check_insn(ends: int) -> int:
    """Of the runner's look at where TFLM put a group's `ends` inputs and outputs, which comes after
    all AllocateTensors. Counted by QEMU on 35 groups of 2 to 4 ends: worst error 4 %."""
    return _CHECKED_INSN * (1 + ends)

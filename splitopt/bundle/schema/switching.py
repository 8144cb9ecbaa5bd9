"""What resident and restored pieces bring on a board: a part of explain.json."""

from __future__ import annotations

from typing import Literal

from splitopt.bundle.schema.common import Count, Line, Shape, Signed
from splitopt.bundle.schema.plan import AddedParts


class HeldTails(Shape):
    """What resident or restored pieces have in one place; `memory` is null for the main SRAM."""

    way: Literal["resident", "restore"]
    memory: Line | None
    pieces: Count
    size_bytes: Count


class SwitchingWorth(Shape):
    """The cheapest plan within the budget, `added_insn`, and the cheapest one whose pieces are all
    rebuilt at each inference, `rebuilt_insn`; both estimates for one inference.

    `rebuilt`: whether there is one of these, none fits, or none was found in time. `parts`,
    `first_insn` (once, at start-up), `pieces` and `held` are those of the first.
    """

    added_insn: Signed
    parts: AddedParts
    first_insn: Signed
    pieces: Count
    held: tuple[HeldTails, ...]
    rebuilt: Literal["found", "none", "late"]
    rebuilt_insn: Signed | None = None
    is_proved: bool
    """Of both plans, that there is no cheaper one."""

"""What resident and restored pieces are worth: the cheapest plan that fits, with and without."""

from __future__ import annotations

from collections.abc import Iterator

from splitopt.base.units import format_bytes, format_percent, more_text, plural
from splitopt.bundle.schema.plan import PRICE_PARTS, AddedParts
from splitopt.bundle.schema.switching import HeldTails, SwitchingWorth
from splitopt.planning.planner import Answer
from splitopt.planning.split_plan import Infeasible, SplitPlan

SWITCHING = "What resident and restored pieces are worth"


def worth_of(plan: SplitPlan, rebuilt: Answer) -> SwitchingWorth:
    """`rebuilt`: the cheapest plan within the same limits whose pieces are all rebuilt."""
    has_plan = isinstance(rebuilt, SplitPlan)
    is_proved = plan.unfinished is None
    if isinstance(rebuilt, SplitPlan):
        is_proved &= rebuilt.unfinished is None
    return SwitchingWorth(
        added_insn=plan.added_insn,
        parts=AddedParts.model_validate(plan),
        first_insn=plan.first_insn,
        pieces=len(plan.segments),
        held=tuple(_held(plan)),
        rebuilt="found" if has_plan else "none" if isinstance(rebuilt, Infeasible) else "late",
        rebuilt_insn=rebuilt.added_insn if isinstance(rebuilt, SplitPlan) else None,
        is_proved=is_proved,
    )


def _held(plan: SplitPlan) -> Iterator[HeldTails]:
    """By way and place, in the order of the pieces."""
    found = dict[tuple[str, str | None], list[int]]()
    for segment in plan.segments:
        if segment.kept is not None:
            found.setdefault(("resident", segment.kept.memory), []).append(segment.kept.bytes)
        elif segment.stored is not None:
            found.setdefault(("restore", segment.stored.memory), []).append(segment.stored.bytes)
    for (way, memory), sizes in found.items():
        entry = {"way": way, "memory": memory, "pieces": len(sizes), "size_bytes": sum(sizes)}
        yield HeldTails.model_validate(entry)


def worth_lines(worth: SwitchingWorth, invoke_insn: int | None) -> Iterator[str]:
    """The difference that they make in one line; then what the price is made of."""
    yield f"{_difference(worth, invoke_insn)}."
    parts = (
        f"{words} {_price(insn, invoke_insn)}"
        for field, words in PRICE_PARTS.items()
        if (insn := getattr(worth.parts, field))
    )
    of = " in parts of the unsplit Invoke," if invoke_insn else ""
    yield f"What is added,{of} estimated: {', '.join(parts) or 'nothing'}."
    if worth.first_insn:
        yield f"At start-up, once: {_price(worth.first_insn, invoke_insn)}."


def _difference(worth: SwitchingWorth, invoke_insn: int | None) -> str:
    if not worth.held:
        return (
            "Resident or restored pieces: none in the cheapest plan that fits, which adds "
            f"{_price(worth.added_insn, invoke_insn)}"
        )
    held = " and ".join(map(_words, worth.held))
    start = f"Of {plural(worth.pieces, 'piece')}, {held}; were all rebuilt at each inference"
    if worth.rebuilt_insn is None:
        without = {"none": "no plan would fit", "late": "no plan was found in time"}
        return f"{start}, {without[worth.rebuilt]}"
    sure = "" if worth.is_proved else " (a cheaper one may exist)"
    price = _price(worth.rebuilt_insn, invoke_insn)
    return f"{start}, the cheapest plan that fits{sure} would add {price}"


def _words(held: HeldTails) -> str:
    place = held.memory or "the main SRAM"
    size = format_bytes(held.size_bytes)
    if held.way == "restore":
        return f"{held.pieces} restored from {place} ({size})"
    return f"{held.pieces} resident in {place} ({size})"


def _price(insn: int, invoke_insn: int | None) -> str:
    """To two digits where it is small: resident pieces add next to nothing."""
    if not invoke_insn:
        return more_text(insn)
    share = 100 * insn / invoke_insn
    return f"{share:+.2f} %" if 0 < abs(share) < 1 else format_percent(insn, invoke_insn)

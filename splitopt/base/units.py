"""Integer arithmetic of sizes, and how figures are shown to people."""

from __future__ import annotations

ARENA_ALIGNMENT = 16


def align_up(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


def align_down(value: int, alignment: int) -> int:
    return value // alignment * alignment


def ceil_div(value: int, divisor: int) -> int:
    return -(-value // divisor)


def format_bytes(value: int) -> str:
    """`62896` → `62,896 B`."""
    return f"{value:,} B"


def format_kinsn(insn: int) -> str:
    """Instructions in thousands, for display only."""
    return f"{insn / 1000:,.1f} kinsn"


def format_insn(insn: int) -> str:
    """What is added, rounded for display: `+6.8 M instructions`, `+38.3 k instructions`."""
    if abs(insn) >= 1_000_000:
        return f"{insn / 1_000_000:+,.1f} M instructions"
    return f"{insn / 1000:+,.1f} k instructions"


def format_percent(part: float, whole: float) -> str:
    """A signed share, `+10.5 %`; a hyphen where there is no whole to compare with."""
    return f"{100 * part / whole:+.1f} %" if whole else "-"


def plural(count: int, noun: str) -> str:
    """`1 piece`, `2 pieces`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"

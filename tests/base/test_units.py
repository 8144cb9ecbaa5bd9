"""Figures as people read them."""

from __future__ import annotations

import pytest

from splitopt.base.units import added_text, format_insn


@pytest.mark.parametrize(
    ("insn", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0 k"),
        (379_338, "379.3 k"),
        (999_949, "999.9 k"),
        (999_950, "1.0 M"),
        (6_792_400, "6.8 M"),
        (12_345_678_901, "12,345.7 M"),
        (-2_500_000, "-2.5 M"),
        (-40, "-40"),
    ],
)
def test_instructions_are_shown_in_thousands_or_millions(insn: int, shown: str) -> None:
    assert format_insn(insn) == shown


def test_added_instructions_say_that_they_are_estimates_and_of_what() -> None:
    assert added_text(6_792_400, None) == "+6.8 M instructions per inference (estimate)"
    assert (
        added_text(6_792_400, 13_611_000)
        == "+6.8 M instructions per inference (estimate, +49.9 % of Invoke)"
    )
    assert added_text(-5, 100).startswith("-5 instructions")

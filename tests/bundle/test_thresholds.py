"""Limits on figures: what parses, what breaks, in exact numbers."""

from __future__ import annotations

import operator
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitopt.base.errors import ThresholdError, UsageError
from splitopt.bundle.thresholds import (
    NUMBERS,
    WORDS,
    Reference,
    broken,
    parse_threshold,
    parse_thresholds,
    require_none_broken,
)

OPERATORS = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
sizes = st.integers(0, 10**9)
numbers = st.decimals(0, 10**6, places=3, allow_nan=False)


def breaks(text: str, value: object, reference: tuple[int, int] | None = None) -> bool:
    known = None if reference is None else Reference(*reference)
    return parse_threshold(text).breaks(value, known) is not None  # type: ignore[arg-type]


@given(st.sampled_from(NUMBERS), st.sampled_from(sorted(OPERATORS)), sizes, sizes)
def test_absolute_limits(figure: str, symbol: str, limit: int, value: int) -> None:
    assert breaks(f"{figure}{symbol}{limit}", value) == OPERATORS[symbol](value, limit)
    assert breaks(f" {figure} {symbol} {limit:_} ", value) == OPERATORS[symbol](value, limit)


@given(st.sampled_from(sorted(OPERATORS)), st.sampled_from("+-"), numbers, sizes, sizes)
def test_changes_count_from_the_reference(
    symbol: str, sign: str, change: Decimal, before: int, after: int
) -> None:
    amount = Fraction(change) * (-1 if sign == "-" else 1)
    text = f"added_insn{symbol}{sign}{change}"
    want = OPERATORS[symbol](Fraction(after - before), amount)
    assert breaks(text, after, (before, before)) == want
    share = OPERATORS[symbol](Fraction(after), before + before * amount / 100)
    assert breaks(f"{text}%", after, (before, before)) == share


@given(st.text(max_size=40))
def test_any_text_is_a_threshold_or_a_usage_error(text: str) -> None:
    said = ""
    try:
        assert parse_threshold(text).figure in (*NUMBERS, *WORDS)
    except UsageError as error:
        said = str(error)
    if said:
        assert "peak_ram_bytes, largest_arena_bytes" in said
        assert "e.g. peak_ram_bytes>65536" in said


@given(
    st.sampled_from([*NUMBERS, *WORDS, "pieces()", "__class__"]),
    st.sampled_from([*OPERATORS, "=", "=>", "<>", ""]),
    st.from_regex(r"[-+0-9.%a-zA-Z_()]{0,12}", fullmatch=True),
)
def test_what_looks_like_one_never_crashes(figure: str, symbol: str, limit: str) -> None:
    try:
        threshold = parse_threshold(f"{figure}{symbol}{limit}")
    except UsageError:
        return
    for value in (None, 0, 5, "OPTIMAL"):
        for reference in (None, Reference(0, 0), Reference(7, 3)):
            line = threshold.breaks(value, reference)
            assert line is None or line.startswith(threshold.text)


@pytest.mark.parametrize(
    "text",
    [
        "", "pieces", "pieces>", ">4", "pieces=4", "pieces=>4", "pieces>4>5", "pieces>four",
        "pieces>5%", "pieces>0x10", "pieces>1e3", "pieces>٤", "pieces>--4", "pieces>nan",
        "status>OPTIMAL", "status==FINE", "exact==1", "latency>4", "peak_ram_byte>4",
        "pieces>" + "9" * 500, "pieces>4; import os", "__import__('os')>1",
    ],
)  # fmt: skip
def test_wrong_expressions_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--fail-on"):
        parse_threshold(text)


def test_the_nearest_figure_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean 'peak_ram_bytes'"):
        parse_threshold("peak_ram>4")


def test_words() -> None:
    assert breaks("status!=OPTIMAL", "FEASIBLE")
    assert not breaks("status!=optimal", "OPTIMAL")
    assert breaks("checks==failed", "failed")
    assert breaks("exact==false", "false")
    assert breaks("status!=OPTIMAL", None)


def test_added_instructions_count_from_nothing_in_parts_of_invoke() -> None:
    """5 % of an Invoke of 1,000: the unsplit model adds none."""
    assert not breaks("added_insn>+5%", 50, (0, 1000))
    assert breaks("added_insn>+5%", 51, (0, 1000))


def test_what_is_not_known_breaks_its_limit() -> None:
    assert breaks("file_bytes>10", None)
    assert breaks("file_bytes>+10", 5, None)


def test_shares_are_exact() -> None:
    """0.1 + 0.2 in binary is more than 0.3; here it is not."""
    assert not breaks("pieces>+30%", 13, (10, 10))
    assert breaks("pieces>=+30%", 13, (10, 10))


def test_each_broken_limit_is_one_line() -> None:
    thresholds = parse_thresholds(["pieces>4", "status!=OPTIMAL", "peak_ram_bytes>+10%"])
    figures: dict[str, int | str | None] = {"pieces": 5, "status": "OPTIMAL", "peak_ram_bytes": 112}
    lines = broken(thresholds, figures, {"peak_ram_bytes": Reference(100, 100)})
    assert lines == (
        "pieces>4: pieces is 5, > the limit 4",
        "peak_ram_bytes>+10%: peak_ram_bytes is 112, > the limit 110 (counted from 100)",
    )
    with pytest.raises(ThresholdError) as caught:
        require_none_broken(lines, {"more": 1})
    assert caught.value.exit_code == 1
    assert str(caught.value).splitlines() == list(lines)
    assert caught.value.facts == {"more": 1, "broken_thresholds": list(lines)}
    require_none_broken(())

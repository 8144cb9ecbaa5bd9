"""Limits on figures, as `--fail-on` has them: `peak_ram_bytes>65536`, `added_insn>+5%`.

An expression says when to fail. Independent of plans and runs: figures are names with values.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from splitopt.base.errors import ThresholdError, UsageError

Figure = int | str | None
NUMBERS = (
    "peak_ram_bytes", "largest_arena_bytes", "added_insn", "pieces", "file_bytes"
)  # fmt: skip
WORDS: Mapping[str, tuple[str, ...]] = {
    "status": ("OPTIMAL", "FEASIBLE", "INFEASIBLE", "UNKNOWN", "FAILED"),
    "exact": ("true", "false"),
    "checks": ("passed", "failed", "skipped"),
}
_EXAMPLE = "e.g. peak_ram_bytes>65536, added_insn>+5%, pieces>4, status!=OPTIMAL"
_LONGEST = 200
_SHAPE = re.compile(r"\s*([A-Za-z_]+)\s*(>=|<=|==|!=|>|<)\s*(\S+)\s*")
_NUMBER = re.compile(r"([+-]?)([0-9]{1,18}(?:\.[0-9]{1,9})?)(%?)")
_COMPARE: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """What a change counts from, and the whole that a share is of: the same, but for additions.
    `whole` is None where it is not known."""

    value: int
    whole: int | None


@dataclass(frozen=True)
class Threshold:
    """One expression. The limit is `word`, or `amount`, which `is_change` adds to a reference;
    `is_share`: in parts of its whole."""

    text: str
    figure: str
    comparison: str
    amount: Fraction = Fraction(0)
    is_change: bool = False
    is_share: bool = False
    word: str | None = None

    def breaks(self, value: Figure, reference: Reference | None) -> str | None:
        """One line where the figure breaks it: figure, value, limit; None where it does not.

        What is not known cannot be judged, and breaks it.
        """
        if self.word is not None:
            same = value == self.word
            is_broken = same if self.comparison == "==" else not same
            return self._line(value, self.word) if is_broken else None
        if not isinstance(value, int):
            return f"{self.text}: {self.figure} is not known here"
        limit = self._limit(reference)
        if limit is None:
            return f"{self.text}: there is no {self.figure} to compare {value:,} with"
        if not _COMPARE[self.comparison](Fraction(value), limit):
            return None
        origin = ""
        if self.is_change and reference is not None:
            origin = f" (counted from {reference.value:,})"
        return self._line(f"{value:,}", f"{_shown(limit)}{origin}")

    def _limit(self, reference: Reference | None) -> Fraction | None:
        if not self.is_change:
            return self.amount
        if reference is None or (self.is_share and reference.whole is None):
            return None
        change = self.amount * (reference.whole or 0) if self.is_share else self.amount
        return reference.value + change

    def _line(self, value: Figure, limit: str) -> str:
        shown = "not known" if value is None else value
        return f"{self.text}: {self.figure} is {shown}, {self.comparison} the limit {limit}"


def _shown(limit: Fraction) -> str:
    return f"{limit.numerator:,}" if limit.denominator == 1 else f"{float(limit):,.2f}"


def parse_thresholds(texts: Sequence[str]) -> tuple[Threshold, ...]:
    """The expressions of `--fail-on`. Raises UsageError with the known figures and an example."""
    return tuple(parse_threshold(text) for text in texts)


def parse_threshold(text: str) -> Threshold:
    """`FIGURE OPERATOR LIMIT`. A limit is a number, `+N` or `-N` (a change), `+N%` or `-N%` (a
    change in parts of the reference), or for `status`, `exact` and `checks` one of their words.

    Raises UsageError.
    """
    shape = _SHAPE.fullmatch(text) if len(text) <= _LONGEST else None
    if shape is None:
        raise _refused(text, "want FIGURE, one of > >= < <= == !=, and a limit")
    figure, comparison, limit = shape[1].lower(), shape[2], shape[3]
    name = " ".join(text.split())
    if figure in WORDS:
        return Threshold(name, figure, comparison, word=_word(text, figure, comparison, limit))
    if figure not in NUMBERS:
        near = difflib.get_close_matches(figure, [*NUMBERS, *WORDS], n=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        raise _refused(text, f"unknown figure {figure!r}{hint}")
    number = _NUMBER.fullmatch(limit.replace("_", ""))
    if number is None:
        raise _refused(text, f"got the limit {limit!r}, want 65536, +1024, +5% or -5%")
    sign, digits, percent = number.groups()
    if percent and not sign:
        raise _refused(text, f"got the limit {limit!r}, want a change: +{limit} or -{limit}")
    amount = Fraction(digits) * (-1 if sign == "-" else 1) / (100 if percent else 1)
    return Threshold(name, figure, comparison, amount, bool(sign), bool(percent))


def _word(text: str, figure: str, comparison: str, limit: str) -> str:
    known = {word.lower(): word for word in WORDS[figure]}
    if comparison not in ("==", "!="):
        raise _refused(text, f"{figure} is compared by == or !=")
    if limit.lower() not in known:
        raise _refused(text, f"got {limit!r}, want one of {', '.join(WORDS[figure])}")
    return known[limit.lower()]


def _refused(text: str, reason: str) -> UsageError:
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    figures = ", ".join((*NUMBERS, *WORDS))
    return UsageError(f"--fail-on {shown!r}: {reason}; figures: {figures}; {_EXAMPLE}")


def broken(
    thresholds: Sequence[Threshold],
    figures: Mapping[str, Figure],
    references: Mapping[str, Reference],
) -> tuple[str, ...]:
    """A line for each threshold that the figures break, in the order they were given."""
    lines = (t.breaks(figures.get(t.figure), references.get(t.figure)) for t in thresholds)
    return tuple(line for line in lines if line is not None)


def require_none_broken(lines: Sequence[str], facts: Mapping[str, object] | None = None) -> None:
    """Raises ThresholdError, one line each. `facts`: what a program wants to know beyond them."""
    if lines:
        error = ThresholdError("\n".join(lines))
        error.facts = {**(facts or {}), "broken_thresholds": list(lines)}
        raise error

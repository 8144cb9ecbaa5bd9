"""How many random cases a test tries: a few at every run, the others where it is marked slow."""

from __future__ import annotations

import pytest
from hypothesis import settings

QUICK = "quick"  # a profile of Hypothesis
settings.register_profile(QUICK, max_examples=40)


def seeds(quick: int, all_of_them: int) -> list[object]:
    """0, 1, ...; those behind the first few are marked slow."""
    slow = pytest.mark.slow
    rest = (pytest.param(seed, marks=slow) for seed in range(quick, all_of_them))
    return [*range(quick), *rest]


def examples(count: int) -> settings:
    """Of Hypothesis: so many beside the tests marked slow; at every run two fifths, or 25."""
    most = settings().max_examples  # at every run that of the profile QUICK, or else 100
    return settings(max_examples=min(count, max(25, count * most // 100)))

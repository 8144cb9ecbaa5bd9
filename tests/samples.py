"""How many random cases a test tries: a few at every run, the others where it is marked slow."""

from __future__ import annotations

import pytest


def seeds(quick: int, all_of_them: int) -> list[object]:
    """0, 1, ...; those behind the first few are marked slow."""
    slow = pytest.mark.slow
    rest = (pytest.param(seed, marks=slow) for seed in range(quick, all_of_them))
    return [*range(quick), *rest]

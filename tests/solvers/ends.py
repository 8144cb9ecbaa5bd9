"""Runs of options with others at their ends."""

from __future__ import annotations

import random
from collections.abc import Sequence

from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.stand_ins import beginning, some_before, some_behind, up_to


def with_any_at_ends(run: Sequence[Option], chance: random.Random) -> Sequence[Option]:
    """Others at one end or both, that a conflict may speak of as well."""
    if len(run) < 2:
        return run
    first, last, rest = run[0], run[-1], list(run)
    if chance.random() < 0.7:
        start, stop = chance.randint(0, first.start), rest[1].start
        alike = some_before(start, stop, first.arena_bytes), up_to(stop, first.arena_bytes)
        rest[0] = chance.choice(alike)
    if chance.random() < 0.7:
        start, stop = last.start, last.stop + chance.randint(0, 2)
        alike = some_behind(start, stop, last.arena_bytes), beginning(start, last.arena_bytes)
        rest[-1] = chance.choice(alike)
    return tuple(rest)

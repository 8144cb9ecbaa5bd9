"""Runs of options with others in the place of some."""

from __future__ import annotations

import random
from collections.abc import Sequence

from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.stand_ins import beginning, some, some_before, some_behind, up_to


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


def with_some_inside(run: Sequence[Option], chance: random.Random) -> Sequence[Option]:
    """Any option with as much arena in the place of one, and of gaps beside it."""
    if len(run) < 3:
        return run
    at = chance.randrange(1, len(run) - 1)
    first = chance.randint(1, at)
    stop = chance.randint(at + 1, len(run) - 1)
    low, high = run[first].start, run[stop - 1].stop
    starts = chance.randint(low, run[at].start), chance.randint(run[at].start, high - 1)
    stops = chance.randint(low + 1, run[at].stop), chance.randint(run[at].stop, high)
    return (*run[:first], some(low, high, run[at].arena_bytes, starts, stops), *run[stop:])

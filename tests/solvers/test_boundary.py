"""What single segments hold against the matrices of all segments."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from tiny import boundaries

from splitopt.solvers.partition.boundary import (
    Boundary,
    BoundaryLoads,
    SegmentLoads,
    most_alive,
)


@given(st.lists(boundaries(6), max_size=6))
def test_segments_hold_what_the_matrices_say(values: list[Boundary]) -> None:
    every, one = BoundaryLoads(6, values), SegmentLoads(6, values)
    by_rows = every.ram_apart - every.outer_in
    for at in combinations(range(7), 2):
        assert one.ram(*at) == every.ram[at]
        assert one.ram(*at, apart=True) == every.ram_apart[at]
        assert one.ram(*at, apart=True, by_rows=True) == by_rows[at]


@given(st.lists(boundaries(6), max_size=6))
def test_most_values_live_at_some_cut(values: list[Boundary]) -> None:
    """Those that something before a cut makes or reads, and something behind it reads."""
    counts = [
        sum(value.size > 0 and value.start_item < cut <= value.last_item for value in values)
        for cut in range(7)
    ]
    assert most_alive(values, 6) == max(counts)

"""Rows kept as they come against the definition of dominance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitopt.solvers.partition.undominated import Undominated, beaten_by_cells

Row = tuple[int, ...]


def in_order(row: Row, *, in_turn: bool) -> tuple[object, ...]:
    return ((row[0], row[1]), *row[2:]) if in_turn else row


@pytest.mark.parametrize("in_turn", [False, True])
@given(rows=st.lists(st.tuples(*[st.integers(0, 3)] * 4), max_size=40))
def test_a_row_is_kept_where_none_before_is_as_small(in_turn: bool, rows: list[Row]) -> None:
    def is_as_small(other: Row, row: Row) -> bool:
        pair = in_order(other, in_turn=in_turn), in_order(row, in_turn=in_turn)
        return all(x <= y for x, y in zip(*pair, strict=True))  # type: ignore[operator]

    kept = Undominated(in_turn=in_turn)
    for k, row in enumerate(rows):
        assert kept.add(row) is not any(is_as_small(other, row) for other in rows[:k])
        before = rows[: k + 1]
        assert kept.beats(row) is any(other != row and is_as_small(other, row) for other in before)


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_cells_tell_beaten_are_and_are_most(seed: int) -> None:
    chance = np.random.default_rng(seed)
    a, b, c = chance.integers(0, 10 ** (seed + 1), (3, 500))
    rivals = chance.choice(500, 300, replace=False)
    found = beaten_by_cells(a, b, c, rivals)
    is_lower = (a[rivals] < a[:, None]) & (b[rivals] < b[:, None])
    is_beaten = (is_lower & (c[rivals] <= c[:, None])).any(axis=1)
    assert not (found & ~is_beaten).any()
    assert found.sum() > 0.9 * is_beaten.sum() > 0

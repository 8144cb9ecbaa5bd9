"""The Pareto filter against its definition."""

from hypothesis import given
from hypothesis import strategies as st

from splitopt.solvers.dominance import undominated

Point = tuple[int, ...]


def dominates(a: Point, b: Point) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


@given(
    st.integers(1, 4).flatmap(
        lambda size: st.lists(st.tuples(*[st.integers(0, 4)] * size), max_size=12)
    )
)
def test_what_is_kept_is_what_nothing_dominates(points: list[Point]) -> None:
    kept = undominated(enumerate(points), lambda item: item[1])
    assert [point for _, point in kept] == sorted(
        point for point in set(points) if not any(dominates(other, point) for other in points)
    )
    assert all(points.index(point) == k for k, point in kept)  # of equal ones, the first

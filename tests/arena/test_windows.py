"""Taps of a window inside its image, in closed form against counting them one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from samples import examples

from splitopt.arena.windows import Axis


def counted(axis: Axis) -> int:
    places = (
        output * axis.stride + tap * axis.dilation - axis.pad_before
        for output in range(axis.output)
        for tap in range(axis.kernel)
    )
    return sum(0 <= place < axis.input for place in places)


@examples(500)
@given(
    *(st.integers(0, 12), st.integers(0, 12), st.integers(1, 9)),
    *(st.integers(1, 5), st.integers(1, 4), st.integers(0, 14)),
)
def test_taps_inside_are_those_that_are_counted(
    rows: int, made: int, kernel: int, stride: int, dilation: int, padding: int
) -> None:
    axis = Axis(rows, made, kernel, stride, dilation, padding)
    assert axis.taps_inside() == counted(axis)


def test_absurd_sizes_take_no_time() -> None:
    """A filter of 2**31 - 1 around 10**8 rows: every output sees every row."""
    size = 10**8
    assert Axis(size, size, 2**31 - 1, 1, 1, 2**31 - 2).taps_inside() == size**2

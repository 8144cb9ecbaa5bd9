"""Greedy packing and its counted work against a plain replay of TFLM's loops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import examples
from tflm_planner import planned_slowly
from tiny import buffers

from splitopt.solvers.packing import greedy_replay
from splitopt.solvers.packing.greedy_replay import greedy_with_work, plan_greedy
from splitopt.solvers.packing.greedy_work import PlannerWork
from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance


def with_work(instance: PackingInstance) -> tuple[list[int], PlannerWork]:
    sizes = [b.size for b in instance.buffers]
    starts = [b.live.start for b in instance.buffers]
    stops = [b.live.stop for b in instance.buffers]
    pinned = {i: b.offset for i, b in enumerate(instance.buffers) if b.offset is not None}
    return greedy_with_work(sizes, starts, stops, pinned)


@pytest.mark.parametrize("few", [0, 48], ids=["by step", "by scan"])
@pytest.mark.parametrize("pins", [False, True], ids=["free", "pinned"])
def test_plan_and_work_equal_the_replay(
    few: int, pins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greedy_replay, "_FEW_BUFFERS", few)
    monkeypatch.setattr(greedy_replay, "_SPARSE", 8 if few else 0)

    @examples(120)
    @given(st.lists(buffers(pins=pins), max_size=14))
    def compare(listed: list[Buffer]) -> None:
        instance = PackingInstance(tuple(listed))
        offsets, work = planned_slowly(instance)
        assert list(plan_greedy(instance).offsets) == offsets
        assert with_work(instance) == (offsets, work)

    compare()


@examples(20)
@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 3), st.integers(0, 9)), min_size=60))
def test_many_short_lives_take_the_lists_by_step(rows: list[tuple[int, int, int]]) -> None:
    instance = PackingInstance(tuple(Buffer(s, LiveRange(a, a + long)) for a, long, s in rows))
    assert with_work(instance) == planned_slowly(instance)


def test_of_equal_sizes_the_later_buffer_comes_first() -> None:
    assert greedy_with_work([16, 16, 16], [0, 0, 0], [1, 1, 1])[0] == [32, 16, 0]


def test_buffers_of_no_time_overlap_each_other_and_nothing_else() -> None:
    assert greedy_with_work([16, 32, 64], [-1, 5, 0], [0, 5, 9])[0] == [32, 0, 0]


def test_pins_come_first_and_the_rest_fills_the_gap() -> None:
    assert greedy_with_work([64, 32, 48], [0, 0, 0], [1, 1, 1], {0: 32})[0] == [32, 0, 96]


def test_no_buffers() -> None:
    assert greedy_with_work([], [], []) == ([], PlannerWork(0, 0, 0, 0, 0))

"""Greedy packing and its counted work against a plain replay of TFLM's loops."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import buffers

from splitopt.solvers.packing import greedy_by_size
from splitopt.solvers.packing.greedy_by_size import greedy_offsets, plan_greedy
from splitopt.solvers.packing.greedy_work import PlannerWork, planner_work
from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance


def replay(instance: PackingInstance) -> tuple[list[int], PlannerWork]:
    """greedy_memory_planner.cc in slow motion: inclusive times, bubble sort, list walks."""
    needs = []
    for buffer in instance.buffers:
        start, stop = buffer.live.start, buffer.live.stop
        first, last = (-1, -1) if start == stop else (start, stop - 1)
        needs.append((buffer.size, first, last, buffer.offset))
    order = [i for i, need in enumerate(needs) if need[3] is not None]
    free = [i for i in reversed(range(len(needs))) if needs[i][3] is None]
    compared, swapped = bubble(free, [need[0] for need in needs])
    offsets = [0] * len(needs)
    listed: list[tuple[int, int]] = []
    scanned = active = walked = 0
    for i in order + free:
        size, first, last, pin = needs[i]
        offset = 0
        if pin is not None:
            offset = pin
        else:
            for at, other in listed:
                other_size, other_first, other_last, _ = needs[other]
                scanned += 1
                if other_first > last or first > other_last:
                    continue
                active += 1
                if at - offset >= size:
                    break
                offset = max(offset, at + other_size)
        offsets[i] = offset
        place = 0
        while place < len(listed) and listed[place][0] <= offset:
            place += 1
            walked += 1
        listed.insert(place, (offset, i))
    return offsets, PlannerWork(compared, swapped, scanned, active, walked)


def bubble(ids: list[int], sizes: Sequence[int]) -> tuple[int, int]:
    """Sorts ids by falling size in place; passes go on until one swaps nothing."""
    compared = swapped = 0
    restless = bool(ids)
    while restless:
        restless = False
        for k in range(1, len(ids)):
            compared += 1
            if sizes[ids[k - 1]] < sizes[ids[k]]:
                ids[k - 1], ids[k] = ids[k], ids[k - 1]
                swapped += 1
                restless = True
    return compared, swapped


def work_of(instance: PackingInstance, offsets: Sequence[int]) -> PlannerWork:
    sizes = [b.size for b in instance.buffers]
    starts = [b.live.start for b in instance.buffers]
    stops = [b.live.stop for b in instance.buffers]
    pinned = {i: b.offset for i, b in enumerate(instance.buffers) if b.offset is not None}
    return planner_work(sizes, starts, stops, offsets, pinned)


@pytest.mark.parametrize("few", [0, 48], ids=["by step", "by scan"])
@pytest.mark.parametrize("pins", [False, True], ids=["free", "pinned"])
def test_plan_and_work_equal_the_replay(
    few: int, pins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greedy_by_size, "_FEW_BUFFERS", few)
    monkeypatch.setattr(greedy_by_size, "_SPARSE", 8 if few else 0)

    @settings(max_examples=400)
    @given(st.lists(buffers(pins=pins), max_size=14))
    def compare(listed: list[Buffer]) -> None:
        instance = PackingInstance(tuple(listed))
        offsets, work = replay(instance)
        assert list(plan_greedy(instance).offsets) == offsets
        assert work_of(instance, offsets) == work

    compare()


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 3), st.integers(0, 9)), min_size=60))
def test_many_short_lives_take_the_lists_by_step(rows: list[tuple[int, int, int]]) -> None:
    instance = PackingInstance(tuple(Buffer(s, LiveRange(a, a + long)) for a, long, s in rows))
    offsets, work = replay(instance)
    assert list(plan_greedy(instance).offsets) == offsets
    assert work_of(instance, offsets) == work


def test_of_equal_sizes_the_later_buffer_comes_first() -> None:
    assert greedy_offsets([16, 16, 16], [0, 0, 0], [1, 1, 1]) == [32, 16, 0]


def test_buffers_of_no_time_overlap_each_other_and_nothing_else() -> None:
    assert greedy_offsets([16, 32, 64], [-1, 5, 0], [0, 5, 9]) == [32, 0, 0]


def test_pins_come_first_and_the_rest_fills_the_gap() -> None:
    assert greedy_offsets([64, 32, 48], [0, 0, 0], [1, 1, 1], {0: 32}) == [32, 0, 96]


def test_no_buffers() -> None:
    assert greedy_offsets([], [], []) == []
    assert planner_work([], [], [], []) == PlannerWork(0, 0, 0, 0, 0)

"""First fit in any order, against gaps looked for byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import UNIT, buffers

from splitopt.solvers.packing import first_fit
from splitopt.solvers.packing.first_fit import FirstFit, mark, ranks_of
from splitopt.solvers.packing.instance import Buffer


def lowest_gaps(placing: list[Buffer]) -> list[int]:
    """Each where no unit of it is taken, as low as possible; pins wherever they want."""
    offsets: list[int] = []
    for buffer in placing:
        others = zip(placing, offsets, strict=False)
        beside = [(o, o + b.size) for b, o in others if b.live.overlaps(buffer.live)]
        low = 0
        while any(low < end and start < low + buffer.size for start, end in beside):
            low += UNIT
        offsets.append(low if buffer.offset is None else buffer.offset)
    return offsets


@pytest.mark.parametrize("dense", [0, 10**6], ids=["by neighbours", "in one list"])
@given(st.data(), st.lists(buffers(pins=True), max_size=9))
def test_every_buffer_lies_in_its_lowest_gap(
    dense: int, data: st.DataObject, given: list[Buffer]
) -> None:
    sized = [b for b in given if b.size]
    free = [i for i, b in enumerate(sized) if b.offset is None]
    pinned = {i: b.offset for i, b in enumerate(sized) if b.offset is not None}
    order = [*pinned, *data.draw(st.permutations(free))]
    sizes, ranges = [b.size for b in sized], [b.live.steps for b in sized]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_fit, "_DENSE", dense)
        fit = FirstFit(sizes, ranges, pinned)
        found = fit.offsets(order)
        assert found is not None
        assert [found[i] for i in order] == lowest_gaps([sized[i] for i in order])
        high = mark(found, sizes)
        assert high == max((o + s for o, s in zip(found, sizes, strict=True)), default=0)
        assert fit.offsets(order, high) == found
        assert not order or fit.offsets(order, high - 1) is None


@given(st.lists(buffers(), max_size=9))
def test_neighbours_are_those_that_live_at_the_same_time(given: list[Buffer]) -> None:
    beside = FirstFit([b.size for b in given], [b.live.steps for b in given], {}).beside
    assert beside == [[k for k, b in enumerate(given) if b.live.overlaps(a.live)] for a in given]


@given(st.data(), st.lists(buffers(pins=True), min_size=1, max_size=9))
def test_after_moves_to_the_front_all_is_as_if_placed_from_the_start(
    data: st.DataObject, given: list[Buffer]
) -> None:
    sized = [b for b in given if b.size]
    pinned = {i: b.offset for i, b in enumerate(sized) if b.offset is not None}
    free = [i for i in range(len(sized)) if i not in pinned]
    order = [*pinned, *data.draw(st.permutations(free))]
    sizes = [b.size for b in sized]
    fit = FirstFit(sizes, [b.live.steps for b in sized], pinned)
    known, after = fit.offsets(order), list(order)
    assert known is not None
    moved = data.draw(st.lists(st.sampled_from(free), max_size=4, unique=True)) if free else []
    for buffer in moved:
        at = after.index(buffer)
        after.insert(data.draw(st.integers(0, at)), after.pop(at))
    high = mark(known, sizes)
    found = fit.after_moves(after, moved, known, ranks_of(order), high)
    assert found == fit.offsets(after, high)

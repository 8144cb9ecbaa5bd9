"""Small random instances and brute-force answers, in the plainest terms there are."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, pairwise, permutations, product

from hypothesis import strategies as st

from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance, Roll

UNIT = 16
SIZES = st.integers(0, 6).map(lambda units: UNIT * units)
Rank = tuple[int, int, int]


@st.composite
def buffers(draw: st.DrawFn, pins: bool = False) -> Buffer:
    start = draw(st.integers(-1, 6))
    stop = draw(st.integers(start, 7))
    offset = draw(st.none() | SIZES) if pins else None
    return Buffer(draw(SIZES), LiveRange(start, stop), offset)


@st.composite
def partition_instances(
    draw: st.DrawFn, most: int = 7, stores: int = 0, *, keeps: bool = False
) -> PartitionInstance:
    """With that many stores at most; then options come in several ways. `keeps`: some of these
    have a smaller arena, and bytes that are kept for good."""
    n = draw(st.integers(1, most))
    rooms = tuple(draw(st.lists(st.integers(0, 8), max_size=stores)))
    values = tuple(draw(st.lists(boundaries(n), max_size=4)))
    options = []
    for start, stop in combinations(range(n + 1), 2):
        for key in range(draw(st.sampled_from([0, 1, 1, 1, 2]))):
            arena, copied = draw(st.integers(0, 5)), draw(st.integers(0, 5))
            cost = draw(st.integers(-3, 5))
            apart = draw(st.sampled_from([False, False, True]))
            by_rows, low = (
                apart and draw(st.booleans()),
                draw(st.sampled_from([False, False, True])),
            )
            option = Option(
                start, stop, 16 * arena, cost, copied, key, apart, by_rows=by_rows, low=low
            )
            rolls = draw(rolls_of(option, values)) if apart else ()
            option = replace(option, rolls=rolls)
            options += draw(ways_of(option, len(rooms), keeps=keeps))
    return PartitionInstance(n, tuple(options), values, draw(goals(n)), rooms)


@st.composite
def ways_of(draw: st.DrawFn, option: Option, stores: int, *, keeps: bool) -> list[Option]:
    """The option, and what it costs where it stores or keeps something."""
    amounts = st.lists(st.integers(0, 4), min_size=stores, max_size=stores).map(tuple)
    ways = [option] if draw(st.booleans()) or not stores else []
    for way in range(1, 1 + draw(st.integers(0, 2)) if stores else 1):
        cheaper = option.cost - draw(st.integers(0, 3))
        ways.append(replace(option, cost=cheaper, way=way, stored=draw(amounts)))
    for way in range(3, 3 + draw(st.integers(0, 2)) if keeps else 3):
        arena = UNIT * draw(st.integers(0, option.arena_bytes // UNIT))
        cheaper, kept = option.cost - draw(st.integers(0, 3)), UNIT * draw(st.integers(0, 3))
        ways.append(replace(option, arena_bytes=arena, cost=cheaper, way=way, kept=kept))
    return ways


@st.composite
def rolls_of(draw: st.DrawFn, option: Option, values: Sequence[Boundary]) -> tuple[Roll, ...]:
    """Pairs of what the option reads last and what it makes, with any lead that is possible."""
    items = range(option.start, option.stop)
    read = [
        index
        for index, value in enumerate(values)
        if not value.is_result
        and (not option.by_rows if value.first_item is None else value.first_item < option.start)
        and any(item in items for item in value.readers)
        and max(value.readers) < option.stop
    ]
    made = [
        index
        for index, value in enumerate(values)
        if value.first_item in items and (value.is_result or max(value.readers) >= option.stop)
    ]
    count = draw(st.integers(0, min(len(read), len(made))))
    pairs = zip(draw(st.permutations(read)), draw(st.permutations(made)), strict=False)
    return tuple(
        Roll(a, b, UNIT * draw(st.integers(0, values[b].size // UNIT)))
        for a, b in list(pairs)[:count]
    )


@st.composite
def goals(draw: st.DrawFn, n: int) -> Goal:
    weights = draw(st.sampled_from([(1, 0), (0, 1), (1, 1), (1, 16), (3, 7)]))
    return Goal(
        *weights,
        capacity=draw(st.none() | st.integers(0, 16).map(lambda units: 16 * units)),
        max_cost=draw(st.none() | st.integers(0, 12)),
        max_segments=draw(st.none() | st.integers(1, n)),
    )


def with_goal(instance: PartitionInstance, **changes: int | None) -> PartitionInstance:
    """The instance with some fields of its goal changed."""
    return replace(instance, goal=replace(instance.goal, **changes))


@st.composite
def boundaries(draw: st.DrawFn, n: int) -> Boundary:
    first = draw(st.none() | st.integers(0, n - 1))
    low = 0 if first is None else first + 1
    is_result = low == n or (first is not None and draw(st.booleans()))
    items = st.integers(low, n - 1) if low < n else st.nothing()
    least = 0 if is_result else 1
    readers = draw(st.sets(items, min_size=least, max_size=3)) if low < n else set()
    return Boundary(draw(SIZES), first, tuple(sorted(readers)), is_result)


def least_mark(instance: PackingInstance) -> int | None:
    """Least high-water mark; None if the pins clash.

    Some order of placing, each buffer into its lowest fit beside the pins, is optimal.
    """
    pinned = [(b, b.offset) for b in instance.buffers if b.offset is not None and b.size]
    free = [b for b in instance.buffers if b.offset is None and b.size]
    if any(clash(a, x, b, y) for (a, x), (b, y) in combinations(pinned, 2)):
        return None
    zero = max((b.offset or 0 for b in instance.buffers if not b.size), default=0)
    marks = []
    for order in permutations(free):
        placed = list(pinned)
        for buffer in order:
            spots = sorted({0, *(x + b.size for b, x in placed)})
            fits = (s for s in spots if not any(clash(buffer, s, b, x) for b, x in placed))
            placed.append((buffer, next(fits)))
        marks.append(max((x + b.size for b, x in placed), default=0))
    return max(min(marks), zero)


def clash(a: Buffer, x: int, b: Buffer, y: int) -> bool:
    return a.live.overlaps(b.live) and x < y + b.size and y < x + a.size


def all_choices(instance: PartitionInstance) -> Iterator[tuple[Option, ...]]:
    for count in range(instance.n):
        for cuts in combinations(range(1, instance.n), count):
            ends = (0, *cuts, instance.n)
            options = [
                [o for o in instance.options if (o.start, o.stop) == (a, b)]
                for a, b in pairwise(ends)
            ]
            yield from product(*options)


def segments_ram(instance: PartitionInstance, options: Sequence[Option]) -> list[int]:
    """ram of each segment, tensor by tensor, from the words of the definition."""
    rams = []
    for option in options:
        through = in_ = out = own = 0
        for value in instance.boundaries:
            born = min(value.readers) if value.first_item is None else value.first_item
            before = option.start > born
            within = [item for item in value.readers if option.start <= item < option.stop]
            later = [item for item in value.readers if item >= option.stop]
            if value.first_item is None:
                through += value.size if later and (before or within) else 0
                in_ += value.size if before and within and not later else 0
            else:
                made_here = option.start <= value.first_item < option.stop
                through += value.size if before and later else 0
                in_ += value.size if before and within and not later else 0
                out += value.size if made_here and later else 0
            outer = value.is_result or (value.first_item is None and not option.by_rows)
            here = option.start <= born < option.stop
            own += value.size if outer and here and not later else 0
        both = in_ + out + own if option.apart else max(in_, out)
        for roll in option.rolls:
            read, made = (instance.boundaries[i].size for i in (roll.read, roll.made))
            both -= read + made - max(roll.lead + read, made)
        rams.append(option.arena_bytes + through + both)
    return rams


def least_region(instance: PartitionInstance, options: Sequence[Option]) -> int:
    """The smallest region of these options, by trying every place of every value on the grid."""
    segment_of = [k for k, o in enumerate(options) for _ in range(o.start, o.stop)]
    values = {}
    for index, value in enumerate(instance.boundaries):
        users = [segment_of[item] for item in value.readers]
        if value.first_item is not None:
            users.append(segment_of[value.first_item])
        first, last = min(users), max(users)
        late = value.first_item is not None and not options[first].apart
        live = LiveRange(2 * first + late, 2 * last + (2 if options[last].apart else 1))
        outer = value.is_result or (value.first_item is None and not options[first].by_rows)
        if value.size and (first < last or (outer and options[first].apart)):
            values[index] = Buffer(value.size, live)
    region = max(segments_ram(instance, options))
    while not placeable(values, options, {}, region):
        region += UNIT
    return region


def placeable(
    values: Mapping[int, Buffer], options: Sequence[Option], placed: dict[int, int], region: int
) -> bool:
    """Whether the rest of the values, by index, finds places, and then every arena a gap."""
    left = [index for index in values if index not in placed]
    if not left:
        every = [(values[index], offset) for index, offset in placed.items()]
        return all(has_gap(k, o, every, region) for k, o in enumerate(options))
    index = left[0]
    for offset in range(0, region - values[index].size + 1, UNIT):
        found = {**placed, index: offset}
        is_free = not any(
            clash(values[index], offset, values[other], x) and not is_rolled(options, found, other)
            for other, x in placed.items()
        )
        if is_free and placeable(values, options, found, region):
            return True
    return False


def is_rolled(options: Sequence[Option], offsets: Mapping[int, int], other: int) -> bool:
    """Whether the value placed last may share bytes with that other one."""
    pair = {other, next(reversed(list(offsets)))}
    return any(
        {roll.read, roll.made} == pair and offsets[roll.read] - offsets[roll.made] >= roll.lead
        for option in options
        for roll in option.rolls
    )


def has_gap(
    segment: int, option: Option, placed: Sequence[tuple[Buffer, int]], region: int
) -> bool:
    live, size = LiveRange(2 * segment, 2 * segment + 2), option.arena_bytes
    held = sorted((x, x + b.size) for b, x in placed if b.live.overlaps(live))
    low = 0
    for start, stop in [*held, (region, region)]:
        if start - low >= size:
            return True
        if option.low:
            return False
        low = max(low, stop)
    return False


def fits_stores(instance: PartitionInstance, options: Sequence[Option]) -> bool:
    """Store by store, the bytes of all options."""
    return all(
        sum(option.stored[k] for option in options if option.stored) <= room
        for k, room in enumerate(instance.stores)
    )


def best_rank(instance: PartitionInstance) -> Rank | None:
    """Least (weighted sum, segments, copied bytes) over real plans; None: there is none."""
    goal = instance.goal
    most = math.inf if goal.capacity is None else goal.capacity
    best: Rank | None = None
    for options in all_choices(instance):
        cost = sum(option.cost for option in options)
        if goal.max_segments is not None and len(options) > goal.max_segments:
            continue
        if goal.max_cost is not None and cost > goal.max_cost:
            continue
        if not fits_stores(instance, options):
            continue
        kept = sum(option.kept for option in options)
        ties = len(options), sum(option.copied_bytes for option in options)
        least = max(segments_ram(instance, options)) + kept  # no region is smaller
        weighted = goal.cost_weight * cost
        rank: Rank = (goal.ram_weight * least + weighted, *ties)
        if least > most or (best is not None and rank >= best):
            continue
        peak = least_region(instance, options) + kept
        rank = (goal.ram_weight * peak + weighted, *ties)
        if peak <= most and (best is None or rank < best):
            best = rank
    return best

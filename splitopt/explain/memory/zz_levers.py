"""What could bring the peak down further, each with the most that it is worth in bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from splitopt.base.units import ARENA_ALIGNMENT, align_up, format_bytes, format_kinsn, plural
from splitopt.explain.memory.floor import FloorFact
from splitopt.explain.memory.live_ram import Ram
from splitopt.explain.memory.pieces import LiveTensor
from splitopt.planning.lowest_peak import MORE_TIME, Rung
from splitopt.planning.zz_least import LeastPeak


@dataclass(frozen=True)
class Lever:
    """`worth_bytes`: at most so much less peak RAM, everything else left as it is.

    `code` is stable, for programs.
    """

    code: str
    worth_bytes: int
    sentence: str
    next_step: str


@dataclass(frozen=True)
class _Part:
    """RAM of one piece, and what of it goes to holes and to the tail."""

    ram_bytes: int
    fragmentation_bytes: int
    tail_bytes: int


def levers(
    ram: Ram, least: LeastPeak | None, rungs: Sequence[Rung], floor: FloorFact
) -> tuple[Lever, ...]:
    """The one that is worth most first. All but `cuts` start from the best split, if it helps."""
    is_cut = least is not None and least.peak_ram_bytes < ram.ram_bytes
    parts = [_Part(ram.ram_bytes, ram.fragmentation_bytes, ram.tail_bytes)]
    if least is not None and is_cut:
        parts = [_Part(p.ram_bytes, p.fragmentation_bytes, p.tail_bytes) for p in least.pieces]
    where = "in the best split" if is_cut else "unsplit"
    found = [
        *_cuts(ram, least),
        *_below_cuts(rungs, _least(ram, least)),
        _floor(floor, _least(ram, least)),
        *_parts(parts, where),
    ]
    found.append(_headroom(ram))
    return tuple(sorted(found, key=lambda lever: -lever.worth_bytes))


def _least(ram: Ram, least: LeastPeak | None) -> int:
    return ram.ram_bytes if least is None else least.peak_ram_bytes


def _cuts(ram: Ram, least: LeastPeak | None) -> Iterator[Lever]:
    if least is None:
        return
    worth = max(0, ram.ram_bytes - least.peak_ram_bytes)
    proof = "proved" if least.is_proved else "the best found in time, unproved"
    if not worth:
        sentence = f"no set of cuts gets below the unsplit model ({proof})"
        yield Lever("cuts", 0, sentence, "change the model, or pick another board")
        return
    yield Lever(
        "cuts",
        worth,
        f"cuts alone reach {format_bytes(least.peak_ram_bytes)} in "
        f"{plural(len(least.pieces), 'piece')} ({proof})",
        f"splitopt run; an estimated {format_kinsn(least.added_insn)} are added to each inference",
    )


def _below_cuts(rungs: Sequence[Rung], least_bytes: int) -> Iterator[Lever]:
    """What exact offline plans and bands get below the best cuts, with its price."""
    by_code = {rung.code: rung for rung in rungs}
    for code, words in (("offline_plans", "exact offline plans"), ("bands", "row bands")):
        rung, within = by_code.get(code), by_code.get(f"{code}_within")
        if rung is None:
            continue
        worth = max(0, least_bytes - rung.peak_ram_bytes)
        proof = "proved" if rung.is_proved else "unproved"
        if not worth:
            sentence = f"{words} get nothing below {format_bytes(least_bytes)} ({proof})"
            yield Lever(code, 0, sentence, "none")
            continue
        sentence = f"{words} reach {format_bytes(rung.peak_ram_bytes)} ({proof})"
        if within is not None and within.peak_ram_bytes < least_bytes:
            sentence += (
                f", and {format_bytes(within.peak_ram_bytes)} for at most {MORE_TIME} % of Invoke "
                "more than the best cuts"
            )
        yield Lever(code, worth, sentence, "splitopt run with that as budget_bytes; splitopt sweep")


def _floor(floor: FloorFact, least_bytes: int) -> Lever:
    """The largest thing alive at the floor taken away: the same op, or another, sets it then."""
    largest = floor.alive[0] if floor.alive else None
    if largest is None:
        return Lever("floor_op", 0, f"{floor.name} sets the floor, with nothing alive", "none")
    held = sum(item.size_bytes for item in floor.alive if item is largest or _same(item, largest))
    rest = floor.least_ram_bytes - align_up(held, ARENA_ALIGNMENT)
    after, op = rest, "it would still need"
    if floor.next_op is not None and floor.next_ram_bytes > rest:
        after, op = floor.next_ram_bytes, f"{floor.next_op} would set the floor at"
    return Lever(
        "floor_op",
        max(0, least_bytes - after),
        f"{floor.name} sets the floor; the largest of what is alive there is {largest.name}, "
        f"{format_bytes(largest.size_bytes)}, held during ops {floor.held_start} to "
        f"{floor.held_stop - 1}; without it {op} {format_bytes(after)}",
        "use fewer input channels or a smaller kernel"
        if largest.tensor is None
        else "lower its resolution or its channels",
    )


def _same(item: LiveTensor, other: LiveTensor) -> bool:
    """A tensor can be there twice: in the arena, and kept for later outside it."""
    return item.tensor is not None and item.tensor == other.tensor


def _parts(parts: Sequence[_Part], where: str) -> Iterator[Lever]:
    """What the peak of the same pieces would be without holes, and without tails."""
    peak = max(part.ram_bytes for part in parts)
    worst = max(parts, key=lambda part: part.ram_bytes)
    whole = max(part.ram_bytes - part.fragmentation_bytes for part in parts)
    yield Lever(
        "fragmentation",
        peak - whole,
        f"TFLM's greedy planner leaves holes of {format_bytes(worst.fragmentation_bytes)} in the "
        f"piece that sets the peak {where}",
        "make the tensors that are alive together alike in size",
    )
    without_tail = max(part.ram_bytes - part.tail_bytes for part in parts)
    share = 100 * worst.tail_bytes / worst.ram_bytes if worst.ram_bytes else 0.0
    yield Lever(
        "tail",
        peak - without_tail,
        f"persistent data are {format_bytes(worst.tail_bytes)}, {share:.1f} % of the peak {where}",
        "use fewer channels, tensors and ops: it does not depend on resolution",
    )


def _headroom(ram: Ram) -> Lever:
    return Lever(
        "headroom",
        ram.headroom_bytes,
        f"the board adds a headroom of {format_bytes(ram.headroom_bytes)} to every arena",
        "lower headroom_bytes once the pieces have run on the board",
    )

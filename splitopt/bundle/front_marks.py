"""What stands out on a Pareto front of peak RAM and added instructions, and what budgets cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from splitopt.bundle.schema.sweep import BudgetCost, Mark, PlannedRecord
from splitopt.config.board import Board

KIB = 1024
ROUND_BUDGETS = tuple(
    sorted({(2 << k) * KIB for k in range(20)} | {(3 << k) * KIB for k in range(19)})
)
"""4, 6, 8, 12, 16 KiB and so on."""


def _by_price(point: PlannedRecord) -> tuple[int, int, int]:
    return point.added_insn, point.peak_ram_bytes, point.pieces


def _by_peak(point: PlannedRecord) -> tuple[int, int, int]:
    return point.peak_ram_bytes, point.added_insn, point.pieces


def cheapest_within(points: Sequence[PlannedRecord], budget_bytes: int) -> PlannedRecord | None:
    """The least added instructions, then the lowest peak, then the fewest pieces."""
    fitting = [point for point in points if point.peak_ram_bytes <= budget_bytes]
    return min(fitting, key=_by_price, default=None)


def budget_costs(points: Sequence[PlannedRecord]) -> Iterator[BudgetCost]:
    """Round budgets below the unsplit model, rising; one that buys what a smaller one buys, too,
    is left out."""
    last = None
    for budget in ROUND_BUDGETS:
        point = cheapest_within(points, budget)
        if point is None or point is last or budget >= point.unsplit_ram_bytes:
            continue
        last = point
        yield BudgetCost(budget_bytes=budget, point=point.id, added_insn=point.added_insn)


def marks_of(
    points: Sequence[PlannedRecord], boards: Sequence[Board], swept: Board
) -> Iterator[Mark]:
    """`fits`: the cheapest within each of `boards` that has the arena rules of the one that was
    `swept`, no more headroom and its memories; then `balanced`, `knee` and `smallest`."""
    for board in sorted(boards, key=lambda board: -board.budget_bytes):
        if _has_all_of(board, swept):
            point = cheapest_within(points, board.budget_bytes)
            yield Mark(
                mark="fits",
                point=None if point is None else point.id,
                board=board.name,
                budget_bytes=board.budget_bytes,
            )
    if not points:
        return
    balanced = _balanced(points)
    if balanced is not None:
        yield Mark(mark="balanced", point=balanced.id)
    knee = _knee(points)
    if knee is not None:
        yield Mark(mark="knee", point=knee.id)
    least = min(points, key=_by_peak)
    yield Mark(mark="smallest", point=least.id)


def _has_all_of(board: Board, swept: Board) -> bool:
    """Whether plans for `swept` run on the board, too, if only it has the RAM."""
    same_rules = board.abi == swept.abi and board.headroom_bytes <= swept.headroom_bytes
    return same_rules and set(swept.memories) <= set(board.memories)


def _balanced(points: Sequence[PlannedRecord]) -> PlannedRecord | None:
    """The least sum of peak RAM as a share of the unsplit peak and added instructions as a share of
    the unsplit Invoke; None where Invoke has no estimate."""
    whole, invoke = points[0].unsplit_ram_bytes, points[0].estimated_invoke_insn
    if not invoke or not whole:
        return None
    return min(points, key=lambda p: p.peak_ram_bytes * invoke + p.added_insn * whole)


def _knee(points: Sequence[PlannedRecord]) -> PlannedRecord | None:
    """The point that lies farthest below the straight line between the ends of the front (Das,
    "On characterizing the knee of the Pareto curve based on normal-boundary intersection",
    Structural Optimization 18, 1999); None where none does."""
    cheap = min(points, key=_by_price)
    small = min(points, key=_by_peak)
    ram = cheap.peak_ram_bytes - small.peak_ram_bytes
    insn = small.added_insn - cheap.added_insn
    if not ram or not insn:
        return None

    def above(point: PlannedRecord) -> int:
        """The sum of both as shares of their range, times both ranges: the line is at 1."""
        more_ram = point.peak_ram_bytes - small.peak_ram_bytes
        return more_ram * insn + (point.added_insn - cheap.added_insn) * ram

    best = min(points, key=above)
    return best if above(best) < ram * insn else None

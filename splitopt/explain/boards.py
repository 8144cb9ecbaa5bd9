"""Which of the known boards the model fits: as it is, and split in the best way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from splitopt.bundle.schema.explain import BoardFit, Verdict
from splitopt.config.board import Board, readable_boards


@dataclass(frozen=True)
class Need:
    """What a model needs under one ABI's arena rules, without headroom, which is the same for
    every piece. `split_bytes` is None where no cuts are known."""

    unsplit_bytes: int
    split_bytes: int | None


def board_fits(job_folder: Path, need: Callable[[str], Need]) -> tuple[BoardFit, ...]:
    """Every known board by rising budget; `need`: ABI → what is needed.

    Headroom is added to every arena alike, so that the best cuts are the same with any of it.
    Broken files are left out: `splitopt boards` says what is wrong with them.
    """
    found = (_fit(board, need(board.abi)) for board in readable_boards(job_folder))
    return tuple(sorted(found, key=lambda fit: (fit.budget_bytes, fit.board)))


def _fit(board: Board, need: Need) -> BoardFit:
    headroom, budget = board.headroom_bytes, board.budget_bytes
    unsplit = need.unsplit_bytes + headroom
    split = None if need.split_bytes is None else need.split_bytes + headroom
    return BoardFit(
        board=board.name,
        budget_bytes=budget,
        headroom_bytes=headroom,
        unsplit_bytes=unsplit,
        split_bytes=split,
        verdict=_verdict(board, unsplit, split),
    )


def _verdict(board: Board, unsplit: int, split: int | None) -> Verdict:
    if unsplit <= board.budget_bytes:
        return "fits unsplit"
    if split is not None and split <= board.budget_bytes:
        return "fits split"
    return "does not fit its main SRAM alone" if board.memories else "does not fit"

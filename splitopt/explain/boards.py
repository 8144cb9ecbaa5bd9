"""Which of the known boards the model fits: as it is, and cut in the best way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from splitopt.base.errors import UsageError
from splitopt.config.board import Board, list_boards, read_board


@dataclass(frozen=True)
class Need:
    """What a model needs under one ABI's arena rules, without headroom, which is the same for
    every piece. `split_bytes` is None where no cuts are known."""

    unsplit_bytes: int
    split_bytes: int | None


@dataclass(frozen=True)
class BoardFit:
    """One board: its budget, and what the model needs on it, headroom included."""

    board: str
    budget_bytes: int
    headroom_bytes: int
    unsplit_bytes: int
    split_bytes: int | None

    @property
    def fits_unsplit(self) -> bool:
        return self.unsplit_bytes <= self.budget_bytes

    @property
    def fits_split(self) -> bool:
        """Cut or not."""
        is_cut_fit = self.split_bytes is not None and self.split_bytes <= self.budget_bytes
        return self.fits_unsplit or is_cut_fit

    @property
    def verdict(self) -> str:
        if self.fits_unsplit:
            return "fits unsplit"
        return "fits split" if self.fits_split else "does not fit"


def board_fits(job_folder: Path, need: Callable[[str], Need]) -> tuple[BoardFit, ...]:
    """Every known board by rising budget; `need`: ABI → what is needed. Broken files are left out.

    Headroom is added to every arena alike, so that the best cuts are the same with any of it.
    """
    found = [_fit(board, need(board.abi)) for board in _boards(job_folder)]
    return tuple(sorted(found, key=lambda fit: (fit.budget_bytes, fit.board)))


def _boards(job_folder: Path) -> list[Board]:
    found = []
    for path in list_boards(job_folder).values():
        try:
            found.append(read_board(path))
        except UsageError:  # `splitopt boards` says what is wrong with it
            continue
    return found


def _fit(board: Board, need: Need) -> BoardFit:
    headroom, split = board.headroom_bytes, need.split_bytes
    return BoardFit(
        board=board.name,
        budget_bytes=board.budget_bytes,
        headroom_bytes=headroom,
        unsplit_bytes=need.unsplit_bytes + headroom,
        split_bytes=None if split is None else split + headroom,
    )

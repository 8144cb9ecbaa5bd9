"""A board: how much SRAM there is, what is not ours, and which arena rules hold."""

from __future__ import annotations

import contextlib
import difflib
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from splitopt.base.errors import UsageError
from splitopt.base.yaml_input import Strict, read_yaml
from splitopt.config.size import Size
from splitopt.config.target import LISTED, TflmSpec, anchored_tflm

MAX_RAM_BYTES = 1 << 31
_SUFFIXES = (".yaml", ".yml")
Bytes = Annotated[int, Field(ge=0, le=MAX_RAM_BYTES), Size()]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


PACKAGED = Path(__file__).resolve().parents[1] / "data"
"""What travels with splitopt: boards, and the job and the model of `splitopt demo`."""


def _without_arenas(holds: object) -> object:
    """Raises ValueError where arenas are among what a memory holds."""
    if isinstance(holds, list | tuple) and "arena" in holds:
        raise ValueError(
            "no arena: kernels work in arenas, and what that takes in another memory is not known "
            "for any op; describe a board of its own whose sram_bytes are those of this memory"
        )
    return holds


class MemorySpec(Strict):
    """A memory beside the main SRAM."""

    name: Name
    bytes: Annotated[int, Field(gt=0, le=MAX_RAM_BYTES), Size()]
    reserved_bytes: Annotated[
        Bytes, Field(description="Taken by the application, or by the program.")
    ] = 0
    holds: Annotated[
        tuple[Literal["tails", "saved_tails", "boundary", "model_input"], ...],
        BeforeValidator(_without_arenas),
        LISTED,
        Field(
            min_length=1,
            description="What plans may keep in it: tails of resident pieces, or saved ones that "
            "are copied back; boundary tensors; the model's inputs.",
        ),
    ]
    written: Annotated[
        Literal["always", "start_up"],
        Field(description="start_up: MRAM or flash, written through a callback of the runner."),
    ]
    read_cost: Annotated[
        float,
        Field(
            ge=1,
            le=1000,
            strict=False,
            description="Instructions to copy a byte from it, relative to the main SRAM.",
        ),
    ] = 1.0
    write_cost: Annotated[
        float,
        Field(
            ge=1,
            le=1000,
            strict=False,
            description="Instructions to copy a byte to it, relative to the main SRAM.",
        ),
    ] = 1.0

    @model_validator(mode="after")
    def _something_is_left(self) -> MemorySpec:
        if self.reserved_bytes >= self.bytes:
            raise ValueError(f"reserved_bytes below bytes ({self.bytes}); nothing is left")
        changing = [what for what in self.holds if what != "saved_tails"]
        if changing and self.written != "always":
            raise ValueError(
                f"written: always where it holds {changing[0]}, which changes at each inference; "
                "what is written at start-up only holds saved_tails"
            )
        return self


class Board(Strict):
    """A board with a Cortex-M55: its SRAM, how much of it is free, and its arena rules."""

    name: Name
    description: str = ""
    source: Annotated[str, Field(description="Where the figures come from.")] = ""
    cpu: Literal["cortex-m55"] = "cortex-m55"
    sram_bytes: Annotated[
        int,
        Field(gt=0, le=MAX_RAM_BYTES, description="One contiguous region of SRAM."),
        Size(),
    ]
    reserved_bytes: Annotated[
        Bytes, Field(description="Taken by stack and application; the rest is the budget.")
    ] = 0
    memories: Annotated[
        tuple[MemorySpec, ...],
        LISTED,
        Field(max_length=8, description="Beside the main SRAM; arenas are not in them."),
    ] = ()
    headroom_bytes: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_RAM_BYTES,
            multiple_of=16,
            description="Added to every arena; a multiple of 16.",
        ),
        Size(),
    ] = 1024
    clock_hz: Annotated[int, Field(gt=0, le=10**11)] | None = None
    abi: Annotated[
        Literal["m55", "x86_64"],
        Field(description="Whose arena rules hold: m55, or x86_64 for the tflite-micro wheel."),
    ] = "m55"
    tflm: Annotated[
        TflmSpec | None,
        Field(description="Your TFLM library for it, which simulators need."),
    ] = None

    @model_validator(mode="after")
    def _something_is_left(self) -> Board:
        if self.reserved_bytes >= self.sram_bytes:
            raise ValueError(
                f"reserved_bytes below sram_bytes ({self.sram_bytes}); nothing is left to plan with"
            )
        names = [memory.name for memory in self.memories]
        if len({re.sub("[^a-z0-9]", "", name.lower()) for name in names}) < len(names):
            raise ValueError(
                "each of memories by a name of its own, of which letters and digits differ, got "
                f"{', '.join(names)}"
            )
        return self

    def holds(self, what: str) -> bool:
        """Whether some memory does."""
        return any(what in memory.holds for memory in self.memories)

    @property
    def budget_bytes(self) -> int:
        """What arena and boundary buffer may take together."""
        return self.sram_bytes - self.reserved_bytes


def board_folders(job_folder: Path | None = None) -> list[Path]:
    """Where board names are looked up: beside the job, in ./configs, in splitopt itself."""
    beside = [] if job_folder is None else [job_folder.resolve().parent / "boards"]
    folders = [*beside, Path("configs/boards"), PACKAGED / "boards"]
    return [folder for folder in folders if folder.is_dir()]


def find_board(reference: str, job_folder: Path) -> Path:
    """A board's file, by name or by path. Raises UsageError with the nearest names."""
    if reference.endswith(_SUFFIXES):
        return job_folder / reference
    boards = list_boards(job_folder)
    if reference not in boards:
        file = next(
            (f"{reference}{end}" for end in _SUFFIXES if Path(f"{reference}{end}").is_file()), ""
        )
        near = [file] if file else difflib.get_close_matches(reference, boards, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known boards: {', '.join(boards)}"
        raise UsageError(f"$.board: no board {reference!r}; {hint} (see splitopt boards)")
    return boards[reference]


def list_boards(job_folder: Path | None = None) -> dict[str, Path]:
    """Name → file, nearest folder first."""
    found: dict[str, Path] = {}
    for folder in board_folders(job_folder):
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def known_boards() -> tuple[Board, ...]:
    """The boards that a job can name, by name. Raises UsageError."""
    return tuple(read_board(path) for path in list_boards().values())


def readable_boards(job_folder: Path) -> tuple[Board, ...]:
    """The boards that a job beside this path can name, without those whose files are broken:
    `splitopt boards` says what is wrong with them."""
    found = []
    for path in list_boards(job_folder).values():
        with contextlib.suppress(UsageError):
            found.append(read_board(path))
    return tuple(found)


def read_board(path: Path) -> Board:
    """The board, with absolute paths to the TFLM library that it may name. Raises UsageError."""
    board = read_yaml(path, Board)
    return board.model_copy(update={"tflm": board.tflm and anchored_tflm(board.tflm, path.parent)})


def from_here(reference: str) -> str:
    """A board as a caller names it: the path of a file is one from the working folder."""
    return str(Path(reference).absolute()) if reference.endswith(_SUFFIXES) else reference

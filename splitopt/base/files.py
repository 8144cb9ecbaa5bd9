"""The user's files and folders: what is read is bounded, what is there is never overwritten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from splitopt.base.errors import ToolError, UsageError


def refuse_to_overwrite(folder: Path, names: Iterable[str]) -> None:
    """Raises UsageError where a file of that name stands in the folder already."""
    for name in names:
        if (folder / name).exists() or (folder / name).is_symlink():
            raise UsageError(f"{folder / name}: already exists; pass another --out")


def write_new_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Writes name → text, all of them or, where one of them exists, none.

    Raises UsageError where a file already exists, ToolError where none can be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        refuse_to_overwrite(folder, texts)
        for name, text in texts.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except FileExistsError as error:
        raise UsageError(
            f"{error.filename or folder}: already exists; pass another --out"
        ) from error
    except OSError as error:
        raise ToolError(
            f"{folder}: cannot be written ({error.strerror}); pass another --out"
        ) from error


def read_text(path: Path, most_bytes: int, wanted: str) -> str:
    """A text file of at most that many bytes; `wanted` says what it should be.

    Raises UsageError for a file that is absent, too large, or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
        if len(data) > most_bytes:
            raise UsageError(f"{path}: over {most_bytes:,} bytes; want {wanted}")
        return data.decode("utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not text; want {wanted}") from error

"""The user's files and folders: what is read is bounded, what is there is never overwritten."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from io import BufferedReader
from pathlib import Path

from splitopt.base.errors import SplitoptError, ToolError, UsageError

_NOT_A_FILE = "not a file"


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


def open_file(path: Path) -> BufferedReader:
    """A regular file, open for reading. Raises OSError, also for pipes, devices and folders, of
    which none is waited for or read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, str(error), str(path)) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, _NOT_A_FILE, str(path))
    return os.fdopen(handle, "rb")


def read_file(
    path: Path, most_bytes: int, refusal: type[SplitoptError] = UsageError, wanted: str = ""
) -> bytes:
    """The bytes of a regular file, at most that many.

    Raises `refusal` where there are more, or it cannot be read; `wanted` says what it should be.
    """
    hint = f"; want {wanted}" if wanted else ""
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            data = b"" if size > most_bytes else file.read(most_bytes + 1)
    except OSError as error:
        why = error.strerror
        said = _NOT_A_FILE if why == _NOT_A_FILE else f"cannot be read ({why})"
        raise refusal(f"{path}: {said}{hint}") from error
    if max(size, len(data)) > most_bytes:
        raise refusal(f"{path}: larger than {most_bytes:,} bytes; not read{hint}")
    return data


def read_text(path: Path, most_bytes: int, wanted: str) -> str:
    """A text file of at most that many bytes; `wanted` says what it should be.

    Raises UsageError for a file that is absent, too large, or not UTF-8.
    """
    try:
        return read_file(path, most_bytes, wanted=wanted).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not text; want {wanted}") from error

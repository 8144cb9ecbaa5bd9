"""Untrusted JSON files → plain data, bounded in size and depth."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from splitopt.base.errors import UsageError
from splitopt.base.files import read_file

MAX_JSON_BYTES = 16 << 20
_DEEPEST = 64
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def load_json(path: Path, most_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """The object that a file holds, with tuples for lists. Raises UsageError on anything else."""
    return _object(_read(path, most_bytes), str(path))


def load_json_lines(
    path: Path, most_bytes: int, most_lines: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of a file that has one in each line, and where it stands. Raises UsageError."""
    lines = _read(path, most_bytes).splitlines()
    if len(lines) > most_lines:
        raise UsageError(f"{path}: more than {most_lines:,} lines; not read")
    for number, line in enumerate(lines, start=1):
        if line.strip():
            where = f"{path}, line {number}"
            yield where, _object(line, where)


def frozen(value: Any, depth: int = 0) -> Any:
    """Plain data with tuples for lists.

    Raises ValueError where it is nested too deeply, and for strings that no file can hold.
    """
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        value.encode("utf-8")  # refuses halves of surrogate pairs
    if isinstance(value, dict):
        return {frozen(key): frozen(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(frozen(item, depth + 1) for item in value)
    return value


def _read(path: Path, most_bytes: int) -> bytes:
    if not path.exists():
        raise UsageError(f"{path}: no such file")
    return read_file(path, most_bytes)


def parse_json(data: bytes, where: str) -> dict[str, Any]:
    """The object that JSON text holds. Raises UsageError on anything else."""
    try:
        _refuse_depths(data)
        document = json.loads(data, parse_constant=_refuse_constant)
        if not isinstance(document, dict):
            raise ValueError("it holds no object")
    except ValueError as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UsageError(f"{where}: not a whole JSON document ({reason})") from error
    return document


def _object(data: bytes, where: str) -> dict[str, Any]:
    try:
        held: dict[str, Any] = frozen(parse_json(data, where))
    except ValueError as error:
        raise UsageError(f"{where}: not a whole JSON document ({error})") from error
    return held


def _refuse_depths(data: bytes) -> None:
    """Raises ValueError for deep nests before the parser, which recurses, meets them."""
    depth = 0
    for token in _BRACKETS.finditer(data):
        bracket = token.group()
        if bracket in b"[{":
            depth += 1
        elif bracket in b"]}":
            depth -= 1
        if depth > _DEEPEST:
            raise ValueError(f"nested more than {_DEEPEST} deep")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")

"""JSON files from strangers → plain data of a known shape, within limits, or one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from splitopt.base.errors import UsageError
from splitopt.base.json_input import parse_json
from splitopt.base.yaml_input import check

MOST_BYTES = 64 << 20


def read_document(path: Path, shape: type[BaseModel], most_bytes: int = MOST_BYTES) -> Any:
    """The document itself, once it has the shape. Raises UsageError."""
    return parse_document(read_bytes(path, most_bytes), shape, str(path))


def read_bytes(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Raises UsageError where the file is absent, no file, or too large."""
    if not path.is_file():
        raise UsageError(f"{path}: no such file; want the folder of a finished run or sweep")
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > most_bytes:
        raise UsageError(f"{path}: larger than {most_bytes:,} bytes; no run writes such a file")
    return data


def parse_document(data: bytes, shape: type[BaseModel], where: str) -> Any:
    """Raises UsageError that names the first wrong key."""
    document = parse_json(data, where)
    check(document, shape, where=where)
    return document

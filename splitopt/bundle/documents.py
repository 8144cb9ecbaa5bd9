"""JSON of a bundle ↔ its models: the one place that parses and writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from splitopt.base.errors import UsageError
from splitopt.base.json_input import frozen, load_json
from splitopt.base.text import printable
from splitopt.base.version import VERSION
from splitopt.base.yaml_input import check
from splitopt.bundle.schema.common import SCHEMA_VERSION, Document, Shape

S = TypeVar("S", bound=Shape)
_UNPRINTABLE = re.compile(r"[^\n -~]")


def read_document(path: Path, shape: type[S], most_bytes: int = 16 << 20) -> S:
    """Raises UsageError that names file and key: it is broken, or of a newer schema version."""
    return parse_document(load_json(path, most_bytes), shape, str(path))


def parse_document(data: Mapping[str, Any], shape: type[S], where: str) -> S:
    """The model of plain data, as `read_document`."""
    if issubclass(shape, Document):
        _refuse_unknown_version(data, where)
    try:
        return check(frozen(dict(data)), shape, where=where)
    except ValueError as error:
        raise UsageError(f"{where}: not plain data ({error})") from error


def _refuse_unknown_version(data: Mapping[str, Any], where: str) -> None:
    if "schema_version" not in data:
        raise UsageError(f"{where}: $.schema_version: missing; add it")
    version = data["schema_version"]
    if type(version) is int and SCHEMA_VERSION < version < 10**6:
        writer = printable(str(data.get("splitopt", "of a later version")))
        raise UsageError(
            f"{where}: $.schema_version: got {version}, written by splitopt {writer}; this "
            f"splitopt {VERSION} reads up to {SCHEMA_VERSION}: update splitopt"
        )


def dump(shape: Shape) -> dict[str, Any]:
    """Plain data as JSON has them. Optional keys that were never set are left out."""
    data = shape.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(shape, Document):
        data = {"schema_version": SCHEMA_VERSION, "splitopt": VERSION} | {
            key: value for key, value in data.items() if key not in ("schema_version", "splitopt")
        }
    return data


def json_text(document: Any) -> str:
    """A document, or plain data."""
    data = dump(document) if isinstance(document, Shape) else document
    return _escaped(json.dumps(data, indent=1, ensure_ascii=False)) + "\n"


def _escaped(json_text: str) -> str:
    """The same JSON, with escapes for what `clean` takes out of other text."""
    return _UNPRINTABLE.sub(_escape, json_text)


def _escape(found: re.Match[str]) -> str:
    char = found.group()
    return char if char.isprintable() else json.dumps(char)[1:-1]


def row_lines(rows: Iterable[Shape]) -> str:
    """Rows one a line, each with all its keys."""
    return "".join(
        _escaped(json.dumps(row.model_dump(mode="json"), ensure_ascii=False)) + "\n" for row in rows
    )

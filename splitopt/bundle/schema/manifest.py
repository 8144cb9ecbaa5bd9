"""manifest.json: what a bundle was made from, by which versions, and what its files hash to."""

from __future__ import annotations

from pydantic import Field

from splitopt.bundle.schema.common import Document, Line, Shape, Text


class Input(Shape):
    path: Text
    sha256: Line


class Manifest(Document):
    """manifest.json. `files`: path in the bundle to SHA-256."""

    created_utc: Line
    command: tuple[Text, ...]
    seed: int
    versions: dict[Line, Line | None]
    inputs: dict[Line, Input]
    files: dict[Text, Line] = Field(default={})

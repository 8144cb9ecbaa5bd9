"""A stream as plain data and back: what goes to a child process as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from splitopt.tiling.streams.stream import Group, LineBuffer, Made, Source, Stream, View


def plain_stream(stream: Stream) -> dict[str, Any]:
    return asdict(stream)


def stream_from_plain(data: Mapping[str, Any]) -> Stream:
    """The stream of `plain_stream`, which JSON has turned into lists and dicts."""
    return Stream(
        start=data["start"],
        stop=data["stop"],
        sources=tuple(Source(**source) for source in data["sources"]),
        groups=tuple(_group(group) for group in data["groups"]),
        buffers=tuple(_buffer(buffer) for buffer in data["buffers"]),
    )


def _group(data: Mapping[str, Any]) -> Group:
    views = tuple(View(**view) for view in data["views"])
    outputs = tuple(Made(**made) for made in data["outputs"])
    return Group(**{**data, "ops": tuple(data["ops"]), "views": views, "outputs": outputs})


def _buffer(data: Mapping[str, Any]) -> LineBuffer:
    lazy = data["lazy"]
    return LineBuffer(**{**data, "lazy": None if lazy is None else tuple(lazy)})

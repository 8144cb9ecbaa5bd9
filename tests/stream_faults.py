"""Streams with one fault each: a claim that is not so, or a time, a place, a value that is another.
Some of them make the same all the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from splitopt.tiling.streams.stream import Stream

_STEPS = {
    "sources": {"rows": (-1, 1), "period": (1,), "first_tick": (-1, 1, 2)},
    "buffers": {
        "depth": (-1, 1),
        "rows": (-1, 1),
        "last_row": (-1, 1),
        "column_bytes": (-1, 1),
        "written_bytes": (-1, 1),
        "row_bytes": (-1, 1),
        "fill": (1,),
    },
    "groups": {
        "rows": (-1, 1),
        "period": (1,),
        "first_tick": (-1, 1),
        "rows_per_turn": (-1, 1),
        "dropped": (-1, 1),
    },
}


def faults(stream: Stream) -> Iterator[tuple[str, Stream]]:
    """What is wrong, and the stream."""
    for part, fields in _STEPS.items():
        for k, item in enumerate(getattr(stream, part)):
            for name, steps in fields.items():
                value = getattr(item, name)
                for step in steps if value is not None else ():
                    changed = replace(item, **{name: value + step})
                    yield f"{part} {name}", _with(stream, part, k, changed)
    yield from _of_buffers(stream)
    yield from _of_views(stream)
    yield from _of_groups(stream)


def _of_buffers(stream: Stream) -> Iterator[tuple[str, Stream]]:
    for k, buffer in enumerate(stream.buffers):
        if buffer.fill is not None:
            yield "buffers fill", _with(stream, "buffers", k, replace(buffer, fill=None))
        if buffer.lazy is None:
            yield "buffers lazy", _with(stream, "buffers", k, replace(buffer, lazy=(1, 0)))
            continue
        yield "buffers lazy", _with(stream, "buffers", k, replace(buffer, lazy=None))
        for stride, above in ((1, 0), (0, 1), (0, -1)):
            lazy = buffer.lazy[0] + stride, buffer.lazy[1] + above
            yield "buffers lazy", _with(stream, "buffers", k, replace(buffer, lazy=lazy))


def _of_views(stream: Stream) -> Iterator[tuple[str, Stream]]:
    for k, group in enumerate(stream.groups):
        for n, view in enumerate(group.views):
            for name in ("lag", "above", "stride", "rows", "repeat"):
                for step in (-1, 1):
                    value = getattr(view, name) + step
                    views = list(group.views)
                    views[n] = replace(view, **{name: value})
                    if name != "repeat" or value:
                        changed = replace(group, views=tuple(views))
                        yield f"views {name}", _with(stream, "groups", k, changed)
        if len(group.views) > 1:
            changed = replace(group, views=group.views[::-1])
            yield "views swapped", _with(stream, "groups", k, changed)
            yield (
                "views left out",
                _with(stream, "groups", k, replace(group, views=group.views[1:])),
            )


def _of_groups(stream: Stream) -> Iterator[tuple[str, Stream]]:
    groups = stream.groups
    for k, (left, right) in enumerate(pairwise(groups)):
        swapped = (*groups[:k], right, left, *groups[k + 2 :])
        yield "groups swapped", replace(stream, groups=swapped)
    for k, group in enumerate(groups):
        if len(groups) > 1:
            yield "groups left out", replace(stream, groups=groups[:k] + groups[k + 1 :])
        if len(group.ops) > 1:
            changed = replace(group, ops=group.ops[1:])
            yield "groups op left out", _with(stream, "groups", k, changed)
            changed = replace(group, ops=group.ops[::-1])
            yield "groups ops swapped", _with(stream, "groups", k, changed)
        outputs = tuple(replace(end, is_output=not end.is_output) for end in group.outputs)
        yield "groups outputs", _with(stream, "groups", k, replace(group, outputs=outputs))


def _with(stream: Stream, part: str, number: int, item: Any) -> Stream:
    items = list(getattr(stream, part))
    items[number] = item
    return replace(stream, **{part: tuple(items)})

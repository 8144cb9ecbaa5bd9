"""Draws docs/images/arena.svg: head, tail and temp of two models, to scale.

    python tests/arena_picture.py

Needs ad01 of mlcommons/tiny beside the checkout. `tests/test_figures_page.py` says whether the
file is what is drawn now.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from needs import find_model

from splitopt.arena.replay import Arena
from splitopt.arena.rules import target_rules
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.unsplit import unsplit

FILE = Path(__file__).resolve().parents[1] / "docs" / "images" / "arena.svg"
MODELS = "squeeze_digits_int8", "ad01_int8"
_HEIGHT, _TOP, _WIDTH = 330, 66, 132
_STYLE = """
svg { background: #fff; color: #1b1f24; font: 13px sans-serif; }
text { fill: currentColor; } .dim { fill: #57606a; } .b { font-weight: 600; font-size: 14px; }
rect { stroke: #57606a; } line { stroke: #57606a; }
.head { fill: #a8d0ff; } .tail { fill: #dcc2ff; } .temp { fill: #ffcf8f; stroke-dasharray: 4 2; }
.free { fill: none; stroke-dasharray: 2 3; } .used { stroke: #a40e26; stroke-width: 2; }
.red { fill: #a40e26; }
@media (prefers-color-scheme: dark) {
  svg { background: #1b1f2a; color: #e6edf3; } .dim { fill: #a5b0bd; }
  rect, line { stroke: #a5b0bd; }
  .head { fill: #1f5a96; } .tail { fill: #68449c; } .temp { fill: #8a5a10; } .red { fill: #ff9a9a; }
  .used { stroke: #ff9a9a; }
}
"""


def drawing() -> str:
    """The SVG: for each model, the arena while AllocateTensors and while Invoke runs."""
    body = [line for k, model in enumerate(MODELS) for line in _model(40 + 460 * k, model)]
    body += [*_legend()]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="940" height="505" viewBox="0 0 940 505" '
        'role="img"><title>Head, tail and temp of two arenas, to scale</title>'
        f"<style>{_STYLE}</style>\n" + "\n".join(body) + "\n</svg>\n"
    )


def _model(left: int, model: str) -> Iterator[str]:
    path = find_model(model)
    assert path is not None
    arena = unsplit(SegmentTable(read_tflite(path), target_rules("m55"))).arena
    name = model.removesuffix("_int8")
    yield _text(left, 22, f"{name}: {arena.minimum_bytes:,} B at least", "b")
    yield _text(left, 54, "AllocateTensors", "")
    yield _text(left + 160, 54, "Invoke", "")
    yield from _moment(left, arena, is_running=False)
    yield from _moment(left + 160, arena, is_running=True)
    side = left + 160 + _WIDTH + 10
    yield _text(side, _TOP + 12, f"tail {arena.tail_bytes:,} B", "")
    at_head = _y(arena, max(arena.head_bytes, arena.minimum_bytes // 20))
    yield _text(side, at_head + 10, f"head {arena.head_bytes:,} B", "")
    used = _y(arena, arena.used_bytes)
    yield _line(left + 152, used, left + 160 + _WIDTH + 8)
    yield _text(side, _TOP + 70, f"used {arena.used_bytes:,} B", "red")
    yield _text(side, _TOP + 86, f"{arena.minimum_bytes - arena.used_bytes:,} B too few", "red")


def _moment(left: int, arena: Arena, *, is_running: bool) -> Iterator[str]:
    """One column, addresses upwards. While tensors are prepared the tail is not yet whole."""
    low, name = (arena.head_bytes, "head") if is_running else (arena.temporary_bytes, "temp")
    tail = arena.tail_bytes if is_running else min(arena.tail_bytes, arena.minimum_bytes - low)
    top, bottom = _TOP, _y(arena, 0)
    yield _box(left, top, bottom - top, "free")
    yield _box(left, top, _y(arena, arena.minimum_bytes - tail) - top, "tail")
    yield _box(left, _y(arena, low), bottom - _y(arena, low), name)
    if not is_running:
        yield _text(left + 8, _y(arena, low) - 6, f"temp up to {low:,} B", "")


def _y(arena: Arena, offset: int) -> int:
    return _TOP + round(_HEIGHT * (1 - offset / arena.minimum_bytes))


def _legend() -> Iterator[str]:
    words = (
        ("head", "head: tensors and scratch of Invoke, from the low end; shared over time"),
        ("tail", "tail: what the interpreter and the kernels keep, from the high end; stays"),
        ("temp", "temp: short allocations while AllocateTensors runs, over the head's bytes"),
    )
    for k, (name, text) in enumerate(words):
        yield f'<rect class="{name}" x="40" y="{422 + 22 * k}" width="16" height="14"/>'
        yield _text(64, 434 + 22 * k, text, "")
    note = (
        "red: arena_used_bytes() = head + tail. The arena must hold the temp beside the tail, too."
    )
    yield _text(40, 498, note, "dim")


def _text(x: int, y: int, text: str, style: str) -> str:
    return f'<text x="{x}" y="{y}" class="{style}">{text}</text>'


def _box(x: int, y: int, height: int, style: str) -> str:
    return f'<rect class="{style}" x="{x}" y="{y}" width="{_WIDTH}" height="{height}"/>'


def _line(x: int, y: int, end: int) -> str:
    return f'<line class="used" x1="{x}" y1="{y}" x2="{end}" y2="{y}"/>'


if __name__ == "__main__":
    FILE.write_text(drawing(), "utf-8")

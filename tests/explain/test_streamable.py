"""What is said to be streamed, against every segment of small models."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_facts import facts

from splitopt.bundle.schema.streamable import Streamable
from splitopt.explain.memory.streamable import streamable
from splitopt.explain.model_html import render_model
from splitopt.explain.text import model_text
from splitopt.graph.tflite_reader import read_tflite
from splitopt.tiling.streams.build import stream_of
from splitopt.tiling.streams.rules import stream_rule
from splitopt.tiling.streams.stream import Stream

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"


def explained(name: str) -> tuple[Streamable, set[tuple[int, int]], int]:
    """What is found of a model, all its segments that are streams, and how many ops it has."""
    graph = read_tflite(MODELS / f"{name}_digits_int8.tflite")
    rules, n = [stream_rule(graph, op) for op in graph.ops], len(graph.ops)
    segments = [(start, stop) for start in range(n) for stop in range(start + 1, n + 1)]
    streams = {s for s in segments if isinstance(stream_of(graph, *s, rules), Stream)}
    return streamable(graph), streams, n


@pytest.mark.parametrize("name", ["resnet8", "squeeze", "unet"])
def test_every_op_is_in_a_longest_stream_or_in_none(name: str) -> None:
    found, streams, n = explained(name)
    for run in found.runs:
        assert max(stop for start, stop in streams if start == run.start) == run.stop
    named = [op for refused in found.refused for op in refused.ops]
    in_runs = {op for run in found.runs for op in range(run.start, run.stop)}
    in_any = {op for start, stop in streams for op in range(start, stop)}
    assert in_runs == in_any
    assert sorted([*in_runs, *named]) == list(range(n))


def test_text_and_page_name_what_is_not_streamed(board: Path) -> None:
    found = facts(MODELS / "resnet8_digits_int8.tflite", board)
    for shown in (model_text(found), render_model(found)):
        assert "one row at a time: ops 0 to 13" in shown
        assert "not MEAN (op 14): does not work row by row" in shown

"""Untrusted JSON: depth and size are bounded before the parser recurses."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitopt.base.errors import UsageError
from splitopt.base.json_input import load_json, parse_json


@pytest.fixture
def no_limit() -> Iterator[None]:
    """What onnx2tf does to an interpreter that imports it."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(2**31 - 1)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"[\\"":'])
@pytest.mark.usefixtures("no_limit")
def test_a_deep_nest_is_refused_before_it_is_parsed(opening: bytes) -> None:
    with pytest.raises(UsageError, match="nested more than"):
        parse_json(opening * 200_000, "deep.json")


def test_brackets_in_texts_are_no_nest() -> None:
    held = {"text": "[{" * 1000 + '\\"', "list": [[1], [2]]}
    assert parse_json(json.dumps(held).encode(), "x") == held


@given(st.binary(max_size=60))
def test_noise_is_refused_or_read(data: bytes) -> None:
    try:
        held = parse_json(data, "x")
    except UsageError:
        return
    assert held == json.loads(data)


@pytest.mark.parametrize("text", [b'"' + b'\\"' * 200_000, b'"\\', b'{"a": "'])
def test_an_open_text_is_refused(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(text)
    with pytest.raises(UsageError, match="not a whole JSON document"):
        load_json(tmp_path / "x.json")

"""Texts are read by libyaml as they are in Python, and refused where Python refuses them."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from splitopt.base import plain_yaml as reader
from splitopt.base.plain_yaml import plain_yaml

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_DATA = st.recursive(
    _SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)
WRONG = {
    "an alias": "a: &x [1]\nb: *x\n",
    "a tag": "a: !!python/name:os.system\n",
    "a key twice": "a: 1\nb: 2\na: 3\n",
    "a number as key": "1: 2\n",
    "half a list": "a: [1, 2\n",
    "a tab": "a:\n\tb: 1\n",
    "what no file can hold": 'a: "\\0"\n',
}


def in_python(text: str) -> object:
    return yaml.load(text, reader._Loader)


def outcome(read: object, text: str) -> object:
    try:
        return read(text)  # type: ignore[operator]
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        return type(error), str(error)


@given(_DATA)
def test_quick_and_python_readers_make_the_same_of_a_text(data: object) -> None:
    text = yaml.safe_dump(data)
    assert repr(outcome(plain_yaml, text)) == repr(outcome(in_python, text))


@given(st.text(alphabet="ab:{}[],-#&*!|>'\"%@\n\t 0179.~?", max_size=40))
def test_what_python_reads_is_read_as_that(text: str) -> None:
    slow = outcome(in_python, text)
    assert isinstance(slow, tuple) or repr(outcome(plain_yaml, text)) == repr(slow)


@pytest.mark.parametrize("why", WRONG)
def test_refusals_say_where(why: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError) as caught:
        plain_yaml(WRONG[why])
    assert caught.value.problem_mark.get_snippet()  # the line, which libyaml does not keep


def test_levels_are_limited_where_no_python_frame_is_counted() -> None:
    with pytest.raises((RecursionError, yaml.YAMLError)):
        plain_yaml("[" * 100_000)

"""Untrusted text where it leaves: nothing in it steers a terminal, a page or a compiler."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitopt.base.text import (
    clean,
    clean_lines,
    code_span,
    cpp_comment,
    csv_cell,
    markdown,
    one_line,
    printable,
)

HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07",
    "\x9b31m",
    "right\u202eto left\u2066",
    "zero\u200bwidth\ufeff",
    "two\nlines\r\u2028",
    "half \udcff",
    "tab\tand nul\0",
)
STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def steers(text: str) -> list[str]:
    return [char for char in text if unicodedata.category(char) in STEERING]


@given(st.text(st.characters(codec=None)))
def test_nothing_that_steers_is_left(text: str) -> None:
    for made in (clean(text), one_line(text), printable(text), code_span(text), markdown(text)):
        assert not steers(made)
    assert set(steers(clean_lines(text))) <= {"\n"}
    assert len(clean(text)) == len(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_taken_out_is_shown(text: str) -> None:
    assert "?" in clean(text)


def test_names_of_every_script_stay_as_they_are() -> None:
    for name in ("café/conv", "モデル", "имя", "a b-c_d.e:0", "μ·σ²"):
        assert clean(name) == one_line(name) == printable(name) == name


@given(st.text(st.characters(codec=None)))
def test_no_cell_is_a_formula(text: str) -> None:
    """As OWASP describes it: a cell that opens with = + - @, tab or carriage return."""
    cell = csv_cell(text)
    is_number = re.fullmatch(r"[+-]?\d+(\.\d+)?", cell, re.ASCII)
    assert is_number or not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))
    out = io.StringIO()
    csv.writer(out).writerow([cell, "1"])
    assert next(csv.reader(out.getvalue().splitlines())) == [cell, "1"]


def test_numbers_are_cells_as_they_are() -> None:
    assert [csv_cell(n) for n in ("-1", "+2.5", "30")] == ["-1", "+2.5", "30"]
    assert csv_cell("=cmd()") == "'=cmd()"


COMMENTS = (
    "name\nint injected = 1;",
    "name\\",
    "name??/",
    "name\\ ",
    "name\r int injected = 1;",
    "name\u2028int injected = 1;",
    "*/ int injected = 1; /*",
    "name\\\n",
    "\v\f\x85 int injected;",
)


@pytest.mark.parametrize("name", COMMENTS)
def test_a_comment_ends_where_its_line_does(name: str, tmp_path: Path) -> None:
    """Judged by a compiler, with trigraphs on: the line that follows is code, the comment none."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no host compiler")
    line = cpp_comment(name)
    assert line.isascii()
    source = tmp_path / "header.cc"
    source.write_text(f"// {line}\nint follows = 1;\n")
    done = subprocess.run(
        [compiler, "-std=c++11", "-trigraphs", "-E", "-P", str(source)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["int", "follows", "=", "1;"]

"""What is under way, in pipes: one line in a while, headings at once."""

from __future__ import annotations

import re
import time

import pytest
from commands import PROGRESS
from limits import seconds

from splitopt.base.progress import Heading
from splitopt.cli import plain_progress


def wait_until(lines: list[str], count: int) -> None:
    deadline = time.monotonic() + seconds(20)
    while len(lines) < count and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(lines) >= count


def test_the_latest_step_is_written_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_progress, "FIRST_S", 0.05)
    monkeypatch.setattr(plain_progress, "EVERY_S", 0.05)
    lines: list[str] = []
    with plain_progress.plain_progress(lines.append) as say:
        for step in range(1000):
            say(f"step {step}")
        wait_until(lines, 2)  # nothing reports any more
    assert lines[-1].endswith("step 999")
    assert len(lines) < 100
    assert all(re.fullmatch(PROGRESS, f"{line}\n") for line in lines)
    count = len(lines)
    time.sleep(0.2)
    assert len(lines) == count


def test_what_ends_within_a_second_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_progress, "FIRST_S", 60)
    lines: list[str] = []
    with plain_progress.plain_progress(lines.append) as say:
        say("quick")
        assert not lines
        say(Heading("model of 3 ops"))
        assert [line[line.index("]") :] for line in lines] == ["] model of 3 ops"]
    assert len(lines) == 1


def test_nobody_has_to_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_progress, "FIRST_S", 0.01)
    tried = []

    def closed(line: str) -> None:
        tried.append(line)
        raise BrokenPipeError

    with plain_progress.plain_progress(closed) as say:
        say(Heading("model"))
        wait_until(tried, 2)

"""What is under way, in pipes: one line in a while, headings at once."""

from __future__ import annotations

import random
import re
import time

import pytest
from commands import PROGRESS
from images import ImageNet
from limits import seconds
from planning_helpers import allowed_everywhere

from splitopt.arena.rules import target_rules
from splitopt.base.progress import Heading, within
from splitopt.cli import plain_progress
from splitopt.planning.option_bounds import option_bounds
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal


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


def test_a_planner_says_how_far_it_is() -> None:
    steps: list[str] = []
    net = ImageNet(random.Random(1))
    source = made = net.image(16, 12, 8)
    for _ in range(6):
        made = net.conv(made, 8, 3, 1, "same")
    table = SegmentTable(net.graph([source], [made]), target_rules("m55"), techniques=Techniques())
    request = PlanRequest(Goal(1000, 1), allowed_everywhere(6), SolveParams())
    Planner(table, within(steps.append, "planning")).plan(request)
    assert all(step.startswith("planning: ") for step in steps)
    total = len(option_bounds(table, request.allowed).ram)
    counts = [int(step.split()[-3]) for step in steps if step.endswith(f" of {total:,}")]
    assert counts == list(range(1, len(counts) + 1))
    assert counts


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

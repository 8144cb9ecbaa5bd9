"""Logs of boards are not trusted: noise is skipped, all else is refused by the line's number."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from board_logs import TINY_LOG

from splitopt.base.errors import SplitoptError, ToolError, UsageError
from splitopt.bundle.open import open_bundle
from splitopt.runtime import board_log
from splitopt.runtime.board_log import read_board_log, require_order
from splitopt.workflows.time import planned_run

GOLDEN = TINY_LOG.parents[1] / "bundle_v1"
LINES = TINY_LOG.read_text("utf-8").splitlines()
MARKED = [k for k, line in enumerate(LINES) if line.startswith('{"event"')]
OPENED = open_bundle(GOLDEN)


def read(tmp_path: Path, lines: list[str] | bytes) -> int:
    """How many events there are. Raises as `read_board_log` and `require_order`."""
    path = tmp_path / "board.log"
    path.write_bytes(lines if isinstance(lines, bytes) else "\n".join(lines).encode())
    log = read_board_log(path)
    feeds = [[None] * log.inputs]  # only their number is looked at
    require_order(log, planned_run(OPENED, feeds))  # type: ignore[arg-type]
    return len(log.events)


def changed(number: int, **fields: object) -> list[str]:
    lines = list(LINES)
    lines[number] = json.dumps(json.loads(lines[number]) | fields, separators=(",", ":"))
    return lines


def first(event: str) -> int:
    return next(k for k in MARKED if json.loads(LINES[k])["event"] == event)


def test_what_a_board_prints_besides_is_skipped(tmp_path: Path) -> None:
    noisy = []
    for k, line in enumerate(LINES):
        noisy += [f"[00:00:{k:02d}.000] <inf> boot: {{}} é\x1b[0m", f"<wrn> {line} \x1b[0m\r", ""]
    assert read(tmp_path, LINES) == read(tmp_path, noisy) == len(MARKED)
    assert read(tmp_path, b"\xff\xfe\x00" + "\n".join(LINES).encode() + b"\n\x80") == len(MARKED)


def test_of_several_runs_the_last_counts(tmp_path: Path) -> None:
    assert read(tmp_path, [*LINES[: MARKED[5]], *LINES]) == len(MARKED)
    with pytest.raises(UsageError, match=rf"line {len(LINES) + MARKED[5]}: the last of"):
        read(tmp_path, [*LINES, *LINES[: MARKED[5] + 1][: MARKED[5]]])


@pytest.mark.parametrize("place", range(1, len(MARKED)))
def test_a_log_that_is_cut_off_is_refused_at_its_last_line(place: int, tmp_path: Path) -> None:
    stop = MARKED[place]
    with pytest.raises(
        UsageError, match=rf"board\.log, line {MARKED[place - 1] + 1}: .*not its en"
    ):
        read(tmp_path, LINES[:stop])
    half = LINES[stop][: len(LINES[stop]) // 2]
    with pytest.raises(UsageError, match=rf"board\.log, line {stop + 1}: broken or cut off"):
        read(tmp_path, [*LINES[:stop], half])


@pytest.mark.parametrize("place", range(1, len(MARKED) - 1))
def test_a_line_that_is_lost_or_twice_there_is_refused(place: int, tmp_path: Path) -> None:
    k = MARKED[place]
    with pytest.raises(UsageError, match=rf"board\.log, line {k + 1}: got .*, want "):
        read(tmp_path, LINES[:k] + LINES[k + 1 :])
    if not LINES[k].startswith('{"event":"output"'):  # whose parts are counted by their bytes
        with pytest.raises(UsageError, match=rf"board\.log, line {k + 2}: got .*, want "):
            read(tmp_path, [*LINES[: k + 1], LINES[k], *LINES[k + 1 :]])


@pytest.mark.parametrize(
    ("event", "fields", "says"),
    [
        ("hello", {"program": "blinky"}, "of blinky 1, want splitopt_check 1"),
        ("hello", {"version": 2}, "export again"),
        ("hello", {"pointer_bytes": 8}, "a PC's log"),
        ("hello", {"unit": "ns"}, "unit 'ns', want cycles, insn, ticks"),
        ("hello", {"per_ticks": 0}, "want 1 to 1,000,000"),
        ("hello", {"inputs": 65}, "65 inputs"),
        ("hello", {"plan": 3}, "hello without plan"),
        ("hello", {"plan": "a\x1b[2J"}, "not a short text"),
        ("piece", {"invoke": -1}, "invoke is not a count"),
        ("piece", {"invoke": True}, "piece without invoke"),
        ("piece", {"invoke": 10**400}, "invoke is not a count"),
        ("piece", {"invoke": 1.5}, "piece without invoke"),
        ("piece", {"run": 1}, "of run 1"),
        ("piece", {"piece": 7}, "got piece, sample 0, piece 7, want piece 0 0"),
        ("output", {"output": 1}, "got output, sample 0, output 1"),
        ("group", {"event": "grope"}, "'grope' is none of the check's"),
        ("group", {"event": ["x"]}, "is none of the check's"),
    ],
)
def test_a_hostile_field_is_refused(
    event: str, fields: dict[str, object], says: str, tmp_path: Path
) -> None:
    number = first(event)
    with pytest.raises(UsageError, match=rf"board\.log, line {number + 1}: .*{re.escape(says)}"):
        read(tmp_path, changed(number, **fields))


@pytest.mark.parametrize("event", ["ran", "bye"])
def test_a_check_that_failed_on_the_board_is_told(event: str, tmp_path: Path) -> None:
    lines = changed(first(event), error=7, piece=2, reason="AllocateTensors refused")
    says = rf"line {first(event) + 1}: .* piece 2, group 0: AllocateTensors refused"
    with pytest.raises(ToolError, match=says):
        read(tmp_path, lines)


def test_other_bytes_than_planned_have_figures_and_a_next_step(tmp_path: Path) -> None:
    reason = "TFLM uses another number of bytes than planned"
    failed = {"error": 20, "piece": 2, "reason": reason, "used_bytes": 41_216}
    with pytest.raises(ToolError, match=r"planned: 41,216 B, planned 40,960 B; look at TFLM's ve"):
        read(tmp_path, changed(first("bye"), **failed, planned_bytes=40_960))
    with pytest.raises(UsageError, match="bye without planned_bytes"):
        read(tmp_path, changed(first("bye"), **failed))


def test_other_text_is_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in (b"", b"hello\n" * 99, b"\x00" * 999):
        with pytest.raises(UsageError, match="no line with"):
            read(tmp_path, text)
    with pytest.raises(UsageError, match=r"line 1: longer than 8,192"):
        read(tmp_path, b'{"event":' + b"[" * 9000)
    with pytest.raises(UsageError, match=r"line 1: broken or cut off"):
        read(tmp_path, b'{"event":' + b"[" * 7000)
    monkeypatch.setattr(board_log, "MOST_BYTES", 100)
    with pytest.raises(UsageError, match="larger than 100 bytes"):
        read(tmp_path, LINES)
    with pytest.raises(UsageError, match="cannot be read"):
        read_board_log(tmp_path / "absent.log")


def _flip(random: random.Random, data: bytearray) -> None:
    data[random.randrange(len(data))] = random.randrange(256)


def _drop(random: random.Random, data: bytearray) -> None:
    at = random.randrange(len(data))
    del data[at : at + random.randrange(1, 200)]


def _swap(random: random.Random, data: bytearray) -> None:
    lines = bytes(data).split(b"\n")
    a, b = random.sample(range(len(lines)), 2)
    lines[a], lines[b] = lines[b], lines[a]
    data[:] = b"\n".join(lines)


@pytest.mark.parametrize("damage", [_flip, _drop, _swap])
def test_no_damage_is_anything_but_read_or_refused(
    damage: Callable[[random.Random, bytearray], None], tmp_path: Path
) -> None:
    source = random.Random(3)
    refused = 0
    for _ in range(120):
        data = bytearray("\n".join(LINES).encode())
        damage(source, data)
        try:
            read(tmp_path, bytes(data))
        except SplitoptError:
            refused += 1
    assert refused

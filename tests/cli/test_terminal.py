"""What a terminal, a pipe and a shell get of the command line."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import CHECKOUT, splitopt

COMMAND = (sys.executable, "-m", "splitopt")


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "TERM")}
    return {**kept, "PYTHONPATH": str(CHECKOUT), "TERM": "xterm-256color", **more}


def on_a_terminal(*args: str, cwd: Path, columns: int = 100, **more: str) -> str:
    """What the command writes to a terminal of that width."""
    own, theirs = pty.openpty()
    env = environment(COLUMNS=str(columns), LINES="50", **more)
    done = subprocess.Popen([*COMMAND, *args], cwd=cwd, env=env, stdout=theirs, stderr=theirs)
    os.close(theirs)
    parts = []
    while True:
        try:
            part = os.read(own, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(own)
    done.wait()
    return b"".join(parts).decode()


def test_lines_break_at_the_width_of_a_terminal_and_not_in_a_pipe(tmp_path: Path) -> None:
    shown = on_a_terminal("boards", "--sources", cwd=tmp_path, columns=60)
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m|\r", "", shown).split("\n"))) <= 60
    piped = splitopt("boards", "--sources", cwd=tmp_path).stdout
    assert max(map(len, piped.split("\n"))) > 120


def test_colours_are_left_out_where_nobody_wants_them(tmp_path: Path) -> None:
    red = "\x1b[1;31m"
    assert red in on_a_terminal("run", "no.yaml", cwd=tmp_path)
    assert "31m" not in on_a_terminal("run", "no.yaml", cwd=tmp_path, NO_COLOR="1")


def test_help_names_every_command_in_full_and_each_has_an_example(tmp_path: Path) -> None:
    shown = splitopt("-h", cwd=tmp_path).stdout
    assert "...\n" not in shown.split("Commands:")[1]
    assert shown == splitopt("--help", cwd=tmp_path).stdout
    names = ("demo", "init", "run", "time", "export", "sweep", "explain", "report", "compare")
    assert all(f"\n  {name} " in shown for name in (*names, "runs", "pack", "boards", "doctor"))
    assert "--install-completion" in shown
    assert "Example: splitopt run " in splitopt("run", "-h", cwd=tmp_path).stdout


def test_a_shell_completes_commands(tmp_path: Path) -> None:
    asked = {"_SPLITOPT_COMPLETE": "complete_bash", "COMP_WORDS": "splitopt ex", "COMP_CWORD": "1"}
    code = "import sys; sys.argv = ['splitopt']; from splitopt.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(**asked),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["export", "explain"]


def test_a_closed_pipe_is_no_failure(tmp_path: Path) -> None:
    pipe = '"$@" | head -c 1 >/dev/null; echo ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", pipe, "-", *COMMAND, "schema", "plan"],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize(
    ("args", "code"),
    [(("run", "no.yaml"), 2), (("explain", "no.tflite"), 2), (("run", "--jsn"), 2)],
)
def test_a_failure_is_a_document_too(args: tuple[str, ...], code: int, tmp_path: Path) -> None:
    done = splitopt(*args, "--json", cwd=tmp_path)
    assert done.returncode == code
    document = json.loads(done.stdout)
    assert document["exit_code"] == code
    assert done.stderr.startswith("error: ")

"""Several models in one go: a line each, whatever becomes of the others."""

from __future__ import annotations

from pathlib import Path

from models import chain

from splitopt.base.text import plain_text
from splitopt.config.given import Given
from splitopt.workflows.run_each import run_each


def test_each_has_a_line_and_the_exit_code_is_the_worst(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(chain(3))
    (tmp_path / "b.tflite").write_bytes(b"junk")
    whats = [tmp_path / name for name in ("a.tflite", "b.tflite", "c.tflite")]
    found = run_each(whats, Given(board="corstone300_64k"), out=tmp_path / "out", verify=False)
    codes = [run.exit_code for run in found.runs]
    assert (codes, found.exit_code) == ([0, 2, 2], 2)
    text = plain_text(found.text)
    rows = text.split("\n")[1:4]
    assert [row.split()[0] for row in rows] == ["a.tflite", "b.tflite", "c.tflite"]
    assert "OPTIMAL" in rows[0]
    assert "FAILED" in rows[1]
    assert "b.tflite: " in text.split("\n\n")[1]
    small = run_each(whats[:1], Given(board="corstone300_64k", budget="100"), out=tmp_path / "out")
    assert small.exit_code == 3
    assert "DOES NOT FIT" in plain_text(small.text)
    assert [run["exit_code"] for run in found.to_dict()["runs"]] == codes

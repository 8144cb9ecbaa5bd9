"""What a command imports: a list or a refusal does not wait for solvers, numpy or charts."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import started

HEAVY = {
    *("ai_edge_litert", "distributed", "flatbuffers", "jinja2", "networkx", "numpy", "onnx"),
    *("ortools", "pandas", "resvg_py", "tensorflow", "tflite_micro"),
}
PRINTS_MODULES = """
import atexit, sys
from splitopt.cli.app import main
atexit.register(lambda: print("LOADED", *sys.modules))
main()
"""


@pytest.mark.parametrize(
    ("command", "exit_code", "also_absent"),
    [
        ("--help", 0, {"pydantic", "rich", "yaml"}),
        ("--version", 0, {"pydantic", "rich", "yaml"}),
        ("boards", 0, set()),
        ("schema job", 0, set()),
        ("runs --results .", 0, set()),
        ("compare absent also_absent", 2, set()),
        ("run absent.yaml", 2, set()),
    ],
)
def test_nothing_heavy_is_imported_for(
    command: str, exit_code: int, also_absent: set[str], tmp_path: Path
) -> None:
    done = started(*command.split(), cwd=tmp_path, code=PRINTS_MODULES)
    assert done.returncode == exit_code, done.stderr
    loaded = {name.split(".")[0] for name in done.stdout.partition("LOADED ")[2].split()}
    assert {"splitopt", "typer"} <= loaded
    assert loaded & (HEAVY | also_absent) == set()

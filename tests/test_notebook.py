"""docs/notebook.ipynb runs from top to bottom, and is kept without outputs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat of the dev extra is absent")
nbclient = pytest.importorskip("nbclient", reason="nbclient of the dev extra is absent")
pytest.importorskip("ipykernel", reason="ipykernel of the dev extra is absent")

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "notebook.ipynb"


def test_the_notebook_is_kept_without_outputs() -> None:
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the kernel of this very interpreter, whatever kernels the user has."""
    kernel = tmp_path / "kernels" / "python3"
    kernel.mkdir(parents=True)
    start = f'["{sys.executable}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"]'
    (kernel / "kernel.json").write_text(f'{{"argv": {start}, "display_name": "", "language": ""}}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    ).execute()

    shown = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    kinds = [kind for out in shown for kind in out.get("data", ())]
    assert kinds.count("image/svg+xml") == 2
    assert kinds.count("text/html") == 2
    printed = "".join(out.text for out in shown if out.output_type == "stream")
    assert "passed outputs" in printed
    assert "52,944 B, pieces: 1, +0 instructions" in printed

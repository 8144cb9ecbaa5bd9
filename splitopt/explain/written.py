"""What explain says, as files in a folder of the user's."""

from __future__ import annotations

from pathlib import Path

from splitopt.base.files import write_new_files
from splitopt.bundle.documents import json_text
from splitopt.bundle.schema.explain import ModelExplanation, RunExplanation
from splitopt.explain.fit import answer_text
from splitopt.explain.model_html import render_model
from splitopt.explain.text import model_text, run_text

RUN_FILES = ("explain.txt", "explain.json")
MODEL_FILES = (*RUN_FILES, "explain.html")


def write_run(found: RunExplanation, folder: Path) -> None:
    """Writes what was found about a run as text and JSON. Raises UsageError where a file already
    exists, ToolError where none can be written."""
    texts = (run_text(found), json_text(found))
    write_new_files(folder, dict(zip(RUN_FILES, texts, strict=True)))


def write_model(found: ModelExplanation, folder: Path) -> None:
    """Writes what was found about a model as text, JSON and HTML. Raises UsageError where a file
    already exists, ToolError where none can be written."""
    text = f"{answer_text(found)}\n{model_text(found)}"
    texts = (text, json_text(found), render_model(found))
    write_new_files(folder, dict(zip(MODEL_FILES, texts, strict=True)))

"""What explain says, as files in a folder of the user's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from splitopt.base.files import write_new_files
from splitopt.explain.model import ModelFacts
from splitopt.explain.model_html import render_facts
from splitopt.explain.model_text import facts_text
from splitopt.explain.run import Diagnosis
from splitopt.explain.run_text import explain_text

DIAGNOSIS_FILES = ("explain.txt", "explain.json")
FACTS_FILES = (*DIAGNOSIS_FILES, "explain.html")


def write_diagnosis(diagnosis: Diagnosis, folder: Path) -> None:
    """Raises UsageError where a file already exists, ToolError where none can be written."""
    texts = (explain_text(diagnosis), _json(diagnosis.to_dict()))
    write_new_files(folder, dict(zip(DIAGNOSIS_FILES, texts, strict=True)))


def write_facts(facts: ModelFacts, folder: Path) -> None:
    """Raises UsageError where a file already exists, ToolError where none can be written."""
    document = facts.to_dict()
    texts = (facts_text(facts), _json(document), render_facts(document))
    write_new_files(folder, dict(zip(FACTS_FILES, texts, strict=True)))


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

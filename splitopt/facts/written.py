"""explain.txt, explain.json and explain.html in a folder; what is there stays as it is."""

from __future__ import annotations

import json
from pathlib import Path

from splitopt.errors import ToolError, UsageError
from splitopt.facts.html import render_facts
from splitopt.facts.model_facts import ModelFacts
from splitopt.facts.text import facts_text

NAMES = ("explain.txt", "explain.json", "explain.html")


def refuse_to_overwrite(folder: Path) -> None:
    """Raises UsageError where facts stand in the folder already."""
    for name in NAMES:
        if (folder / name).exists() or (folder / name).is_symlink():
            raise UsageError(f"{folder / name}: is there already; choose another --out")


def write_facts(facts: ModelFacts, folder: Path) -> None:
    """Raises UsageError where a file is there already, ToolError where none can be written."""
    document = facts.to_dict()
    plain = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    texts = (facts_text(facts), plain + "\n", render_facts(document))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        refuse_to_overwrite(folder)
        for name, text in zip(NAMES, texts, strict=True):
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise ToolError(f"{folder}: cannot be written ({error.strerror}); choose --out") from error

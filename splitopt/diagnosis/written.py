"""explain.txt and explain.json in a folder of the caller's; what is there stays as it is."""

from __future__ import annotations

import json
from pathlib import Path

from splitopt.diagnosis.diagnose import Diagnosis
from splitopt.diagnosis.text import explain_text
from splitopt.errors import ToolError, UsageError

NAMES = ("explain.txt", "explain.json")


def refuse_to_overwrite(folder: Path) -> None:
    """Raises UsageError where a diagnosis stands in the folder already."""
    for name in NAMES:
        if (folder / name).exists() or (folder / name).is_symlink():
            raise UsageError(f"{folder / name}: is there already; choose another --out")


def write_diagnosis(diagnosis: Diagnosis, folder: Path) -> None:
    """Raises UsageError where a file is there already, ToolError where none can be written."""
    document = json.dumps(diagnosis.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    texts = (explain_text(diagnosis), document + "\n")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        refuse_to_overwrite(folder)
        for name, text in zip(NAMES, texts, strict=True):
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise ToolError(f"{folder}: cannot be written ({error.strerror}); choose --out") from error

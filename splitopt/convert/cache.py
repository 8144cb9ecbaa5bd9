"""Conversions by content: what was converted once is not converted again.

An entry is a folder named by a hash of everything that shapes the result; it appears whole or not
at all. A broken entry counts as absent. Entries are never removed: the folder may be, at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from splitopt.base.errors import ToolError
from splitopt.base.owned_folder import owned_folder, remove_orphans

_MODEL, _RECORD, _LOG, _ONNX = "model.tflite", "conversion.json", "convert.log", "clean.onnx"
_PARTIAL = ".partial-"


@dataclass(frozen=True)
class Entry:
    """A kept conversion: the int8 model, its record, the converter's log, the cleaned ONNX."""

    folder: Path
    record: dict[str, Any]

    @property
    def model(self) -> Path:
        return self.folder / _MODEL

    @property
    def log(self) -> Path:
        return self.folder / _LOG

    @property
    def onnx(self) -> Path | None:
        """None where the model was no ONNX."""
        return self.folder / _ONNX if self.record["onnx_sha256"] else None


def default_folder() -> Path:
    """`$XDG_CACHE_HOME/splitopt` or `~/.cache/splitopt`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "splitopt"


def load(cache: Path, key: str) -> Entry | None:
    """The entry; None where it is absent, or its files are not those that were kept."""
    folder = cache / key
    try:
        record = json.loads((folder / _RECORD).read_text("utf-8"))
        for file, digest in ((_MODEL, "model_sha256"), (_ONNX, "onnx_sha256")):
            if record[digest] and _sha256((folder / file).read_bytes()) != record[digest]:
                return None
        if _digest_of_record(record) != record["record_sha256"]:
            return None
        (folder / _LOG).stat()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Entry(folder, record)


def store(
    cache: Path,
    key: str,
    model: bytes,
    record: Mapping[str, Any],
    log: str,
    onnx: bytes | None = None,
) -> Entry:
    """Keeps a conversion; a broken or older entry of the same key is replaced. Raises ToolError."""
    full = {
        **record,
        "model_sha256": _sha256(model),
        "onnx_sha256": _sha256(onnx) if onnx is not None else "",
    }
    full["record_sha256"] = _digest_of_record(full)
    final = cache / key
    try:
        cache.mkdir(parents=True, exist_ok=True)
        remove_orphans(cache, _PARTIAL)
        with owned_folder(cache, _PARTIAL) as partial:
            (partial / _MODEL).write_bytes(model)
            if onnx is not None:
                (partial / _ONNX).write_bytes(onnx)
            (partial / _LOG).write_text(log, "utf-8")
            (partial / _RECORD).write_text(json.dumps(full, indent=1), "utf-8")
            shutil.rmtree(final, ignore_errors=True)
            with contextlib.suppress(OSError):  # another run was faster: its entry is as good
                partial.rename(final)
    except OSError as error:
        raise ToolError(f"{cache}: cannot be written ({error.strerror})") from error
    return Entry(final, full)


def keep_model(cache: Path, model: bytes) -> Path:
    """A model made from another, under its own SHA-256; raises ToolError."""
    file = cache / f"{_sha256(model)}.tflite"
    try:
        if not file.is_file() or file.read_bytes() != model:
            cache.mkdir(parents=True, exist_ok=True)
            with owned_folder(cache, _PARTIAL) as partial:
                (partial / _MODEL).write_bytes(model)
                (partial / _MODEL).replace(file)
    except OSError as error:
        raise ToolError(f"{cache}: cannot be written ({error.strerror})") from error
    return file


def keep_log(cache: Path, log: str) -> Path:
    """What a tool printed before it failed, under a hash of it; raises ToolError."""
    file = cache / "logs" / f"{_sha256(log.encode())[:16]}.log"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(log, "utf-8")
    except OSError as error:
        raise ToolError(f"{file}: cannot be written ({error.strerror})") from error
    return file


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest_of_record(record: Mapping[str, Any]) -> str:
    plain = {name: value for name, value in record.items() if name != "record_sha256"}
    return _sha256(json.dumps(plain, sort_keys=True).encode())

"""What shapes a conversion, as one hash: model, data, options, versions of the tools."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from splitopt.base.errors import UsageError
from splitopt.base.files import read_file
from splitopt.convert.calibration import folder_files
from splitopt.runtime.arrays import MAX_DATA_BYTES

_SHAPING_TOOLS = (
    "onnx", "onnx2tf", "onnxsim", "onnxruntime", "tensorflow", "ai-edge-quantizer", "splitopt",
)  # fmt: skip


def content_key(model: Path, data: Path, options: Mapping[str, Any]) -> str:
    """A digest of all that shapes a conversion. Raises UsageError for a file that cannot be read or
    is too large."""
    try:
        files = {f"data/{data.suffix}": data}
        if data.is_dir():
            files = {f"data/{file.name}": file for file in folder_files(data)}
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be read ({error.strerror})") from error
    named = {"model": model, **files}
    parts = {name: read_file(file, MAX_DATA_BYTES) for name, file in named.items()}
    facts = {"format": 9, "kind": model.suffix, "versions": versions(), **options}
    return hashed(parts, facts)


def hashed(parts: Mapping[str, bytes], facts: Mapping[str, Any]) -> str:
    """SHA-256 over named contents and plain facts (options, versions)."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, data in sorted(parts.items()):
        digest.update(f"\0{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def is_unchanged(external: Mapping[str, str], folder: Path) -> bool:
    """Whether the files beside the model that held its weights are as they were."""
    try:
        return all(
            hashlib.sha256(read_file(folder / name, MAX_DATA_BYTES)).hexdigest() == digest
            for name, digest in external.items()
        )
    except UsageError:
        return False


def versions() -> dict[str, str]:
    """Versions of the tools that shape a conversion."""
    return {name: _version(name) for name in _SHAPING_TOOLS}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"

"""Weights that an ONNX file keeps in other files: from its own folder only, and only whole ones.

Runs in the worker that reads untrusted models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from splitopt.base.errors import ToolError

MAX_FILE_BYTES = 256 * 1024 * 1024


class Refusal(ToolError):
    """What is wrong with the model, as a sentence for its user."""


def load_external(model: Any, path: Path) -> dict[str, str]:
    """Loads the weights; the SHA-256 of every file they came from, by name. Raises Refusal."""
    from onnx import external_data_helper as helper

    folder = path.resolve().parent
    tensors = [tensor for tensor in _tensors(model.graph) if helper.uses_external_data(tensor)]
    places = dict.fromkeys(_checked_place(tensor, folder) for tensor in tensors)
    for tensor in tensors:
        try:
            helper.load_external_data_for_tensor(tensor, str(folder))
        except Exception as error:
            raise Refusal(
                f"tensor {tensor.name!r}: its data file does not hold it whole; export it again"
            ) from error
        tensor.data_location = 0
        del tensor.external_data[:]
    return {place: _digest(folder / place) for place in places}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _tensors(graph: Any) -> Iterator[Any]:
    """Initialisers, and constants that stand in nodes' attributes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from ([attribute.t] if attribute.HasField("t") else [])
            yield from attribute.tensors


def _checked_place(tensor: Any, folder: Path) -> str:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    place = entries.get("location", "")
    who = f"tensor {tensor.name!r}: its data file {place!r}"
    file = (folder / place).resolve()
    if not file.is_relative_to(folder):
        raise Refusal(f"{who} is outside the folder of the model")
    if not file.is_file():
        raise Refusal(f"{who} is missing; it has to lie beside the model")
    if file.stat().st_size > MAX_FILE_BYTES:
        raise Refusal(f"{who} is larger than {MAX_FILE_BYTES:,} bytes")
    offset, length = (entries.get(key, "0") for key in ("offset", "length"))
    whole = offset.isdecimal() and length.isdecimal()
    if not whole or int(offset) + int(length) > file.stat().st_size:
        raise Refusal(f"{who} is shorter than the model says; export it again")
    return str(place)

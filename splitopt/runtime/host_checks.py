"""What is handed to an interpreter fits its model: what they do not check crashes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from splitopt.base.errors import ToolError
from splitopt.runtime.worker_process import Array


def check_input(position: int, feed: Array, detail: Mapping[str, Any]) -> None:
    want = np.dtype(detail["dtype"]), tuple(int(size) for size in detail["shape"])
    if (feed.dtype, feed.shape[1:]) != want:
        raise ToolError(
            f"input {position}: got samples of {feed.dtype}{list(feed.shape[1:])}, "
            f"want {want[0]}{list(want[1])}"
        )


def check_count(what: str, got: int, want: int) -> None:
    if got != want:
        raise ToolError(f"got {got} {what}, but the model has {want}")


def check_indices(keep: Mapping[str, int], tensors: int) -> None:
    for name, index in keep.items():
        if not 0 <= index < tensors:
            raise ToolError(f"no tensor {index} to keep as '{name}': the model has {tensors}")

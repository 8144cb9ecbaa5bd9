"""Skips where packages of an extra are absent."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def need_onnx_extra() -> None:
    """Looks without importing: onnx2tf, imported, lifts the interpreter's limit on recursion."""
    for package in ("onnx", "onnxsim", "onnxruntime", "onnx2tf"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is absent: ONNX input needs the onnx extra")

"""ONNX node ↔ TFLite op and ONNX tensor ↔ TFLite tensor, for a model and its conversion.

Converters rename, fuse, insert and reorder; so nothing here goes by names. Both models run on the
same few samples, and values that are alike are brought together along both graphs.
Knows nothing of plans. Needs onnx and onnxruntime, in a child process only.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy.typing as npt

from splitopt.base.errors import ModelError
from splitopt.convert.names.record import Correspondence, Match, OpMatch
from splitopt.convert.names.runs import compare_runs, describe_onnx
from splitopt.convert.names.zz_correspondence_naming import named
from splitopt.convert.names.zz_correspondence_search import place_values
from splitopt.graph.model import ModelGraph

__all__ = ["Correspondence", "Match", "OpMatch", "correspond"]


def correspond(
    onnx_path: Path,
    graph: ModelGraph,
    tflite_path: Path,
    samples: npt.NDArray[Any],
    timeout_s: float,
) -> Correspondence:
    """`graph` is what `tflite_path` holds; `samples` are real values, channels last, [N, ...].

    A few samples (4 at most are used) from the calibration data serve best: others may leave the
    ranges of the int8 model, and both sides then differ where they should not.
    Raises: ModelError on models of several inputs and on samples of the wrong shape; ToolError
    where a model does not run or `timeout_s` is over.
    """
    deadline_s = time.monotonic() + timeout_s
    onnx = describe_onnx(onnx_path, deadline_s)
    if len(onnx.inputs) != 1 or len(graph.inputs) != 1:
        raise ModelError(
            f"{onnx_path}: got {len(onnx.inputs)} inputs ({len(graph.inputs)} after conversion), "
            "want one of each to tell which ONNX node became which op"
        )
    table = compare_runs(onnx_path, onnx, graph, tflite_path, samples, deadline_s)
    placing = place_values(onnx, graph, table, {graph.inputs[0]: onnx.inputs[0].name})
    return named(onnx, graph, table, placing)

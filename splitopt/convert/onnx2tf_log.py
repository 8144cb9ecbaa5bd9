"""Why onnx2tf ended without a model, out of what it printed."""

from __future__ import annotations

import re
import signal

from splitopt.base.errors import ModelError, ToolError
from splitopt.base.text import one_line

_FLEX = re.compile(r"\(Flex([A-Za-z0-9]+)\)|TF Select ops: ([A-Za-z0-9]+)|Custom ops: (\w+)")
_NODE = re.compile(r"^ERROR: onnx_op_name: (.+)$", re.MULTILINE)
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception)\b")
_NEXT_ENTRY = re.compile(r"(?:ERROR|INFO|WARNING|WARN|Traceback|=+)\b")
_HARMLESS = "'onnxsim'"  # it runs that as a program, and goes on without it
_LONGEST = 400


class UnmappedError(ModelError):
    """The converter fell back on TensorFlow's own ops, which TFLM cannot run."""

    def __init__(self, ops: tuple[str, ...]) -> None:
        super().__init__(f"onnx2tf found no TFLite op for TensorFlow's {', '.join(ops)}")
        self.ops = ops


def failure(exit_code: int, log: str) -> ModelError | ToolError:
    """`exit_code` is negative for the signal that ended it. ToolError where a package is absent."""
    if exit_code < 0:
        return ModelError(
            f"onnx2tf could not convert the model: ended by {_signal(-exit_code)}: a crash of the "
            "converter, not an answer of it"
        )
    absent = re.search(r"No module named '?([A-Za-z0-9_.]+)", log)
    if absent:
        return ToolError(
            f"{absent[1]} is absent, which ONNX input needs: pip install 'splitopt[onnx]'"
        )
    foreign = dict.fromkeys("".join(names) for names in _FLEX.findall(log))
    if foreign:
        return UnmappedError(tuple(foreign))
    nodes = _NODE.findall(log)
    node = f" at ONNX node {one_line(nodes[-1].removeprefix('wa'))!r}" if nodes else ""
    said = one_line(_reason(log))[:_LONGEST] or "it gave no reason"
    return ModelError(f"onnx2tf could not convert the model{node} (exit code {exit_code}): {said}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _reason(log: str) -> str:
    """The last exception with the lines that belong to it; else the last line that says ERROR."""
    lines = log.splitlines()
    starts = [k for k, line in enumerate(lines) if _EXCEPTION.match(line) and _HARMLESS not in line]
    if not starts:
        errors = [line for line in lines if "ERROR" in line]
        return errors[-1] if errors else ""
    said = [lines[starts[-1]]]
    for line in lines[starts[-1] + 1 :]:
        if _NEXT_ENTRY.match(line):
            break
        said.append(line)
    return " ".join(said)

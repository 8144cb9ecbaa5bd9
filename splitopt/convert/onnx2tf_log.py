"""Why onnx2tf ended without a model, out of what it printed."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping

from splitopt.base.errors import ModelError, ToolError
from splitopt.base.text import one_line

_FLEX = re.compile(r"\(Flex([A-Za-z0-9]+)\)|TF Select ops: ([A-Za-z0-9]+)|Custom ops: (\w+)")
_FAILED_NODE = re.compile(r"^ERROR: onnx_op_name: (.+)$", re.MULTILINE)
_NODE = re.compile(r"^INFO: onnx_op_type: \S+ onnx_op_name: (.+)$", re.MULTILINE)
_OUT_OF_MEMORY = re.compile(
    r"^(?:\S*MemoryError|\S*ResourceExhaustedError)|bad_alloc|Cannot allocate memory",
    re.MULTILINE,
)
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception)\b")
_NEXT_ENTRY = re.compile(r"(?:ERROR|INFO|WARNING|WARN|Traceback|=+)\b")
_HARMLESS = "'onnxsim'"  # it runs that as a program, and goes on without it
_LONGEST = 400


class UnmappedError(ModelError):
    """The converter fell back on TensorFlow's own ops, which TFLM cannot run."""

    def __init__(self, ops: tuple[str, ...]) -> None:
        super().__init__(f"onnx2tf found no TFLite op for TensorFlow's {', '.join(ops)}")
        self.ops = ops


def failure(
    exit_code: int, log: str, node_names: Mapping[str, str] | None = None
) -> ModelError | ToolError:
    """`exit_code` is negative for the signal that ended it; `node_names`: name in the converter's
    input → the user's. ToolError where a package is absent or memory did not suffice."""
    said, node = last_words(log, node_names)
    if _OUT_OF_MEMORY.search(log) or exit_code == -signal.SIGKILL:
        return ToolError(
            f"onnx2tf ran out of memory{node} ({_ending(exit_code)}): {said}; convert where there "
            "is more of it, or calibrate on fewer samples"
        )
    if exit_code < 0:
        return ModelError(
            f"onnx2tf could not convert the model{node}: ended by {_signal(-exit_code)}: a crash "
            f"of the converter, not an answer of it; its last line: {said}"
        )
    absent = re.search(r"No module named '?([A-Za-z0-9_.]+)", log)
    if absent and absent[1].startswith("onnx2tf.ops."):
        return ModelError(f"onnx2tf has no operator {absent[1].removeprefix('onnx2tf.ops.')}{node}")
    if absent:
        return ToolError(
            f"{absent[1]} is absent, which ONNX input needs: pip install 'splitopt[onnx]'"
        )
    foreign = dict.fromkeys("".join(names) for names in _FLEX.findall(log))
    if foreign:
        return UnmappedError(tuple(foreign))
    return ModelError(f"onnx2tf could not convert the model{node} ({_ending(exit_code)}): {said}")


def last_words(log: str, node_names: Mapping[str, str] | None = None) -> tuple[str, str]:
    """The converter's reason, else its last line, and ` at ONNX node …` where it says which."""
    nodes = _FAILED_NODE.findall(log) or _NODE.findall(log)
    name = nodes[-1].removeprefix("wa") if nodes else ""
    name = (node_names or {}).get(name, name)
    node = f" at ONNX node {one_line(name)!r}" if name else ""
    last = next((line for line in reversed(log.splitlines()) if line.strip()), "")
    return one_line(_reason(log) or last)[:_LONGEST] or "it printed nothing", node


def _ending(exit_code: int) -> str:
    return _signal(-exit_code) if exit_code < 0 else f"exit code {exit_code}"


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

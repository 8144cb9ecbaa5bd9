"""Child process: which of the model files named on the command line the tflite-micro wheel runs.

Each runs in a fork of its own, since TFLM ends the process where a check of its own fails.
Prints a line per file: `1` where AllocateTensors and Invoke succeed, `0` where they do not.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as fb
from tflite_micro.python.tflite_micro import runtime

_ARENA_BYTES = 1 << 20


def _run(path: str) -> None:
    interpreter = runtime.Interpreter.from_file(path, arena_size=_ARENA_BYTES)
    for position in range(_inputs(path)):
        details = interpreter.get_input_details(position)
        with contextlib.suppress(ValueError, TypeError, SystemError):  # a type it cannot be fed
            interpreter.set_input(np.ones(details["shape"], details["dtype"]), position)
    interpreter.invoke()


def _inputs(path: str) -> int:
    return int(fb.Model.GetRootAs(Path(path).read_bytes()).Subgraphs(0).InputsLength())


def _survives(path: str) -> bool:
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    code = 1
    try:
        os.close(2)
        _run(path)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    for path in sys.argv[1:]:
        print(int(_survives(path)), flush=True)

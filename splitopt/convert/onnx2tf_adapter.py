"""onnx2tf as a child process: ONNX bytes and calibration arrays in, full-integer int8 .tflite out.

The one place that knows how it is called. It fetches a sample array over the network for every
image input unless a file of that name lies in its folder, and it runs onnxsim as a program.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from splitopt.base.errors import SplitoptError, ToolError
from splitopt.base.owned_folder import scratch_folder
from splitopt.convert.cache import default_folder, keep_log
from splitopt.convert.onnx2tf_log import failure, last_words
from splitopt.convert.signature import in_order_of
from splitopt.runtime.arrays import Array
from splitopt.runtime.bound_process import bound_command
from splitopt.runtime.worker_process import run_in_group

DEFAULT_COMMAND = (sys.executable, "-m", "onnx2tf")
_SAMPLE_FILE = "calibration_image_sample_data_20x128x128x3_float32.npy"
_SAMPLE_SHAPE = (20, 128, 128, 3)
_FLOAT = "*_float32.tflite"
_RESULT = "*_full_integer_quant.tflite"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LOG_BYTES = 1 << 20
_MEMORY_BYTES = 16 << 30  # of address space, of which TensorFlow reserves much
_NOWHERE = "http://127.0.0.1:9"  # what would fetch something fails at once


@dataclass(frozen=True)
class Converted:
    """A full-integer model, what the converter printed, and how long it took.

    `tflite`: inputs as the calibration lists them, outputs as the ONNX model does.
    `float_tflite`: the float model that it was quantised from; empty where there was none.
    """

    tflite: bytes
    float_tflite: bytes
    log: str
    wall_s: float


def convert(
    onnx: bytes,
    calibration: Mapping[str, Array],
    *,
    command: Sequence[str] = DEFAULT_COMMAND,
    timeout_s: float = 600.0,
    logs: Path | None = None,
    node_names: Mapping[str, str] | None = None,
) -> Converted:
    """`calibration`: an array [N, ...] for each input by name, channels last, ready for the model.

    Any number of inputs of any rank, as long as each has as many samples as the others.
    Raises: ToolError where the tool is missing, takes too long or ends without a result;
    ModelError where it says that it cannot convert. Then nothing is left behind but what it
    printed: the message says where in `logs` (default: the user's cache) that is. `node_names`:
    name of a node in `onnx` → what messages call it.
    """
    assert len({len(samples) for samples in calibration.values()}) == 1, "samples differ in number"
    with scratch_folder("onnx2tf") as folder:
        (folder / "model.onnx").write_bytes(onnx)
        np.save(folder / _SAMPLE_FILE, np.zeros(_SAMPLE_SHAPE, np.float32))
        words = [*command, "-i", "model.onnx", "-o", "out", "-oiqt", "-qt", "per-channel"]
        for number, (input_name, samples) in enumerate(calibration.items()):
            file = f"calibration_{number}.npy"
            np.save(folder / file, samples.astype(np.float32))
            rank = samples.ndim
            words += ["-cind", input_name, file, _nested("0", rank), _nested("1", rank)]
        started = time.monotonic()
        try:
            exit_code = _run(words, folder, timeout_s)
            log = _tail(folder / "log")
            results = sorted((folder / "out").glob(_RESULT))
            if exit_code != 0 or not results:
                raise failure(exit_code, log, node_names)
        except subprocess.TimeoutExpired:
            raise _with_log(_too_slow(timeout_s, folder, node_names), folder, logs) from None
        except SplitoptError as error:
            raise _with_log(error, folder, logs) from error.__cause__
        floats = [file.read_bytes() for file in sorted((folder / "out").glob(_FLOAT))]
        tflite = in_order_of(results[0].read_bytes(), [*calibration])
        return Converted(tflite, b"".join(floats[:1]), log, time.monotonic() - started)


def _run(words: Sequence[str], folder: Path, timeout_s: float) -> int:
    bin_folder = str(Path(shutil.which(words[0]) or sys.executable).parent)
    environment = {
        **{name: value for name, value in os.environ.items() if name.lower() != "no_proxy"},
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), _NOWHERE),
        "PATH": os.pathsep.join([bin_folder, os.environ.get("PATH", "")]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONHASHSEED": "0",
    }
    with (folder / "log").open("wb") as log:
        try:
            if shutil.which(words[0], path=environment["PATH"]) is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            words = bound_command(words, _MEMORY_BYTES)
            return run_in_group(words, folder, environment, log, log, timeout_s)
        except OSError as error:
            raise ToolError(
                f"{words[0]}: cannot be started ({error.strerror}); see convert.command"
            ) from error


def _too_slow(timeout_s: float, folder: Path, node_names: Mapping[str, str] | None) -> ToolError:
    said, node = last_words(_tail(folder / "log"), node_names)
    return ToolError(
        f"onnx2tf took longer than {timeout_s:g} s{node}; raise convert.time_limit_s; its last "
        f"line: {said}"
    )


def _with_log(error: SplitoptError, folder: Path, logs: Path | None) -> SplitoptError:
    """The error with the place where what the converter printed is kept, if it did."""
    printed = _tail(folder / "log")
    if printed:
        error.args = (f"{error}; its log: {keep_log(logs or default_folder(), printed)}",)
    return error


def _nested(value: str, rank: int) -> str:
    """`0`, rank 4 → `[[[[0]]]]`, which broadcasts over any sample."""
    return "[" * rank + value + "]" * rank


def _tail(file: Path) -> str:
    with file.open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_BYTES))
        text = log.read().decode("utf-8", "replace")
    return _COLOUR.sub("", text)

"""The check of an export, built for QEMU's mps3-an547 and run there: a board's log, but for cycles.

The simulated program's start-up and semihosting stand for a board's; the counter is that of
tests/workflows/qemu_counter.h.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from host_builds import finished_process

from splitopt.runtime.program import COMPILER, runner_folder
from splitopt.runtime.simulator import QEMU
from splitopt.runtime.tflm_library import TflmLibrary, find_library

PORT = Path(__file__).parent / "workflows" / "qemu_counter.h"
FLAGS = (
    "-std=c++17", "-O2", "-mcpu=cortex-m55", "-mfloat-abi=hard", "-mthumb", "-fno-exceptions",
    "-fno-rtti", "-fno-threadsafe-statics", "-fno-use-cxa-atexit", "-ffunction-sections",
    "-fdata-sections", "-DTF_LITE_STATIC_MEMORY", "-DNDEBUG",
)  # fmt: skip
TFLM_HEADERS = """\
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
"""
_MACHINE = (
    *("-M", "mps3-an547", "-nographic", "-monitor", "none", "-serial", "none"),
    *("-chardev", "stdio,id=out", "-semihosting-config", "enable=on,target=native,chardev=out"),
    *("-icount", "shift=5,sleep=off"),
)


def board_log(
    exported: Path, scratch: Path, *flags: str, library: TflmLibrary | None = None
) -> str:
    """What the check of a cmake export prints. For tests that need "compiler", "qemu", "tflm"."""
    program = built(exported, scratch, *flags, library=library)
    done = finished_process([QEMU, *_MACHINE, "-kernel", str(program)])
    return done.stdout


def built(
    exported: Path,
    scratch: Path,
    *flags: str,
    library: TflmLibrary | None = None,
    before: Sequence[Path] = (),
) -> Path:
    """The ELF file; `before`: objects that come before the library's."""
    found, sim = library or find_library(None), runner_folder() / "sim"
    sources = shutil.copytree(exported, scratch / "sources")
    for name in ("startup.cc", "console.cc"):
        shutil.copy(sim / name, sources)
    (sources / "check_main.cc").write_text(
        '#include "check.h"\nint main() { return splitopt::RunCheck(); }\n'
    )
    includes = [f"-I{path}" for path in (sources, *found.include)]
    program, headers = scratch / "check.elf", scratch / "tflm.h"
    headers.write_text(TFLM_HEADERS)
    compiler = [COMPILER, *FLAGS, *(f"-D{name}" for name in found.defines), *includes, *flags]
    run([*compiler, "-x", "c++-header", str(headers), "-o", f"{headers}.gch"])  # parsed once
    words = [
        *compiler,
        *("-include", str(headers), f'-DSPLITOPT_CHECK_PORT="{PORT}"'),
        *("-T", str(sim / "m55.ld"), "-nostartfiles", "--specs=nosys.specs", "-Wl,--gc-sections"),
        *map(str, sorted(sources.glob("*.cc"))),
        *(*map(str, before), str(found.library), "-lm", "-o", str(program)),
    ]
    run(words)
    return program


def run(words: list[str]) -> None:
    done = finished_process(words)
    assert done.returncode == 0, done.stderr[-4000:]

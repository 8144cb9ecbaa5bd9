"""The program that runs in the simulator, compiled once for each build of the TFLM library."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from splitopt.base.errors import ToolError
from splitopt.base.owned_folder import owned_folder, scratch_folder
from splitopt.runtime.bound_process import bound_command
from splitopt.runtime.op_resolver import any_op_header
from splitopt.runtime.tflm_library import TflmLibrary
from splitopt.runtime.worker_process import run_in_group

COMPILER = "arm-none-eabi-g++"
PACKAGES = "gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib"
_TIMEOUT_S = 300.0
_MEMORY_BYTES = 8 << 30
BARE_SOURCES = ("sim/startup.cc", "sim/console.cc", "sim/line.cc")
"""Start-up and output, which need no TFLM."""
RUNNER_SOURCES = (
    *("splitopt_runner.cc", "splitopt_plan.cc", "splitopt_copies.cc"),
    *("splitopt_stream.cc", "splitopt_store.cc", "splitopt_build.cc"),
)
RUNNER_HEADERS = (
    *("splitopt_runner.h", "splitopt_plan.h", "splitopt_ends.h", "splitopt_build.h"),
    *("splitopt_rows.h", "splitopt_store.h", "splitopt_stream.h", "splitopt_copies.h"),
)
_SOURCES = (*RUNNER_SOURCES, "sim/main.cc", "sim/stopwatch.cc", *BARE_SOURCES)
_FLAGS = (
    "-std=c++17", "-O2", "-mcpu=cortex-m55", "-mfloat-abi=hard", "-mthumb", "-fno-exceptions",
    "-fno-rtti", "-fno-threadsafe-statics", "-fno-use-cxa-atexit", "-fno-unwind-tables",
    "-ffunction-sections", "-fdata-sections", "-DTF_LITE_STATIC_MEMORY", "-DNDEBUG",
)  # fmt: skip
_LINK = ("-nostartfiles", "--specs=nosys.specs", "-Wl,--gc-sections")


def build_program(
    library: TflmLibrary, cache: Path, *, zero_arena: bool = False, timeout_s: float = _TIMEOUT_S
) -> Path:
    """The ELF file that runs any job, kept in `cache` under a hash of all that it is made of.

    Raises ToolError: the compiler is absent or fails, for instance on a library of another ABI.
    """
    defines = (f"SPLITOPT_ZERO_ARENA={int(zero_arena)}", *library.defines)
    words = [*(f"-D{name}" for name in defines), *(f"-I{path}" for path in library.include)]
    return link_program(_SOURCES, words, library.library, cache, timeout_s)


def runner_folder() -> Path:
    """The C++ sources that come with splitopt."""
    return Path(str(files("splitopt.runtime") / "runner"))


def require_compiler() -> str:
    """The cross compiler. Raises ToolError with the Debian packages that have it."""
    found = shutil.which(COMPILER)
    if found is None:
        raise ToolError(f"{COMPILER} is absent: apt-get install {PACKAGES}")
    return found


def link_program(
    sources: Sequence[str],
    options: Sequence[str],
    user_file: Path,
    cache: Path,
    timeout_s: float = _TIMEOUT_S,
) -> Path:
    """The ELF file of some of the runner's `sources` and of a source or library of the user's.

    Raises ToolError.
    """
    compiler, source, resolver = require_compiler(), runner_folder(), any_op_header()
    words = [*_FLAGS, *options, f"-I{source}", f"-I{source / 'sim'}"]
    inputs = [*(str(source / name) for name in sources), str(user_file)]
    facts = (words, inputs, resolver, _compiler_version(compiler))
    digest = hashlib.sha256(repr(facts).encode())
    for file in [*sorted(source.rglob("*")), user_file]:
        if file.is_file():
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    target = cache / f"sim-{digest.hexdigest()[:24]}.elf"
    if target.is_file():
        return target
    with scratch_folder("build") as folder:
        (folder / "resolver.h").write_text(resolver, "utf-8")
        command = [compiler, *words, f"-I{folder}", "-T", str(source / "sim" / "m55.ld"), *_LINK,
                   *inputs, "-lm", "-o", str(folder / "sim.elf")]  # fmt: skip
        with (folder / "log").open("wb") as log:
            try:
                bound = bound_command(command, _MEMORY_BYTES)
                code = run_in_group(bound, folder, os.environ, log, log, timeout_s)
            except subprocess.TimeoutExpired:
                raise ToolError(f"{COMPILER} took longer than {timeout_s:g} s") from None
        if code != 0:
            raise _failure((folder / "log").read_text("utf-8", "replace"))
        cache.mkdir(parents=True, exist_ok=True)
        with owned_folder(cache, ".partial-") as partial:
            shutil.copyfile(folder / "sim.elf", partial / target.name)
            (partial / target.name).replace(target)
    return target


def _compiler_version(compiler: str) -> str:
    done = subprocess.run(  # noqa: S603 - a list of words, no shell
        [compiler, "--version"], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout.splitlines()[0] if done.stdout else ""


def _failure(log: str) -> ToolError:
    lines = [line.strip() for line in log.splitlines() if "error" in line or "undefined" in line]
    said = lines[0][:240] if lines else "no reason given"
    error = ToolError(f"{COMPILER} could not build the simulator's program: {said}")
    error.add_note(log[-4096:])
    return error

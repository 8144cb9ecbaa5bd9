"""The simulator's program, compiled against the user's TFLM library, once for each library."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from splitopt.base.errors import ToolError
from splitopt.runtime.child import run_in_group
from splitopt.runtime.leash import leashed
from splitopt.runtime.op_resolver import any_op_header
from splitopt.runtime.tflm_library import TflmLibrary

COMPILER = "arm-none-eabi-g++"
PACKAGES = "gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib"
_TIMEOUT_S = 300.0
_MEMORY_BYTES = 8 << 30
_SOURCES = ("splitopt_runner.cc", "sim/startup.cc", "sim/console.cc")
_FLAGS = (
    "-std=c++17", "-O2", "-mcpu=cortex-m55", "-mfloat-abi=hard", "-mthumb", "-fno-exceptions",
    "-fno-rtti", "-fno-threadsafe-statics", "-fno-use-cxa-atexit", "-fno-unwind-tables",
    "-ffunction-sections", "-fdata-sections", "-DTF_LITE_STATIC_MEMORY", "-DNDEBUG",
)  # fmt: skip
_LINK = ("-nostartfiles", "--specs=nosys.specs", "-Wl,--gc-sections")


def build_program(
    library: TflmLibrary, cache: Path, *, zero_arena: bool = False, timeout_s: float = _TIMEOUT_S
) -> Path:
    """The ELF file that runs any job; kept in `cache` by the content of what it is made of.

    Raises ToolError: the compiler is absent or refuses, the library has another ABI, say.
    """
    source = runner_folder()
    defines = [
        f"-DSPLITOPT_ZERO_ARENA={int(zero_arena)}",
        *(f"-D{name}" for name in library.defines),
    ]
    includes = [f"-I{path}" for path in library.include]
    words = [*_FLAGS, *defines, f"-I{source}", f"-I{source / 'sim'}", *includes]
    inputs = [*(str(source / name) for name in (*_SOURCES, "sim/main.cc")), str(library.library)]
    return _linked(words, inputs, source, cache, library.library, timeout_s)


def build_self_test(main: Path, cache: Path, timeout_s: float = _TIMEOUT_S) -> Path:
    """A program of another `main`, on start-up, console and counter alone: needs no TFLM."""
    source = runner_folder()
    words = [*_FLAGS, f"-I{source / 'sim'}"]
    inputs = [str(source / name) for name in _SOURCES if name.startswith("sim/")]
    return _linked(words, [*inputs, str(main)], source, cache, main, timeout_s)


def runner_folder() -> Path:
    """The C++ sources that come with splitopt."""
    return Path(str(files("splitopt.runtime") / "runner"))


def require_compiler() -> str:
    """Raises ToolError with the Debian packages that have it."""
    found = shutil.which(COMPILER)
    if found is None:
        raise ToolError(f"{COMPILER} is absent: apt-get install {PACKAGES}")
    return found


def _linked(
    words: Sequence[str],
    inputs: Sequence[str],
    source: Path,
    cache: Path,
    user_file: Path,
    timeout_s: float,
) -> Path:
    compiler = require_compiler()
    resolver = any_op_header()
    facts = (words, inputs, resolver, _compiler_version(compiler))
    digest = hashlib.sha256(repr(facts).encode())
    for file in [*sorted(source.rglob("*")), user_file]:
        if file.is_file():
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    target = cache / f"sim-{digest.hexdigest()[:24]}.elf"
    if target.is_file():
        return target
    with tempfile.TemporaryDirectory(prefix="splitopt-build-") as name:
        folder = Path(name)
        (folder / "resolver.h").write_text(resolver, "utf-8")
        command = [compiler, *words, f"-I{folder}", "-T", str(source / "sim" / "m55.ld"), *_LINK,
                   *inputs, "-lm", "-o", str(folder / "sim.elf")]  # fmt: skip
        with (folder / "log").open("wb") as log:
            try:
                leash = leashed(command, _MEMORY_BYTES)
                code = run_in_group(leash, folder, os.environ, log, log, timeout_s)
            except subprocess.TimeoutExpired:
                raise ToolError(f"{COMPILER} took longer than {timeout_s:g} s") from None
        if code != 0:
            raise _refused((folder / "log").read_text("utf-8", "replace"))
        cache.mkdir(parents=True, exist_ok=True)
        partial = cache / f".partial-{os.getpid()}.elf"
        shutil.copyfile(folder / "sim.elf", partial)
        partial.replace(target)
    return target


def _compiler_version(compiler: str) -> str:
    done = subprocess.run(  # noqa: S603 - a list of words, no shell
        [compiler, "--version"], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout.splitlines()[0] if done.stdout else ""


def _refused(log: str) -> ToolError:
    lines = [line.strip() for line in log.splitlines() if "error" in line or "undefined" in line]
    said = lines[0][:240] if lines else "no reason given"
    error = ToolError(f"{COMPILER} could not build the simulator's program: {said}")
    error.add_note(log[-4096:])
    return error

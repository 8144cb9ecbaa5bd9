"""Exported sources, built and run on this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from limits import seconds
from needs import HOST_VARIABLE

from splitopt.graph.registered_ops import REGISTERED
from splitopt.runtime.op_resolver import add_call
from splitopt.runtime.program import RUNNER_SOURCES, runner_folder
from splitopt.runtime.tflm_library import VARIABLE, TflmLibrary, find_library

STAND_IN = Path(__file__).parent / "workflows" / "tflm_stand_in"
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-std=c++17", "-fno-exceptions", "-fno-rtti")
SANITISERS = "-fsanitize=address,undefined -fno-sanitize-recover=all"


def said_with_stand_in(check: Path, program: Path, *flags: str) -> str:
    """What a check of the runner prints, built against the stand-in with the sanitisers on; TFLM
    itself is not in this."""
    runner = [runner_folder() / name for name in RUNNER_SOURCES if name != "splitopt_build.cc"]
    sources = [*map(str, (check, *runner, STAND_IN / "build.cc"))]
    words = ["g++", *WARNINGS, "-g", *SANITISERS.split(), f"-I{STAND_IN}", f"-I{runner_folder()}"]
    for command in ([*words, *flags, *sources, "-o", str(program)], [str(program)]):
        done = finished_process(command)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def write_resolver_stand_in(folder: Path) -> None:
    """The header of TFLM by which an op resolver is made, beside those of the stand-in."""
    micro = folder / "tensorflow" / "lite" / "micro" / "micro_mutable_op_resolver.h"
    micro.parent.mkdir(parents=True)
    calls = "".join(
        f"  TfLiteStatus {add_call(op)}() {{ return kTfLiteOk; }}\n" for op in sorted(REGISTERED)
    )
    micro.write_text(
        '#pragma once\n#include "tensorflow/lite/micro/micro_op_resolver.h"\n'
        "namespace tflite {\ntemplate <unsigned>\nclass MicroMutableOpResolver "
        f": public MicroOpResolver {{\n public:\n{calls}}};\n}}\n"
    )


def host_library() -> TflmLibrary:
    """For tests that need "host tflm"."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, os.environ[HOST_VARIABLE])
        return find_library(None)


def checked(out: Path) -> str:
    """The last line that the check of an exported folder prints. With the sanitisers on, where the
    library has them."""
    found, build = host_library(), out / "build"
    is_sanitised = b"__asan_report" in found.library.read_bytes()
    configure = [
        *("cmake", "-S", str(out), "-B", str(build), "-DSPLITOPT_CHECK=ON"),
        f"-DCMAKE_CXX_FLAGS={SANITISERS if is_sanitised else ''} -Wall -Wextra",
        f"-DTFLM_INCLUDE={';'.join(map(str, found.include))}",
        f"-DTFLM_LIBRARY={found.library}",
        f"-DTFLM_DEFINES={';'.join(('TF_LITE_STATIC_MEMORY', *found.defines))}",
    ]
    commands = configure, ["cmake", "--build", str(build)]
    for words in commands:
        done = finished_process(words)
        assert done.returncode == 0, done.stdout + done.stderr
    for words in ([str(path)] for path in build.glob("splitopt_*_check")):
        done = finished_process(words)
        assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


def finished_process(words: list[str]) -> subprocess.CompletedProcess[str]:
    limit = seconds(300)
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=limit)

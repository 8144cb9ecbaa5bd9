"""Exported sources, built and run on this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from limits import seconds
from needs import HOST_VARIABLE

from splitopt.runtime.program import RUNNER_SOURCES, runner_folder
from splitopt.runtime.tflm_library import VARIABLE, TflmLibrary, find_library

SANITISERS = "-fsanitize=address,undefined -fno-sanitize-recover=all"


def stand_in_sources(stand_in: Path) -> list[Path]:
    """The runner's sources for a build against the stand-in for TFLM."""
    sources = [runner_folder() / name for name in RUNNER_SOURCES if name != "splitopt_build.cc"]
    return [*sources, stand_in / "build.cc"]


def host_library() -> TflmLibrary:
    """For tests that need "host tflm"."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, os.environ[HOST_VARIABLE])
        return find_library(None)


def checked(out: Path) -> str:
    """What the check of an exported folder says. With the sanitisers on, where the library has
    them."""
    found, build = host_library(), out / "build"
    is_sanitised = b"__asan_report" in found.library.read_bytes()
    configure = [
        *("cmake", "-S", str(out), "-B", str(build), "-DSPLITOPT_CHECK=ON"),
        f"-DCMAKE_CXX_FLAGS={SANITISERS if is_sanitised else ''} -Wall -Wextra",
        f"-DTFLM_INCLUDE={';'.join(map(str, found.include))}",
        f"-DTFLM_LIBRARY={found.library}",
        f"-DTFLM_DEFINES={';'.join(('TF_LITE_STATIC_MEMORY', *found.defines))}",
    ]
    for words in (configure, ["cmake", "--build", str(build)], [str(build / "splitopt_check")]):
        done = finished_process(words)
        assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def finished_process(words: list[str]) -> subprocess.CompletedProcess[str]:
    limit = seconds(300)
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=limit)

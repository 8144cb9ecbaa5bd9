"""Two exports of different models in one firmware: names of their own, one runner."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from board_logs import TINY_LOG
from host_builds import STAND_IN, finished_process, write_resolver_stand_in

from splitopt.config.job import read_job
from splitopt.workflows.export.exported import export_bundle
from splitopt.workflows.export.layouts import Layout
from splitopt.workflows.run import run_job

GOLDEN = TINY_LOG.parents[1] / "bundle_v1"
MAIN = """\
#include <cstdio>

#include "one_model.h"
#include "other_model.h"

int tflite::MicroInterpreter::alive = 0;

alignas(16) static std::uint8_t a[one_model::kRegionBytes], b[other_model::kRegionBytes];

int main() {
  one_model::Resolver one_ops;
  other_model::Resolver other_ops;
  splitopt::Runner one(one_model::kPlan, one_ops, a, sizeof(a));
  splitopt::Runner other(other_model::kPlan, other_ops, b, sizeof(b));
  std::printf("%d %d %d\\n", one.Prepare().ok(), other.Prepare().ok(),
              one_model::kPlan.models_hash != other_model::kPlan.models_hash);
}
"""
CMAKE = """\
cmake_minimum_required(VERSION 3.16)
project(firmware CXX)
set(TFLM_INCLUDE "@INCLUDE@")
add_subdirectory(one)
add_subdirectory(other)
add_executable(firmware main.cc)
target_link_libraries(firmware splitopt_one_model splitopt_other_model)
"""
ZEPHYR = """\
cmake_minimum_required(VERSION 3.16)
project(firmware CXX)
set(CMAKE_CXX_STANDARD 17)
add_executable(firmware main.cc)
macro(zephyr_library_named name)
  set(current ${name})
  add_library(${name} STATIC)
  target_link_libraries(firmware PRIVATE -Wl,--whole-archive ${name} -Wl,--no-whole-archive)
endmacro()
function(zephyr_include_directories)
  target_include_directories(firmware PRIVATE ${ARGN})
  include_directories(${ARGN})
endfunction()
function(zephyr_library_sources)
  target_sources(${current} PRIVATE ${ARGN})
endfunction()
function(zephyr_library_compile_definitions)
  target_compile_definitions(${current} PRIVATE ${ARGN})
endfunction()
function(zephyr_library_compile_options)
  target_compile_options(${current} PRIVATE ${ARGN})
endfunction()
include_directories(@INCLUDE@)
set(CONFIG_ONE_MODEL y)
set(CONFIG_OTHER_MODEL y)
set(CONFIG_OTHER_MODEL_ZERO_ARENA y)
add_subdirectory(one/zephyr)
add_subdirectory(other/zephyr)
"""


@pytest.fixture(scope="module")
def other_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("run")
    job = home / "other.yaml"
    job.write_text(f"model: {{path: {GOLDEN / 'pieces' / '00.tflite'}}}\nboard: corstone300_256k\n")
    return run_job(read_job(job), out=home / "out", verify=False).folder


def project(home: Path, layout: Layout, runs: dict[str, Path], text: str) -> Path:
    """A CMake project of exports; the stand-in has no models that splitopt_build.cc could read."""
    write_resolver_stand_in(home / "include")
    for name, run in runs.items():
        export_bundle(run, home / name, layout=layout, name=name)
        [build] = (home / name).rglob("splitopt_build.cc")
        shutil.copyfile(STAND_IN / "build.cc", build)
    (home / "main.cc").write_text(MAIN)
    include = f"{STAND_IN};{home / 'include'}"
    (home / "CMakeLists.txt").write_text(text.replace("@INCLUDE@", include))
    return home


@pytest.mark.needs("host compiler", "cmake")
@pytest.mark.parametrize(("layout", "text"), [("cmake", CMAKE), ("zephyr", ZEPHYR)])
def test_two_models_are_one_firmware(
    layout: Layout, text: str, other_run: Path, tmp_path: Path
) -> None:
    """Zephyr links whole archives, so that a second runner would be seen."""
    runs = {"one": GOLDEN, "other": other_run}
    home, build = project(tmp_path, layout, runs, text), tmp_path / "build"
    commands = (
        ["cmake", "-S", str(home), "-B", str(build)],
        ["cmake", "--build", str(build), "-j2"],
        [str(build / "firmware")],
    )
    for words in commands:
        done = finished_process(words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "1 1 1\n"


@pytest.mark.needs("host compiler", "cmake")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("CMakeLists.txt", "add_subdirectory(other)", "add_subdirectory(one again)"), "--name"),
        (("CMakeLists.txt", "@INCLUDE@", "nowhere"), "micro_interpreter.h"),
        (("other/CMakeLists.txt", "SPLITOPT_RUNNER)", "NAME)"), "one version"),
    ],
    ids=["the same name", "no TFLM", "another runner"],
)
def test_what_cannot_go_together_is_refused_by_cmake(
    change: tuple[str, str, str], said: str, tmp_path: Path
) -> None:
    file, old, new = change
    home = project(tmp_path, "cmake", {"one": GOLDEN, "other": GOLDEN}, CMAKE)
    text = (home / file).read_text().replace(f"{STAND_IN};{home / 'include'}", "@INCLUDE@")
    assert old in text
    text = text.replace(old, new).replace("@INCLUDE@", f"{STAND_IN};{home / 'include'}")
    (home / file).write_text(text)
    done = finished_process(["cmake", "-S", str(home), "-B", str(tmp_path / "build")])
    assert done.returncode != 0
    assert said in done.stderr

"""What an export says of flash and of RAM beside the region is what files and compiler have."""

from __future__ import annotations

from pathlib import Path

import pytest
from builder import Builder
from host_builds import finished_process
from qemu_checks import FLAGS

from splitopt.graph.tflite_reader import parse_tflite
from splitopt.runtime.program import COMPILER, runner_folder
from splitopt.runtime.tflm_library import find_library
from splitopt.workflows.export.beside import RUNNER_BYTES, STORE_BYTES, beside_text, resolver_bytes
from splitopt.workflows.export.flash import constant_bytes

SIZES = """\
#include "splitopt_runner.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
static_assert(sizeof(splitopt::Runner) == %d);
static_assert(sizeof(splitopt::MemoryStore) == %d);
static_assert(sizeof(tflite::MicroMutableOpResolver<1>) == %d);
static_assert(sizeof(tflite::MicroMutableOpResolver<7>) == %d);
"""


def test_a_buffer_of_several_tensors_counts_once() -> None:
    builder = Builder()
    x, y, z = (builder.typed((1, 64), "INT8") for _ in range(3))
    first, second = (builder.typed((1, 64), "INT8", data=bytes(range(64))) for _ in range(2))
    builder.op("ADD", [x, first], [y])
    builder.op("ADD", [y, second], [z])
    apart = parse_tflite(builder.bytes([x], [z]), name="apart")
    tensors = builder.graph.tensors
    tensors[second].buffer = tensors[first].buffer
    shared = parse_tflite(builder.bytes([x], [z]), name="shared")
    assert (constant_bytes(apart), constant_bytes(shared)) == (128, 64)


@pytest.mark.needs("compiler", "tflm")
def test_objects_are_as_large_as_the_readme_says(tmp_path: Path) -> None:
    source = tmp_path / "sizes.cc"
    source.write_text(SIZES % (RUNNER_BYTES, STORE_BYTES, resolver_bytes(1), resolver_bytes(7)))
    folders = [f"-I{path}" for path in (runner_folder(), *find_library(None).include)]
    done = finished_process([COMPILER, *FLAGS, *folders, "-fsyntax-only", str(source)])
    assert done.returncode == 0, done.stderr


def test_what_lies_beside_the_region_is_named() -> None:
    assert beside_text(1, 0, 32) == (
        "`Runner` 256 B, `Resolver` 48 B (1 op), buffers of the example 32 B"
    )
    assert "`MemoryStore` 12 B each" in beside_text(5, 1, 0)

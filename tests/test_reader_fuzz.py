"""Mutated files: the reader gives a graph or raises ModelError; what it gives can be cut."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from handmade import branches, dense, diamond, with_custom_op, with_variable

from splitopt.errors import ModelError
from splitopt.graph.segments import segment_of
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.pieces.writer import write_piece

REPOSITORY = Path(__file__).resolve().parents[1]
MEMORY_BYTES = 1_500_000_000
EXTREMES = (0, 1, 2, 4, 8, 16, 64, 255, 65_535, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def seeds() -> list[bytes]:
    models = REPOSITORY / "configs" / "models"
    real = [path.read_bytes() for path in sorted(models.glob("[rsu]*.tflite"))]
    return [
        diamond(),
        dense(),
        dense(bias=False),
        with_custom_op(),
        with_variable(),
        branches(),
        *real,
    ]


def mutants(files: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Flipped bytes, extreme words, cuts and doubled blocks; mostly where the tables are."""
    chance = random.Random(seed)
    for _ in range(count):
        data = bytearray(chance.choice(files))
        for _ in range(chance.choice((1, 1, 2, 4, 8))):
            at = _position(data, chance)
            kind = chance.random()
            if kind < 0.4:
                data[at] = chance.randrange(256)
            elif kind < 0.85 and at + 4 <= len(data):
                word = chance.choice((*EXTREMES, chance.randrange(len(data)), chance.randrange(64)))
                struct.pack_into("<I", data, at, word)
            elif kind < 0.93:
                del data[max(1, at) :]
            else:
                data[at:at] = data[at : at + chance.randrange(64)]
        yield bytes(data)


def _position(data: bytearray, chance: random.Random) -> int:
    """Tables stand at the ends of a file, constants in its middle."""
    near = min(len(data), 4000)
    at = chance.choice(
        (
            chance.randrange(len(data)),
            chance.randrange(near),
            len(data) - 1 - chance.randrange(near),
        )
    )
    return at & ~3 if chance.random() < 0.7 else at


def survive(files: list[bytes], count: int, seed: int) -> tuple[int, int]:
    """(read, refused). Anything but a graph or a ModelError comes up as it is."""
    read = refused = 0
    for data in mutants(files, count, seed):
        try:
            graph = parse_tflite(data, name="mutant")
        except ModelError:
            refused += 1
            continue
        read += 1
        assert len(graph.dag) == len(graph.ops)
        cut_somewhere(data, graph.name)
    return read, refused


def cut_somewhere(data: bytes, name: str) -> None:
    graph = parse_tflite(data, name=name)
    piece = write_piece(graph, segment_of(graph, 0, min(2, len(graph.ops))))
    try:
        parse_tflite(piece, name=name)
    except ModelError as error:
        assert "has no" in str(error), error  # noqa: PT017  a piece of dead ops has no outputs


def test_mutants_are_read_or_refused() -> None:
    read, refused = survive(seeds(), 8_000, seed=1)
    assert read > 1000
    assert refused > 1000


@pytest.mark.slow
def test_many_mutants_are_read_or_refused() -> None:
    for seed in range(10, 40):
        survive(seeds(), 8_000, seed=seed)


def test_mutants_stay_within_memory() -> None:
    """The same in a child that is not given more than 1.5 GB of address space."""
    code = (
        "import resource, test_reader_fuzz as fuzz\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))\n"
        "print(fuzz.survive(fuzz.seeds(), 4000, seed=2))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        env={"PYTHONPATH": str(REPOSITORY), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_small_file_cannot_blow_up_by_sharing_its_tables() -> None:
    """Many tensors that point at one long vector would take time by the product of both."""
    maker_bytes = bytearray(diamond())
    tables = 20_000
    blob = struct.pack("<I", 0) * tables
    data = bytes(maker_bytes) + blob
    with pytest.raises(ModelError):
        parse_tflite(data[:8] + data[4:], name="shifted")

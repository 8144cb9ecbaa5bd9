"""Mutated files: the reader gives a graph or raises ModelError; what it gives can be cut.

Time is bounded by the reader's budget of work, which is asserted by each test's time limit;
memory by running mutants in a child with a limited address space.
"""

from __future__ import annotations

import itertools
import os
import random
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builder import Builder, relu_builder
from limits import seconds
from models import SOUND, sharing_options
from needs import PUBLIC_MODELS, SHARED_MODELS

from splitopt.base.errors import ModelError
from splitopt.graph.segments import segment_of
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.pieces.writer import write_piece

REPOSITORY = Path(__file__).resolve().parents[2]
MODELS = REPOSITORY / "configs" / "models"
IMPORTS = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])
MEMORY_BYTES = 1_500_000_000
EXTREMES = (0, 1, 2, 3, 4, 8, 16, 64, 127, 255, 65_535, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@dataclass(frozen=True)
class Seed:
    """A sound file, and where its mutations are likely to hit something."""

    data: bytes

    @cached_property
    def offsets(self) -> tuple[tuple[int, int], ...]:
        """(position, target) of the words that look like offsets to tables."""
        words = np.frombuffer(self.data[: len(self.data) // 4 * 4], "<u4").astype(np.int64)
        found = []
        for at in np.flatnonzero((words > 0) & (words < len(self.data))).tolist():
            target = 4 * at + int(words[at])
            if _is_table(self.data, target):
                found.append((4 * at, target))
        return tuple(found)


def _is_table(data: bytes, at: int) -> bool:
    if at + 4 > len(data):
        return False
    vtable = at - struct.unpack_from("<i", data, at)[0]
    if not 0 <= vtable <= len(data) - 4:
        return False
    vtable_bytes, table_bytes = struct.unpack_from("<HH", data, vtable)
    return vtable_bytes in range(4, 60, 2) and table_bytes in range(4, 120)


def handmade() -> list[Seed]:
    return [Seed(make()) for make in SOUND.values()]


def files_in(folder: Path) -> list[Seed]:
    return [Seed(path.read_bytes()) for path in sorted(folder.glob("*.tflite"))]


def public() -> list[Seed]:
    return [Seed((SHARED_MODELS / f"{name}.tflite").read_bytes()) for name in PUBLIC_MODELS]


def mutants(seeds: Sequence[Seed], count: int, seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    for _ in range(count):
        origin = chance.choice(seeds)
        data = bytearray(origin.data)
        for _ in range(chance.choice((1, 1, 1, 1, 2, 6))):
            _mutate(data, origin, chance)
        yield bytes(data)


def _mutate(data: bytearray, origin: Seed, chance: random.Random) -> None:
    at = _position(data, chance)
    match chance.choices(range(7), (30, 25, 20, 10, 5, 3, 7))[0]:
        case 0:
            data[at] = chance.randrange(256)
        case 1:
            small = chance.randrange(min(64, len(data)))
            _put(data, at, chance.choice((*EXTREMES, small, chance.randrange(len(data)))))
        case 2:
            _redirect(data, origin, chance)
        case 3:
            _swap_words(data, at, _position(data, chance))
        case 4:
            data[at:at] = data[at : at + chance.randrange(64)]
        case 5:
            del data[max(1, at) :]
        case _:
            data[at] ^= 1 << chance.randrange(8)


def _redirect(data: bytearray, origin: Seed, chance: random.Random) -> None:
    """Lets an offset point at the table of another, behind it as offsets must."""
    position, _ = chance.choice(origin.offsets)
    _, target = chance.choice(origin.offsets)
    if target > position:
        _put(data, position, target - position)


def _swap_words(data: bytearray, one: int, other: int) -> None:
    if max(one, other) + 4 <= len(data):
        mine, its = bytes(data[one : one + 4]), bytes(data[other : other + 4])
        data[one : one + 4], data[other : other + 4] = its, mine


def _put(data: bytearray, at: int, word: int) -> None:
    if at + 4 <= len(data):
        struct.pack_into("<I", data, at, word)


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


def survive(seeds: Sequence[Seed], count: int, seed: int) -> tuple[int, int]:
    """(read, refused). Anything but a graph or a ModelError comes up as it is."""
    read = 0
    for number, data in enumerate(mutants(seeds, count, seed)):
        try:
            read += is_read_and_cut(data, number)
        except Exception as error:
            error.add_note(f"mutant {number} of seed {seed}, {len(data)} bytes")
            raise
    return read, count - read


def is_read_and_cut(data: bytes, number: int = 0) -> bool:
    """False where the file is refused; the piece of what is read is a model, or has no ends."""
    try:
        graph = parse_tflite(data, name="mutant")
    except ModelError:
        return False
    assert all(maker < reader for maker, reader in graph.dag.edges)
    start = number % len(graph.ops)
    piece = write_piece(graph, segment_of(graph, start, min(start + 2, len(graph.ops))))
    try:
        parse_tflite(piece, name="piece")
    except ModelError as error:
        assert "has no inputs" in str(error) or "has no outputs" in str(error), error  # noqa: PT017
    return True


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_mutants_are_read_or_refused() -> None:
    for seed in range(100, 120):
        survive(handmade(), 20_000, seed=seed)
        survive(files_in(MODELS), 2_000, seed=seed)


@pytest.mark.slow
@pytest.mark.needs("public models")
def test_many_mutants_of_public_models_are_read_or_refused() -> None:
    read, refused = survive(public(), 500, seed=3)
    assert min(read, refused) > 100


def test_mutants_are_the_same_in_every_run() -> None:
    once, again = (list(mutants(handmade(), 200, seed=4)) for _ in range(2))
    assert once == again
    assert len(set(once)) > 150


def in_a_small_process(call: str) -> str:
    """Result of an expression on this module, in a child that has 1.5 GB of address space."""
    code = (
        "import resource, test_reader_fuzz as fuzz\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))\n"
        f"print({call})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": IMPORTS, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds(100),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("seeds", "count", "seed"),
    [
        ("handmade()", 2_500, 1),
        ("files_in(fuzz.MODELS)", 200, 2),
        pytest.param("public()", 150, 3, marks=pytest.mark.needs("public models")),
        pytest.param("handmade()", 4_500, 5, marks=pytest.mark.slow),
        pytest.param("files_in(fuzz.MODELS)", 1_000, 6, marks=pytest.mark.slow),
    ],
)
def test_mutants_are_read_or_refused_within_memory(seeds: str, count: int, seed: int) -> None:
    """At least a fifth is read, at least a fifth refused."""
    told = in_a_small_process(f"*fuzz.survive(fuzz.{seeds}, {count}, {seed})")
    read, refused = map(int, told.split())
    assert read + refused == count
    assert min(read, refused) > count / 5


class _Once:
    """A table of the generated bindings that is written once, however often it is named."""

    def __init__(self, table: Any) -> None:
        self.table = table
        self.position = 0

    def Pack(self, builder: Any) -> int:  # noqa: N802
        self.position = self.position or self.table.Pack(builder)
        return self.position


def sharing_quantization(tensors: int, channels: int) -> bytes:
    builder = relu_builder()
    builder.tensor([1])
    builder.graph.tensors[-1].quantization.scale = np.ones(channels, np.float32)
    shared = _Once(builder.graph.tensors[-1].quantization)
    builder.graph.tensors[-1].quantization = shared
    for _ in range(tensors):
        builder.graph.tensors[builder.typed([1], "INT8")].quantization = shared
    return builder.bytes([0], [1])


def sharing_an_op(ops: int, inputs: int) -> bytes:
    builder = Builder()
    a, b = builder.tensor([1]), builder.tensor([1])
    builder.op("ADD_N", [a] * inputs, [b])
    builder.graph.operators = [_Once(builder.last_op)] * ops
    return builder.bytes([a], [b])


BOMBS = {
    "options": lambda: sharing_options(ops=4000, extent=200_000),
    "quantization": lambda: sharing_quantization(tensors=4000, channels=1_000_000),
    "ops": lambda: sharing_an_op(ops=50_000, inputs=200_000),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_cannot_blow_up_by_sharing_its_tables(name: str) -> None:
    """Vectors times tables would take many GB; vectors plus tables is what there is."""
    assert in_a_small_process(f"fuzz.is_read_and_cut(fuzz.BOMBS[{name!r}]())") == "False"


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_for_sharing(name: str) -> None:
    with pytest.raises(ModelError, match="share their contents"):
        parse_tflite(BOMBS[name](), name="bomb")


def test_a_long_chain_is_no_bomb() -> None:
    """The model with the least constants for its tables is far from its budget of work."""
    builder = Builder()
    tensors = [builder.typed([], "INT8") for _ in range(3001)]
    for tensor in builder.graph.tensors:
        tensor.name = None
    for source, out in itertools.pairwise(tensors):
        builder.relu(source, out)
    assert len(parse_tflite(builder.bytes([0], [3000]), name="chain").ops) == 3000


def test_the_custom_code_of_a_builtin_op_is_checked_too() -> None:
    """Pieces take it over: one that reaches past the file made each piece as long as the file."""
    builder = relu_builder()
    builder.model.operatorCodes[0].customCode = b"ZZZZQQQQ"
    data = bytearray(builder.bytes([0], [1]))
    _put(data, data.find(b"ZZZZQQQQ") - 4, 0x7FFFFFFF)
    with pytest.raises(ModelError, match="outside the file"):
        parse_tflite(bytes(data), name="m")

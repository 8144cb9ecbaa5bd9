"""Every cut of every model gives two pieces equal to it bit for bit; so does every op by itself.

The unsplit model runs in TFLM twice, as it is and with its activations kept apart; the pieces of
all ways to cut it run in the same worker on the same inputs: all least, all most, and noise.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from limits import seconds

from splitopt.convert.convert import Conversion
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of
from splitopt.graph.tflite_reader import read_tflite
from splitopt.pieces.writer import write_piece
from splitopt.runtime.arrays import Array, arena_bytes, random_inputs
from splitopt.runtime.host import Stage, run_tflm_chain

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"
OPS = {"resnet8": 16, "mbv2": 69, "squeeze": 26, "unet": 13}
SAMPLED_CUTS = 10
SAMPLES = 3
TIMEOUT_S = seconds(200)
Cuts = tuple[int, ...]
Write = Callable[[ModelGraph, Segment], bytes]

each_model = pytest.mark.parametrize("name", OPS)


@pytest.fixture
def int8_model(name: str) -> tuple[ModelGraph, Path]:
    path = MODELS / f"{name}_digits_int8.tflite"
    graph = read_tflite(path)
    assert len(graph.ops) == OPS[name]
    return graph, path


def single_cuts(graph: ModelGraph) -> list[Cuts]:
    return [(cut,) for cut in range(1, len(graph.ops))]


def spread_cuts(graph: ModelGraph, count: int, seed: int) -> list[Cuts]:
    """One cut out of each of at most `count` stretches of the model, of equal length."""
    rng, n = random.Random(seed), len(graph.ops)
    ends = [1 + k * (n - 1) // count for k in range(count + 1)]
    return [(rng.randrange(start, stop),) for start, stop in pairwise(ends) if start < stop]


def every_op_isolated(graph: ModelGraph) -> Cuts:
    return tuple(range(1, len(graph.ops)))


def differing(
    graph: ModelGraph,
    model: Path,
    ways: Sequence[Cuts],
    folder: Path,
    write: Write = write_piece,
) -> dict[Cuts, list[int]]:
    """The tensors that some piece makes unlike the unsplit model, by the way it was cut."""
    split = {cuts: segments_of(graph, cuts) for cuts in ways}
    written = files_of(graph, [s for segments in split.values() for s in segments], folder, write)
    stages = unsplit_stages(graph, model)
    for cuts, segments in split.items():
        stages += [piece_stage(graph, s, written[s.start, s.stop], cuts) for s in segments]
    feeds = zip(graph.inputs, random_inputs(graph, SAMPLES, seed=0), strict=True)
    found = run_tflm_chain(stages, {f"t{t}": feed for t, feed in feeds}, timeout_s=TIMEOUT_S)
    for tensor in graph.outputs:
        assert same(found[f"whole t{tensor}"], found[f"inner t{tensor}"])
    made = {cuts: [t for s in segments for t in s.outputs] for cuts, segments in split.items()}
    assert all(noise_tells(found[f"inner t{t}"]) for tensors in made.values() for t in tensors)
    wrong = {
        cuts: [t for t in tensors if not same(found[f"inner t{t}"], found[f"{cuts} t{t}"])]
        for cuts, tensors in made.items()
    }
    return {cuts: tensors for cuts, tensors in wrong.items() if tensors}


def segments_of(graph: ModelGraph, cuts: Cuts) -> list[Segment]:
    ends = pairwise([0, *cuts, len(graph.ops)])
    return [segment_of(graph, start, stop) for start, stop in ends]


def files_of(
    graph: ModelGraph, segments: Sequence[Segment], folder: Path, write: Write
) -> dict[tuple[int, int], Path]:
    """The pieces by the ops in them."""
    files = {(s.start, s.stop): folder / f"{s.start:02d}-{s.stop:02d}.tflite" for s in segments}
    for segment in segments:
        files[segment.start, segment.stop].write_bytes(write(graph, segment))
    return files


def unsplit_stages(graph: ModelGraph, model: Path) -> list[Stage]:
    """`whole` plans its arena as a user's would; `inner` keeps whatever an op makes."""
    inputs = tuple(f"t{t}" for t in graph.inputs)
    kept = [t for op in graph.ops for t in op.outputs if t not in graph.outputs]
    whole = tuple(f"whole t{t}" for t in graph.outputs)
    inner = tuple(f"inner t{t}" for t in graph.outputs)
    keep = tuple((f"inner t{t}", t) for t in kept)
    size = arena_bytes(graph)
    return [Stage(model, inputs, whole, size), Stage(model, inputs, inner, size, keep)]


def piece_stage(graph: ModelGraph, segment: Segment, file: Path, cuts: Cuts) -> Stage:
    """Reads the model's inputs and what pieces of the same cuts made, of no others."""
    inputs = tuple(f"t{t}" if t in graph.inputs else f"{cuts} t{t}" for t in segment.inputs)
    outputs = tuple(f"{cuts} t{t}" for t in segment.outputs)
    return Stage(file, inputs, outputs, arena_bytes(graph))


def same(want: Array, got: Array) -> bool:
    """As the proof of every run compares: type, shape and every bit."""
    return (want.dtype, want.shape, want.tobytes()) == (got.dtype, got.shape, got.tobytes())


def noise_tells(made: Array) -> bool:
    """Whether it makes a difference what the model is fed, so that equality says something."""
    return not same(made[0], made[-1])


@each_model
def test_pieces_equal_the_model_at_cuts_from_one_end_to_the_other(
    int8_model: tuple[ModelGraph, Path], tmp_path: Path
) -> None:
    graph, path = int8_model
    ways = spread_cuts(graph, SAMPLED_CUTS, seed=len(graph.ops))
    assert len(ways) == SAMPLED_CUTS
    assert differing(graph, path, ways, tmp_path) == {}


@pytest.mark.slow
@each_model
def test_pieces_equal_the_model_at_every_single_cut(
    int8_model: tuple[ModelGraph, Path], tmp_path: Path
) -> None:
    graph, path = int8_model
    assert len(single_cuts(graph)) == len(graph.ops) - 1
    assert differing(graph, path, single_cuts(graph), tmp_path) == {}


@pytest.mark.slow
@each_model
def test_pieces_of_one_op_each_equal_the_model(
    int8_model: tuple[ModelGraph, Path], tmp_path: Path
) -> None:
    graph, path = int8_model
    assert differing(graph, path, [every_op_isolated(graph)], tmp_path) == {}


@pytest.mark.slow
@each_model
def test_every_cut_of_a_model_converted_from_onnx(
    name: str, converted: Callable[[str], Conversion], tmp_path: Path
) -> None:
    path = converted(name).model
    graph = read_tflite(path)
    assert len(graph.ops) == OPS[name]
    ways = [*single_cuts(graph), every_op_isolated(graph)]
    assert differing(graph, path, ways, tmp_path) == {}


@pytest.mark.parametrize("name", ["unet"])
def test_a_wrong_weight_in_one_piece_is_seen_at_its_cut_alone(
    int8_model: tuple[ModelGraph, Path], tmp_path: Path
) -> None:
    graph, path = int8_model
    ways = [(3,), (6,), (9,)]

    def write_with_a_fault(graph: ModelGraph, segment: Segment) -> bytes:
        data = bytearray(write_piece(graph, segment))
        if segment.start == 6:
            constants = [graph.tensors[t] for t in segment.tensors if graph.tensors[t].is_constant]
            weights = max(constants, key=lambda tensor: tensor.bytes)
            data[data.index(bytes(weights.data)) + weights.bytes // 2] ^= 0x80
        return bytes(data)

    wrong = differing(graph, path, ways, tmp_path, write_with_a_fault)
    assert wrong == {(6,): list(graph.outputs)}

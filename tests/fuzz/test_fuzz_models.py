"""Generated graphs over all ops, and structured changes to sound models: each file is planned or
refused in words, within bounded time and memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as fb
from fuzz.generated import generated
from fuzz.mutated import mutated
from fuzz.trial import Findings, try_all
from models import SOUND

from splitopt import Job, SplitoptError, explain, plan
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.pieces.piece_set import cut_flatbuffer
from splitopt.runtime.model_builder import packed

_EXPLAINED_OF = 4
Named = tuple[str, Callable[[], bytes]]


def graph_file(seed: int) -> bytes:
    return packed(generated(seed).model)


def changed_file(seed: int) -> bytes:
    """A generated or handmade model, changed. Changes that do not pack are tried again."""
    for attempt in range(100):
        chance = random.Random(f"{seed}/{attempt}")
        model = _origin(chance)
        mutated(model, chance)
        try:
            return packed(model)
        except (TypeError, ValueError, OverflowError, AttributeError):
            continue
    raise AssertionError(f"seed {seed}: nothing packs")


def _origin(chance: random.Random) -> Any:
    if chance.random() < 0.8:
        return generated(chance.randrange(10**6)).model
    return fb.ModelT.InitFromPackedBuf(_sound(chance.choice(list(SOUND))), 0)


@cache
def _sound(name: str) -> bytes:
    return SOUND[name]()


def plan_and_cut(data: bytes, folder: Path) -> str:
    """`planned`, or the class of the error that refused it."""
    path = folder / "model.tflite"
    path.write_bytes(data)
    job = Job.of(
        model=path,
        board="corstone300_256k",
        objective={"minimise": "smallest"},
        solve={"time_limit_s": 2},
    )
    try:
        planned = plan(job)
        for files in cut_flatbuffer(planned.graph, planned.plan).files:
            for piece in files:
                parse_tflite(piece, name="piece")
        if sum(data) % _EXPLAINED_OF == 0:
            explain(path, job.board.name)
    except SplitoptError as error:
        return type(error).__name__
    return "planned"


def files(graphs: int, changes: int, first_seed: int) -> Iterator[Named]:
    for seed in range(first_seed, first_seed + graphs):
        yield f"graph {seed}", partial(graph_file, seed)
    for seed in range(first_seed, first_seed + changes):
        yield f"change {seed}", partial(changed_file, seed)


def _report(found: Findings) -> None:
    print(dict(found.ends), f"slowest {found.slowest_s:.1f} s, {found.peak_bytes:,} bytes resident")
    assert not found.faults, f"{len(found.faults)} faults:\n" + "\n".join(found.faults[:5])


@pytest.mark.timeout(600)
def test_generated_and_changed_models_are_planned_or_refused() -> None:
    found = try_all(plan_and_cut, files(60, 140, first_seed=1))
    _report(found)
    assert found.ends["planned"] > 40
    assert found.ends["ModelError"] > 40


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_many_generated_and_changed_models_are_planned_or_refused() -> None:
    _report(try_all(plan_and_cut, files(6_000, 14_000, first_seed=100_000)))


def test_files_are_the_same_in_every_run() -> None:
    once, again = ([make() for _, make in files(20, 40, first_seed=7)] for _ in range(2))
    assert once == again
    assert len(set(once)) > 50

"""Each rule of the Cortex-M55 against a table of what its kernel asked for on the target."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from op_cases import CASES
from op_models import Case, model_of
from op_requests import COPIES, TABLE, OpRequests, Recorder, digest

from splitopt.arena.m55_kernels import RULES
from splitopt.arena.replay import replay
from splitopt.arena.resource_kernels import RESOURCE_OPS
from splitopt.arena.rules import target_rules
from splitopt.base.units import align_up
from splitopt.graph.model import Tensor
from splitopt.graph.segments import whole_model
from splitopt.graph.tflite_reader import parse_tflite

M55 = target_rules("m55")
_TABLE: Mapping[str, Any] = json.loads(TABLE.read_text("utf-8"))
TAKEN = [case for case in CASES if case.name not in _TABLE["refused"]]


@cache
def measured(name: str) -> OpRequests:
    entry = _TABLE["ops"][name]
    blocks = tuple((size, alignment) for size, alignment in entry["persistent"])
    return OpRequests(**{**entry, "persistent": blocks, "scratch": tuple(entry["scratch"])})


def predicted(case: Case) -> OpRequests:
    one = parse_tflite(model_of(case, 1), name="one")
    [memory] = M55.memories(one)
    assert not memory.estimate
    many = parse_tflite(model_of(case, COPIES), name="many")
    arena = replay(many, whole_model(many), M55.memories(many), M55.abi)
    return OpRequests(
        digest(case),
        (
            *([memory.params] if memory.params else []),
            *((s, 16) for s in memory.init + memory.kept),
        ),
        sum(temporary_bytes(one.tensors[tensor]) for tensor in memory.temporaries),
        tuple(align_up(size, 16) for size in memory.scratch),
        arena.used_bytes,
        arena.size_bytes,
    )


def temporary_bytes(tensor: Tensor) -> int:
    """A TfLiteTensor, and its quantisation with an array of zero points."""
    scales = len(tensor.quantization.scales) if tensor.quantization else 0
    return 32 + (12 + 4 + 4 * scales if scales else 0)


def test_the_table_is_of_these_models() -> None:
    assert set(_TABLE["ops"]) == {case.name for case in TAKEN}
    changed = [case.name for case in TAKEN if measured(case.name).model != digest(case)]
    assert not changed, (
        "measure them: SPLITOPT_TFLM=... PYTHONPATH=tests python tests/op_requests.py"
    )


@pytest.mark.parametrize("op", sorted({case.op for case in TAKEN}))
def test_rules_ask_for_what_kernels_ask_for(op: str) -> None:
    cases = [case for case in TAKEN if case.op == op]
    assert {c.name: predicted(c) for c in cases} == {c.name: measured(c.name) for c in cases}


def test_every_rule_was_measured_on_every_type_that_it_names() -> None:
    """Those of resource variables need one another: see test_resource_variables.py."""
    types: dict[str, set[str]] = {}
    for case in TAKEN:
        named = (value.dtype for value in (*case.inputs, *case.outputs) if value)
        types.setdefault(case.op, set()).update(named)
    alone = {op: rule for op, rule in RULES.items() if op not in RESOURCE_OPS}
    assert types.keys() == alone.keys()
    assert not {op: rule.types - types[op] for op, rule in alone.items() if rule.types - types[op]}


@pytest.mark.needs("compiler", "qemu", "tflm")
def test_the_table_is_what_the_target_does(tmp_path: Path) -> None:
    """Requests, used bytes and outcome in the least arena; 16 bytes less do not suffice."""
    recorder = Recorder(tmp_path, TAKEN)
    table = [measured(case.name) for case in TAKEN]
    least = [entry.least_bytes for entry in table]
    assert recorder.used([size - 16 for size in least]) == [None] * len(TAKEN)
    assert recorder.used(least) == [entry.used_bytes for entry in table]
    assert recorder.requests([entry.used_bytes for entry in table], least) == table

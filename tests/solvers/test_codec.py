"""Documents come back as they went, and a wrong key is named."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import buffers, partition_instances

from splitopt.solvers.codec import dumps, loads
from splitopt.solvers.packing.greedy_by_size import plan_greedy
from splitopt.solvers.packing.instance import Buffer, PackingInstance
from splitopt.solvers.packing.plan import PackingPlan
from splitopt.solvers.partition import dp
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.plan import PartitionPlan


@given(st.lists(buffers(pins=True), max_size=5), st.none() | st.integers(0, 99))
def test_packing_round_trip(listed: list[Buffer], capacity: int | None) -> None:
    instance = PackingInstance(tuple(listed), capacity)
    plan = plan_greedy(instance)
    assert loads(dumps(instance), PackingInstance) == instance
    assert loads(dumps(plan), PackingPlan) == plan


@settings(max_examples=50)
@given(partition_instances())
def test_partition_round_trip(instance: PartitionInstance) -> None:
    assert loads(dumps(instance), PartitionInstance) == instance
    plan = dp.solve(instance).plan
    if plan is not None:
        assert loads(dumps(plan), PartitionPlan) == plan


def test_a_key_may_be_a_word() -> None:
    instance = PartitionInstance(1, (Option(0, 1, 16, 0, key="banded"),), ())
    assert loads(dumps(instance), PartitionInstance) == instance


def document() -> dict[str, Any]:
    instance = PartitionInstance(2, (Option(0, 2, 16, 0),), ())
    loaded: dict[str, Any] = json.loads(dumps(instance))
    return loaded


def with_value(path: tuple[str | int, ...], wrong: object) -> str:
    changed = document()
    place: Any = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = wrong
    return json.dumps(changed)


@pytest.mark.parametrize(
    ("path", "wrong", "sentence"),
    [
        (("schema_version",), 2, r"\$\.schema_version: got 2, want 1"),
        (("kind",), "packing_plan", r"\$\.kind: got 'packing_plan', want 'partition_instance'"),
        (("extra",), 1, r"\$\.extra: unknown key"),
        (("value",), [], r"\$\.value: got \[\], want an object"),
        (("value", "n"), "2", r"\$\.value\.n: got '2', want int"),
        (("value", "n"), True, r"\$\.value\.n: got True, want int"),
        (("value", "n"), 0, r"\$\.value: instance: got 0 items"),
        (("value", "capacity"), 1.5, r"\$\.value\.capacity: got 1.5, want int or NoneType"),
        (("value", "options"), {}, r"\$\.value\.options: got {}, want a list"),
        (("value", "options", 0, "cost"), None, r"\$\.value\.options\[0\]\.cost: got None"),
        (("value", "options", 0, "kost"), 1, r"\$\.value\.options\[0\]\.kost: unknown key"),
    ],
)
def test_a_wrong_key_is_named(path: tuple[str | int, ...], wrong: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        loads(with_value(path, wrong), PartitionInstance)


def test_a_missing_key_is_named() -> None:
    changed = document()
    del changed["value"]["options"][0]["stop"]
    with pytest.raises(ValueError, match=r"\$\.value\.options\[0\]\.stop: missing"):
        loads(json.dumps(changed), PartitionInstance)


def test_text_that_is_no_json() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        loads("plan", PackingPlan)

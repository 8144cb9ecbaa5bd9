"""Versioned JSON of instances and plans; decoding is strict and names the key that is wrong.

A document is {"schema_version", "kind", "value"}; the value has the fields of the dataclass.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from splitopt.solvers.packing.instance import PackingInstance
from splitopt.solvers.packing.plan import PackingPlan
from splitopt.solvers.partition.instance import PartitionInstance
from splitopt.solvers.partition.plan import PartitionPlan

SCHEMA_VERSION = 1
_KINDS: Mapping[str, type] = {
    "packing_instance": PackingInstance,
    "packing_plan": PackingPlan,
    "partition_instance": PartitionInstance,
    "partition_plan": PartitionPlan,
}
T = TypeVar("T", PackingInstance, PackingPlan, PartitionInstance, PartitionPlan)


def dumps(value: PackingInstance | PackingPlan | PartitionInstance | PartitionPlan) -> str:
    """The JSON document of an instance or a plan."""
    kind = next(kind for kind, of in _KINDS.items() if isinstance(value, of))
    return json.dumps({"schema_version": SCHEMA_VERSION, "kind": kind, "value": _encode(value)})


def loads(text: str, of: type[T]) -> T:
    """The value of a document, which must be of this type. Raises ValueError naming the key."""
    document = json.loads(text)
    _check_keys("$", document, {"schema_version", "kind", "value"})
    if document["schema_version"] != SCHEMA_VERSION:
        got = document["schema_version"]
        raise ValueError(f"$.schema_version: got {got!r}, want {SCHEMA_VERSION}")
    if _KINDS.get(document["kind"]) is not of:
        kind = next(kind for kind, known in _KINDS.items() if known is of)
        raise ValueError(f"$.kind: got {document['kind']!r}, want {kind!r}")
    value = _decode("$.value", document["value"], of)
    assert isinstance(value, of)
    return value


def _encode(value: object) -> object:
    if is_dataclass(value):
        return {field.name: _encode(getattr(value, field.name)) for field in fields(value)}
    return [_encode(part) for part in value] if isinstance(value, tuple) else value


@cache
def _fields_of(kind: type) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _decode(path: str, raw: object, kind: Any) -> object:
    if is_dataclass(kind):
        return _decode_fields(path, raw, kind)
    if get_origin(kind) is tuple:
        if not isinstance(raw, list):
            raise ValueError(f"{path}: got {raw!r}, want a list")
        part = get_args(kind)[0]
        return tuple(_decode(f"{path}[{i}]", item, part) for i, item in enumerate(raw))
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if type(raw) not in kinds:
        names = " or ".join(one.__name__ for one in kinds)
        raise ValueError(f"{path}: got {raw!r}, want {names}")
    return raw


def _decode_fields(path: str, raw: object, kind: Any) -> object:
    hints = _fields_of(kind)
    _check_keys(path, raw, set(hints))
    assert isinstance(raw, dict)
    values = {name: _decode(f"{path}.{name}", raw[name], hint) for name, hint in hints.items()}
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _check_keys(path: str, raw: object, required: set[str]) -> None:
    if not isinstance(raw, dict):
        raise ValueError(f"{path}: got {raw!r}, want an object")
    for name in sorted(required - raw.keys()):
        raise ValueError(f"{path}.{name}: missing")
    for name in sorted(raw.keys() - required):
        raise ValueError(f"{path}.{name}: unknown key, want one of {sorted(required)}")

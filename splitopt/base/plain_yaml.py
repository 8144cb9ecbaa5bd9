"""YAML text → plain data: no aliases (they multiply), no tags, no key twice, keys are strings."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml

_MOST_LEVELS = 50
"""Of lists and mappings in each other, for libyaml."""

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float")}
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def plain_yaml(text: str) -> Any:
    """The data of a text. libyaml, where it is there, takes a tenth of the time; what it does not
    take as it is, is read in Python, which says where it is wrong. libyaml takes some texts that
    Python refuses, such as `[a?b]`.

    Raises yaml.YAMLError, ValueError, OverflowError and RecursionError on what is not plain.
    """
    if yaml.__with_libyaml__:
        try:
            if _is_plain(text):
                return yaml.load(text, _QuickLoader)  # noqa: S506  it is a SafeLoader
        except (yaml.YAMLError, ValueError, OverflowError):
            pass
    return yaml.load(text, _Loader)  # noqa: S506  it is a SafeLoader


def _is_plain(text: str) -> bool:
    """No aliases, no tags, few levels."""
    level = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        level += isinstance(event, yaml.CollectionStartEvent)
        level -= isinstance(event, yaml.CollectionEndEvent)
        tag = getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent) or tag is not None or level > _MOST_LEVELS:
            return False
    return True


class _Plain:
    """Makes plain data of nodes; of words without quotes only null, true, false and numbers are
    more than a string."""

    yaml_implicit_resolvers: ClassVar = {
        char: [(tag, pattern) for tag, pattern in resolvers if tag in _PLAIN_TAGS]
        for char, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_scalar(self, node: Any) -> str:
        text: str = super().construct_scalar(node)  # type: ignore[misc]
        if _UNSTORABLE.search(text):
            what = f"{text!r} holds characters that no file can hold"
            raise _refused(what, node.start_mark)
        return text

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set[str]()
        for key_node, _ in node.value:
            key, at = self.construct_object(key_node, deep=True), key_node.start_mark  # type: ignore[attr-defined]
            if not isinstance(key, str):
                raise _refused(f"got {kind_of(key)} as a key, want a string", at)
            if key in seen:
                raise _refused(f"key {key!r} is there twice", at)
            seen.add(key)
        found: dict[Any, Any] = super().construct_mapping(node, deep)  # type: ignore[misc]
        return found


class _Loader(_Plain, yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refused("aliases (*name) are refused; write the value out", event.start_mark)
        if event.tag is not None:
            raise _refused("tags (!name) are refused; write the plain value", event.start_mark)
        return super().compose_node(parent, index)


if yaml.__with_libyaml__:

    class _QuickLoader(_Plain, yaml.CSafeLoader):
        pass


def _refused(what: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=at)


def kind_of(value: Any) -> str:
    """A value as messages name it: `a mapping`, or itself."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

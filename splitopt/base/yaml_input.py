"""Untrusted YAML → checked models, with errors that name file, key, value and remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from splitopt.base.errors import UsageError
from splitopt.base.files import open_file
from splitopt.base.plain_yaml import kind_of, plain_yaml

MAX_YAML_BYTES = 1 << 20
_ALIKE = 0.5
"""How like a missing key an unknown one is that stands for it: `sram` for `sram_bytes`."""

_EXCERPT = 100
"""Most columns of a line that is quoted."""
M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """Base of everything that is read from YAML: frozen, and unknown keys are refused.

    Its checks are built when it is first used: commands import more models than they read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def read_yaml(path: Path, model: type[M]) -> M:
    """Reads and checks a file. Raises UsageError that names the first wrong key."""
    return check(load_yaml(path), model, where=str(path))


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds. Raises UsageError on anything else."""
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: not a file; want a YAML file, or a model")
        with open_file(path) as file:
            read = file.read(MAX_YAML_BYTES + 1)
        text = read.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"{path}: cannot be read: {reason}") from error
    if len(read) > MAX_YAML_BYTES:
        raise UsageError(f"{path}: larger than {MAX_YAML_BYTES:,} bytes; want a short YAML file")
    try:
        data = plain_yaml(text)
    except yaml.MarkedYAMLError as error:
        raise _misplaced(path, error) from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{path}: not plain YAML: {reason}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: $: got {kind_of(data)}, want a mapping of keys (`model: ...`)")
    return data


def _misplaced(path: Path, error: yaml.MarkedYAMLError) -> UsageError:
    """Where reading stopped and why; its `facts` have the line, with a caret below the column."""
    at, begun = error.problem_mark, error.context_mark
    what = error.problem or "it cannot be read"
    if at is None:
        return UsageError(f"{path}: not plain YAML: {what}")
    if error.context:
        since = f" that begins in line {begun.line + 1}" if begun else ""
        what = f"{error.context}{since}: {what}"
    hint = "; indent with spaces" if "'\\t'" in what else ""
    line, column = at.line + 1, at.column + 1
    refused = UsageError(f"{path}: not plain YAML: line {line}, column {column}: {what}{hint}")
    excerpt = (at.get_snippet(indent=2, max_length=_EXCERPT) or "").replace("\t", " ")
    refused.facts = {"line": line, "column": column, "excerpt": excerpt}
    return refused


def check(data: Any, model: type[M], *, where: str, under: tuple[str, ...] = ()) -> M:
    """Checks plain data, which stands `under` these keys of its file, against a model.

    Raises UsageError that names the first wrong key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise UsageError(f"{where}: {_explain(error.errors(), data, model, under)}") from error


def key_path(location: Iterable[int | str]) -> str:
    """`("pieces", "max")` → `$.pieces.max`."""
    parts = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in location)
    return "$" + "".join(parts)


def _explain(
    details: Sequence[ErrorDetails], data: Any, model: type[BaseModel], under: tuple[str, ...]
) -> str:
    """The first error; where a union has several branches, what each of them wants."""
    first = _location(details[0], data)
    near = [d for d in details if _location(d, data)[: len(first)] == first]
    detail = max(near, key=lambda d: len(_location(d, data)))  # within a list of the union, say
    location = _location(detail, data)
    where, got = key_path(under + location), kind_of(detail["input"])
    if detail["type"] == "extra_forbidden":
        name = str(location[-1])
        known = _known_keys(model, location[:-1])
        close = difflib.get_close_matches(name.lower(), known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(sorted(known))}"
        return f"{where}: unknown key; {hint}"
    if detail["type"] == "missing":
        return f"{where}: missing; {_misspelt(details, location, data) or 'add it'}"
    same = [other for other in details if _location(other, data) == location]
    wants = dict.fromkeys(_want(other, _known_keys(model, location)) for other in same)
    is_whole = detail["type"] == "value_error" and isinstance(detail["input"], dict)
    found = "" if is_whole else f"got {got}, "  # its keys do not go together
    return f"{where}: {found}want {' or '.join(wants)}{_size_hint(detail['input'])}"


def _misspelt(details: Sequence[ErrorDetails], missing: tuple[int | str, ...], data: Any) -> str:
    """What to do where an unknown key beside a missing one looks like it; else nothing."""
    beside = [
        str(place[-1])
        for place in (_location(d, data) for d in details if d["type"] == "extra_forbidden")
        if place[:-1] == missing[:-1]
    ]
    lower = [key.lower() for key in beside]
    close = difflib.get_close_matches(str(missing[-1]), lower, n=1, cutoff=_ALIKE)
    return next((f"rename {key!r} to it" for key in beside if [key.lower()] == close), "")


def _location(detail: ErrorDetails, data: Any) -> tuple[int | str, ...]:
    """Keys of the data alone: pydantic puts the branch of a union among them."""
    found: list[int | str] = []
    for key in detail["loc"]:
        if isinstance(data, Mapping) and (key in data or detail["type"] == "missing"):
            data = data.get(key)
        elif isinstance(data, list | tuple) and isinstance(key, int):
            data = data[key] if key < len(data) else None  # of a list that is too short
        else:
            continue
        found.append(key)
    return tuple(found)


def _want(detail: ErrorDetails, known: Sequence[str]) -> str:
    if detail["type"] == "model_type":
        return f"a mapping with keys of its own ({', '.join(known)})"
    if detail["type"] in _LENGTHS:
        words, limit = _LENGTHS[detail["type"]]
        return f"a list of {words} {detail['ctx'][limit]}"
    if detail["type"] in _WANTS:
        return _WANTS[detail["type"]]
    want = re.sub(r"^(Input should be|Value error,|Assertion failed,) *", "", detail["msg"])
    want = want.replace("greater than or equal to", "at least")
    return want.replace("less than or equal to", "at most").replace("String should", "a string to")


_WANTS = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "a string",
    "bool_type": "true or false",
    "tuple_type": "a list",
}
_LENGTHS = {"too_short": ("at least", "min_length"), "too_long": ("at most", "max_length")}


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    fields = model.model_fields
    for key in (key for key in location if isinstance(key, str)):  # not places in lists
        annotation = fields[key].annotation if key in fields else None
        inner = next((m for m in _models_in(annotation)), None)
        fields = inner.model_fields if inner else {}
    return list(fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in getattr(annotation, "__args__", ()) for m in _models_in(part)]


def _size_hint(value: Any) -> str:
    """`256k` → `(write 262144)`."""
    match = (
        re.fullmatch(r"\s*(\d+)\s*([kKmM])(i?[bB]?)\s*", value) if isinstance(value, str) else None
    )
    if not match:
        return ""
    factor = 1024 if match[2] in "kK" else 1024 * 1024
    return f" (write {int(match[1]) * factor})"


def yaml_text(data: Mapping[str, Any]) -> str:
    """Plain data as YAML, keys in their order."""
    text: str = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True)
    return text


def yaml_word(text: str) -> str:
    """A string as it stands in a mapping of one line, quoted where it must be."""
    shown: str = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=2**20)
    return shown.strip()[1:-1]

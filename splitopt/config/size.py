"""A size in bytes as people write it: `245760`, `240K`, `240KiB`, `1M`."""

from __future__ import annotations

import re
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from splitopt.base.errors import UsageError

_FACTORS = {"k": 1024, "m": 1024**2}
_PATTERN = r"([0-9]{1,15}) ?([kKmM])(iB)?"


def _bytes_of(value: Any) -> Any:
    """K and KiB are 1,024 bytes. What is no size stays as it is, to be refused by its type."""
    match = re.fullmatch(_PATTERN, value) if isinstance(value, str) else None
    return value if match is None else int(match[1]) * _FACTORS[match[2].lower()]


class Size:
    """Beside the type of a key: a string with a unit will do, too."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_bytes_of, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [handler(schema), {"type": "string", "pattern": f"^{_PATTERN}$"}]}


def size_of(text: str, where: str) -> int:
    """The bytes that an option of the command line asks for. Raises UsageError."""
    value = _bytes_of(text)
    if isinstance(value, str) and re.fullmatch("[0-9]{1,15} ?B?", value):
        value = int(value.rstrip(" B"))
    if not isinstance(value, int) or value <= 0:
        raise UsageError(f"{where}: got {text[:60]!r}, want a size above 0: 245760, 240K or 240KiB")
    return value

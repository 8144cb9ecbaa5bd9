"""Bounds-checked reading of FlatBuffers tables, independent of TensorFlow Lite.

The `flatbuffers` package has no verifier for Python, and its readers follow any offset a file
holds. Models are untrusted input, so every read here is checked against the buffer, and the sum
of all reads is bounded: shared sub-tables cannot blow a small file up.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Scalar = Literal["b", "B", "?", "h", "H", "i", "I", "q", "Q", "f", "d"]
_WORK_PER_BYTE = 64
_WORK_FLOOR = 1 << 20
_WORK_PER_ELEMENT = 32  # bytes of a Python number, which vectors are turned into
_WORK_PER_CHARACTER = 3  # bytes that a character may take beyond the one in the file


class BrokenBuffer(ValueError):
    """An offset, a length or a size that does not fit the file."""


@dataclass
class Source:
    """The file's bytes, and how much reading it may still cause."""

    data: bytes
    work_left: int = field(init=False)

    def __post_init__(self) -> None:
        self.work_left = _WORK_FLOOR + _WORK_PER_BYTE * len(self.data)

    def unpack(self, fmt: Scalar, position: int) -> int:
        size = struct.calcsize("<" + fmt)
        self.claim(position, size)
        value: int = struct.unpack_from("<" + fmt, self.data, position)[0]
        return value

    def claim(self, position: int, size: int) -> None:
        """Raises BrokenBuffer unless [position, position + size) is inside the file."""
        if position < 0 or size < 0 or position + size > len(self.data):
            raise BrokenBuffer(
                f"{size} bytes at offset {position} are outside the file's {len(self.data)}"
            )
        self.spend(size + 8)

    def spend(self, work: int) -> None:
        """Charges what reading leads to elsewhere. Raises BrokenBuffer past the file's share."""
        self.work_left -= work
        if self.work_left < 0:
            raise BrokenBuffer("tables share their contents far more often than a model does")


@dataclass(frozen=True, slots=True)
class Table:
    """One FlatBuffers table; fields are named by their slot number in the schema."""

    source: Source
    position: int

    @classmethod
    def root(cls, data: bytes) -> Table:
        source = Source(data)
        return cls._checked(source, source.unpack("I", 0))

    @classmethod
    def _checked(cls, source: Source, position: int) -> Table:
        vtable = position - source.unpack("i", position)
        vtable_bytes = source.unpack("H", vtable)
        table_bytes = source.unpack("H", vtable + 2)
        if vtable_bytes < 4 or vtable_bytes % 2 or table_bytes < 4:
            raise BrokenBuffer(f"the table at offset {position} has no valid field list")
        source.claim(vtable, vtable_bytes)
        source.claim(position, table_bytes)
        offsets = struct.unpack_from(f"<{vtable_bytes // 2 - 2}H", source.data, vtable + 4)
        if any(offset >= table_bytes for offset in offsets):
            raise BrokenBuffer(f"the table at offset {position} has a field outside itself")
        return cls(source, position)

    def _field(self, slot: int) -> int | None:
        """Position of a field's value, None where the field is absent."""
        vtable = self.position - self.source.unpack("i", self.position)
        entry = 4 + 2 * slot
        if entry + 2 > self.source.unpack("H", vtable):
            return None
        offset = self.source.unpack("H", vtable + entry)
        return self.position + offset if offset else None

    def scalar(self, slot: int, fmt: Scalar, default: int = 0) -> int:
        position = self._field(slot)
        return default if position is None else self.source.unpack(fmt, position)

    def table(self, slot: int) -> Table | None:
        position = self._field(slot)
        if position is None:
            return None
        return self._checked(self.source, self._follow(position))

    def tables(self, slot: int) -> list[Table]:
        start, count = self._vector(slot, 4)
        positions = range(start, start + 4 * count, 4)
        return [self._checked(self.source, self._follow(position)) for position in positions]

    def array(self, slot: int, dtype: str) -> npt.NDArray[np.generic] | None:
        """A vector of little-endian scalars such as `<i4`; None where it is absent."""
        if self._field(slot) is None:
            return None
        start, count = self._vector(slot, np.dtype(dtype).itemsize)
        self.source.spend(_WORK_PER_ELEMENT * count)
        return np.frombuffer(self.source.data, dtype, count, start)

    def text(self, slot: int) -> str:
        start, count = self._vector(slot, 1)
        self.source.spend(_WORK_PER_CHARACTER * count)
        return self.source.data[start : start + count].decode("utf-8", "replace")

    def blob(self, slot: int) -> memoryview:
        start, count = self._vector(slot, 1)
        return memoryview(self.source.data)[start : start + count]

    def spend_on(self, values: Iterable[object]) -> None:
        """Charges vectors that others read from this table: the elements of `values`."""
        elements = sum(len(value) for value in values if isinstance(value, tuple | bytes))
        self.source.spend(_WORK_PER_ELEMENT * elements)

    def _follow(self, position: int) -> int:
        return position + self.source.unpack("I", position)

    def _vector(self, slot: int, item_bytes: int) -> tuple[int, int]:
        position = self._field(slot)
        if position is None:
            return 0, 0
        start = self._follow(position)
        count = self.source.unpack("I", start)
        self.source.claim(start + 4, count * item_bytes)
        return start + 4, count

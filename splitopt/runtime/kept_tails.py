"""Pieces that are built once, resident or restored, in the form of the runner's tables: see
runner/splitopt_plan.h. Fields are those of the C++ structures, words of 32 bits all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

STORE_HEADER_BYTES = 64
"""See `splitopt::kStoreHeaderBytes`."""


@dataclass(frozen=True, slots=True)
class KeptTail:
    """See `splitopt::KeptTail`."""

    tail_bytes: int
    store: int
    offset: int
    size_bytes: int
    used_bytes: int
    is_exact: int
    is_resident: int = 0


@dataclass(frozen=True, slots=True)
class StorePlan:
    """See `splitopt::StorePlan`."""

    size_bytes: int
    at_start_up: int


def word_hash(parts: Iterable[bytes]) -> int:
    """32 bits that tell whether images in a store were made of the same."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return int.from_bytes(digest.digest()[:4], "little")

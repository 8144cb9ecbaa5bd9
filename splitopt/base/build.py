"""Which splitopt this is, to the byte of its source."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from splitopt.base.version import VERSION

_PACKAGE = Path(__file__).resolve().parents[1]
_DECIDING = (".py", ".json")


@cache
def build() -> str:
    """One line, equal in two processes only where both plan alike: version, source, OR-tools.

    Of the source as it was when this process first asked, which is when it loaded it.
    """
    try:
        solver = version("ortools")
    except PackageNotFoundError:
        solver = "absent"
    return f"splitopt {VERSION} (source {source_digest(_PACKAGE)[:16]}, OR-tools {solver})"


def source_digest(package: Path) -> str:
    """SHA-256 in hexadecimal of the names and bytes of a package's source, data tables included.

    The same for a checkout, whose `solvers` is a link, and for what is installed from it.
    """
    digest = hashlib.sha256()
    found = (
        Path(folder, name)
        for folder, _, names in os.walk(package, followlinks=True)
        for name in names
        if name.endswith(_DECIDING)
    )
    for path in sorted(found, key=lambda path: path.relative_to(package).as_posix()):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()

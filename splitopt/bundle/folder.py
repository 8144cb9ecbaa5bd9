"""The result bundle: a folder that appears whole or not at all, and is never written again."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from splitopt.base.errors import ToolError
from splitopt.base.files import write_new_files
from splitopt.base.owned_folder import owned_folder, remove_orphans
from splitopt.base.version import VERSION
from splitopt.bundle.documents import json_text
from splitopt.bundle.schema.manifest import Input, Manifest

_TOOLS = ("ortools", "networkx", "numpy", "tflite-micro", "ai-edge-litert", "flatbuffers")
_PARTIAL_PREFIX = ".partial-"


class BundleFolder:
    """A bundle in the making; `folder` is where its files go, `final` where they end up.

    `last` writes what speaks of `final`: called with that name, and again where another run took it
    in the meantime.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.final: Path | None = None
        self.last: Callable[[Path], None] = lambda _: None

    @property
    def pieces(self) -> Path:
        folder = self.folder / "pieces"
        folder.mkdir(exist_ok=True)
        return folder

    def write_json(self, name: str, document: Any) -> None:
        self.write_text(name, json_text(document))

    def write_text(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, "utf-8")


@contextmanager
def new_bundle(out: Path, job_name: str) -> Iterator[BundleFolder]:
    """A bundle under `out/<job name>/<run id>`; it takes its final name when the block is left.

    If the block raises, nothing is left behind. Raises ToolError where `out` cannot be written,
    and for an OSError of the block.
    """
    home = out / job_name
    made = [folder for folder in (home, out) if not folder.exists()]
    with ExitStack() as cleanup:
        cleanup.callback(_remove_empty, made)
        try:
            home.mkdir(parents=True, exist_ok=True)
            remove_orphans(home, _PARTIAL_PREFIX)
            partial = cleanup.enter_context(owned_folder(home, _PARTIAL_PREFIX))
        except OSError as error:
            raise ToolError(
                f"{home}: cannot be written ({error.strerror}); pass another --out"
            ) from error
        try:
            bundle = BundleFolder(partial)
            yield bundle
            partial.chmod(0o755)
            bundle.final = claim_name(partial, home, bundle.last)
        except OSError as error:
            where = error.filename or home
            raise ToolError(f"{where}: cannot be written or read ({error.strerror})") from error


def _remove_empty(folders: Iterable[Path]) -> None:
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def claim_name(partial: Path, home: Path, last: Callable[[Path], None] = lambda _: None) -> Path:
    """Renames to the first free run id; a folder that already exists is never replaced. `last` is
    called with each name before it is tried."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for attempt in range(1000):
        final = home / (stamp if attempt == 0 else f"{stamp}-{attempt}")
        if final.exists():
            continue
        last(final)
        try:
            os.rename(partial, final)  # noqa: PTH104  fails where a non-empty folder has come to be
        except OSError:
            if final.exists():
                continue
            raise
        return final
    raise ToolError(f"{home}: no free run id at {stamp}")


def manifest(folder: Path, seed: int, inputs: Mapping[str, Path]) -> Manifest:
    """SHA-256 of every file of the bundle and of what it was made from; versions; command line."""
    own = folder / "manifest.json"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != own)
    return Manifest(
        created_utc=now_utc(),
        command=command_line(),
        seed=seed,
        versions=versions(),
        inputs={
            name: Input(path=str(path), sha256=sha256_of(path.read_bytes()))
            for name, path in inputs.items()
        },
        files={path.relative_to(folder).as_posix(): sha256_of(path.read_bytes()) for path in files},
    )


def now_utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def command_line() -> tuple[str, ...]:
    return Path(sys.argv[0]).name, *sys.argv[1:]


def versions() -> dict[str, str | None]:
    """splitopt, Python, and the libraries that figures rest on."""
    found: dict[str, str | None] = {"splitopt": VERSION, "python": sys.version.split()[0]}
    for tool in _TOOLS:
        try:
            found[tool] = version(tool)
        except PackageNotFoundError:
            found[tool] = "absent"
    return found


def write_new(folder: Path, name: str, document: Any) -> Path:
    """A JSON file in a folder of the caller's. Raises UsageError where it already exists."""
    return write_new_text(folder, name, json_text(document))


def write_new_text(folder: Path, name: str, text: str) -> Path:
    """A text file in a folder of the caller's. Raises UsageError where it already exists."""
    write_new_files(folder, {name: text})
    return folder / name


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

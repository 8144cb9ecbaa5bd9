"""The person's own configuration: which programs splitopt may start, and where the tools lie.

A job, a target and a sweep may come from elsewhere, and a program that one names is run as the
person: so it is refused unless the person allowed it, on the command line or in this file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from splitopt.base.errors import UsageError
from splitopt.base.text import clean
from splitopt.base.yaml_input import Strict, read_yaml
from splitopt.config.target import TargetSpec, Words, read_target

ALLOW = "--allow-commands"
_LONGEST_NAME_BYTES = 200


class ToolPaths(Strict):
    """Programs that are used in place of the ones on PATH; a job may name these, too."""

    onnx2tf: Annotated[Words | None, Field(description="Command of the converter.")] = None
    qemu: Annotated[str | None, Field(description="qemu-system-arm.")] = None
    fvp: Annotated[str | None, Field(description="Arm's Corstone-300 FVP.")] = None


class OwnConfig(Strict):
    """The keys of config.yaml."""

    allow_commands: Annotated[
        bool, Field(description=f"As if {ALLOW} were given with every command.")
    ] = False
    tools: ToolPaths = ToolPaths()


def own_config_path() -> Path:
    """`$XDG_CONFIG_HOME/splitopt/config.yaml` or `~/.config/splitopt/config.yaml`."""
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "splitopt" / "config.yaml"


def own_config() -> OwnConfig:
    """What the file holds, or the defaults where there is none. Raises UsageError."""
    path = own_config_path()
    return read_yaml(path, OwnConfig) if path.exists() else OwnConfig()


def refuse_commands(wanted: Mapping[str, Any], *, allow_commands: bool) -> None:
    """Raises UsageError for a program that nobody allowed. `wanted`: where its key stands → what
    it holds; nothing (None or empty) asks for nothing, and the person's own tools are no news."""
    asked = {where: value for where, value in wanted.items() if value}
    if not asked or allow_commands:
        return
    own = own_config()
    tools = {value for value in dict(own.tools).values() if value}
    where, value = next(((w, v) for w, v in asked.items() if v not in tools), ("", ""))
    if where and not own.allow_commands:
        words = value if isinstance(value, str) else " ".join(value)
        raise UsageError(
            f"{where}: got {words[:120]!r}, a command that would run on this machine; where you "
            f"trust it, pass {ALLOW} (allow_commands=True in Python) or name it in "
            f"{own_config_path()}"
        )


def target_commands(where: str, spec: TargetSpec) -> dict[str, Any]:
    """What `refuse_commands` is asked of a target; simulators run commands by arguments, too."""
    return {f"{where}.executable": spec.executable, f"{where}.arguments": spec.arguments}


def allowed_target(reference: str, *, allow_commands: bool) -> TargetSpec:
    """A target as the command line names it, from the working folder. Raises UsageError."""
    spec = read_target(reference, Path())
    refuse_commands(target_commands(f"{reference}: $", spec), allow_commands=allow_commands)
    return spec


def results_folder(asked: str, given: str | Path | None, where: str) -> Path:
    """`given` by the person, or the folder that a file asks for, below the working folder.

    Raises UsageError for one that a file has elsewhere.
    """
    if given is not None:
        return Path(given)
    here = Path.cwd()
    if not (here / asked).resolve().is_relative_to(here.resolve()):
        raise UsageError(
            f"{where}: $.out: got {asked[:200]!r}, want a folder below the working folder; results "
            "go elsewhere only with --out"
        )
    return Path(asked)


def folder_name(name: str, where: str) -> str:
    """The name of a job or sweep, which its results' folder has. Raises UsageError for one that
    leads elsewhere, is hidden, or holds what no terminal should show."""
    plain = name == clean(name) and "/" not in name and not name.startswith(".")
    if not name or not plain or len(name.encode()) > _LONGEST_NAME_BYTES:
        raise UsageError(
            f"{where}: got {name[:80]!r} as the name of a folder of results, want printable UTF-8 "
            "without '/' and without a dot in front; rename it"
        )
    return name

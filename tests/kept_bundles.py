"""Runs whose pieces are built once: restored, or resident."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from splitopt.arena.abi import Abi
from splitopt.arena.rules import target_rules
from splitopt.arena.shared import SharedArena, SharedModel, shared_arena
from splitopt.bundle.open import open_bundle
from splitopt.graph.model import ModelGraph
from splitopt.runtime.kept_tails import STORE_HEADER_BYTES

OTHER_RAM = "other-ram"
RULES = target_rules("m55")


def restored_bundle(run: Path, to: Path, written: str) -> Path:
    """A copy of a run of several pieces, all of which are restored from one memory. What each needs
    of it is replayed from the files."""
    folder = Path(shutil.copytree(run, to))
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    top = STORE_HEADER_BYTES if written == "start_up" else 0
    for entry, piece in zip(plan["segments"], open_bundle(folder).pieces, strict=True):
        top = _restore(entry, piece.file_graphs, top)
    return _written(folder, plan, top, written)


def resident_bundle(run: Path, to: Path, ways: Sequence[str]) -> Path:
    """The same with a way for each piece: in the `region`, in the `memory`, `restore` or `rebuild`;
    what is left over takes the last one."""
    folder = Path(shutil.copytree(run, to))
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    layout, top = plan["layout"], 0
    for k, (entry, piece) in enumerate(
        zip(plan["segments"], open_bundle(folder).pieces, strict=True)
    ):
        graphs, way = piece.file_graphs, ways[min(k, len(ways) - 1)]
        if way == "restore":
            top = _restore(entry, graphs, top)
        elif way == "memory":
            top += _keep(entry, graphs, OTHER_RAM, top)
        elif way == "region":
            layout["region_bytes"] += _keep(entry, graphs, None, layout["region_bytes"])
    return _written(folder, plan, top, "always")


def _restore(entry: dict[str, Any], graphs: Sequence[ModelGraph], top: int) -> int:
    tail = _up(_replayed(graphs, RULES.abi).tail_bytes)
    stored = tail + len(graphs) * RULES.abi.interpreter_bytes
    entry |= {"switching": "restore", "stored_in": OTHER_RAM, "stored_bytes": stored}
    entry["stored_offset"] = top
    return top + stored


def _keep(entry: dict[str, Any], graphs: Sequence[ModelGraph], memory: str | None, at: int) -> int:
    own = _replayed(graphs, RULES.abi.in_two_arenas())
    kept = _up(own.tail_bytes) + len(graphs) * RULES.abi.interpreter_bytes
    entry |= {"switching": "resident", "kept_in": memory, "kept_bytes": kept, "kept_offset": at}
    entry |= {"persistent_bytes": _up(own.tail_bytes), "tail_bytes": own.tail_bytes}
    entry |= {"arena_used_bytes": own.head_bytes + own.tail_bytes, "arena_bytes": own.size_bytes}
    if entry["stream"]:
        entry["stream"]["interpreters_bytes"] = 0
    return kept


def _replayed(graphs: Sequence[ModelGraph], abi: Abi) -> SharedArena:
    return shared_arena(
        [SharedModel(graph, RULES.memories(graph), graph.offline_offsets) for graph in graphs], abi
    )


def _up(size: int) -> int:
    return -(-size // 16) * 16


def _written(folder: Path, plan: dict[str, Any], top: int, written: str) -> Path:
    memory = {"name": OTHER_RAM, "bytes": 1 << 20, "used_bytes": top, "written": written}
    plan["memories"] = [memory | {"name": "unused", "used_bytes": 0}, memory]
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / "manifest.json").unlink()  # which knows that the plan was edited
    return folder

"""Runs whose pieces are restored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from splitopt.arena.rules import target_rules
from splitopt.arena.shared import SharedModel, shared_arena
from splitopt.bundle.open import open_bundle
from splitopt.runtime.saved_tails import STORE_HEADER_BYTES


def restored_bundle(run: Path, to: Path, written: str) -> Path:
    """A copy of a run of several pieces, all of which are restored from one memory. What each needs
    of it is replayed from the files."""
    folder = Path(shutil.copytree(run, to))
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    rules = target_rules("m55")
    top = STORE_HEADER_BYTES if written == "start_up" else 0
    for entry, piece in zip(plan["segments"], open_bundle(folder).pieces, strict=True):
        models = [
            SharedModel(graph, rules.memories(graph), graph.offline_offsets)
            for graph in piece.file_graphs
        ]
        tail = -(-shared_arena(models, rules.abi).tail_bytes // 16) * 16
        stored = tail + len(models) * rules.abi.interpreter_bytes
        entry |= {"switching": "restore", "stored_in": "other-ram", "stored_bytes": stored}
        entry["stored_offset"] = top
        top += stored
    memory = {"name": "other-ram", "bytes": 1 << 20, "used_bytes": top, "written": written}
    plan["memories"] = [memory | {"name": "unused", "used_bytes": 0}, memory]
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / "manifest.json").unlink()  # which knows that the plan was edited
    return folder

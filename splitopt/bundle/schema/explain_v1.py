"""explain.json and diagnosis.json of version 1 in the names of today."""

from __future__ import annotations

from typing import Any

from splitopt.bundle.schema.common import SCHEMA_VERSION


def upgraded(old: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had other names, and of a part of the peak no more than its size.

    Raises ValueError, which pydantic reports, for a document that is not complete.
    """
    try:
        memory, outputs = dict(old["memory"]), old["outputs"]
        op, reach = memory["floor"]["op"], memory["reachable"]
        held = {"held_start": op, "held_stop": op + 1, "next_op": None, "next_ram_bytes": 0}
        memory |= {
            "invoke_insn": 0,
            "floor": {**held, **memory["floor"]},
            "remedies": tuple({**r, "worth_bytes": r["size_bytes"]} for r in memory["reasons"]),
            "lowest_peaks": tuple(
                {**peak, "cuts": (), "is_cheapest": False} for peak in memory.get("ladder", ())
            ),
            "lowest_peak_lines": memory.get("ladder_lines", ()),
        }
        if reach is not None:
            memory["reachable"] = {
                "free": _least(reach["free"]),
                "allowed": None if reach["allowed"] is None else _least(reach["allowed"]),
                "lifted": tuple({**x, "least": _least(x["least"])} for x in reach["lifted"]),
            }
        if outputs is not None:
            pieces = tuple({**piece, "isolated": piece["alone"]} for piece in outputs["pieces"])
            outputs = {**outputs, "pieces": pieces}
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"a whole document of version 1 ({type(error).__name__})") from error
    return {**old, "schema_version": SCHEMA_VERSION, "memory": memory, "outputs": outputs}


def _least(old: dict[str, Any]) -> dict[str, Any]:
    """The lowest peak of cuts, of which version 1 kept no price."""
    names = {"code": "cuts", "name": "cuts", "bands": 0, "added_insn": 0, "rebuild_insn": 0}
    pieces, proved = len(old["cuts"]) + 1, old["proved"]
    return {**old, **names, "pieces": pieces, "is_proved": proved, "is_cheapest": False}

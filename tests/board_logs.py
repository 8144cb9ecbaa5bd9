"""Logs of boards: one that QEMU made, and made-up ones of any bundle, line by line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from splitopt.bundle.open import OpenBundle
from splitopt.runtime.measured import STEPS

TINY_LOG = Path(__file__).parent / "golden" / "board_logs" / "tiny_qemu.log"
"""Of golden/bundle_v1; its head says how it was made."""
Cost = Callable[[int, str], int]
"""What a step of a piece takes, by the piece and the step's name."""


def made_up_log(bundle: OpenBundle, models_hash: int, cost: Cost, **hello: object) -> str:
    """A log of whole pieces that are built at each inference, in one input, by a cycle counter."""
    return "\n".join(json.dumps(line, separators=(",", ":")) for line in _lines(
        bundle, models_hash, cost, hello
    )) + "\n"  # fmt: skip


def _lines(
    bundle: OpenBundle, models_hash: int, cost: Cost, hello: dict[str, object]
) -> Iterator[dict[str, object]]:
    yield {
        "event": "hello", "program": "splitopt_check", "version": 1, "plan": "made_up",
        "models_hash": models_hash, "region_bytes": bundle.plan.layout.region_bytes,
        "pointer_bytes": 4, "inputs": 1, "counter": "dwt", "unit": "cycles", "units": 1,
        "per_ticks": 1, "step_overhead": 0, **hello,
    }  # fmt: skip
    place = {"run": 0, "sample": 0}
    for k, segment in enumerate(bundle.plan.segments):
        steps = {step: cost(k, step) for step in STEPS}
        used = segment.arena_used_bytes
        yield {"event": "piece", **place, "piece": k, "arena_used_bytes": used, "executions": 1,
               **steps}  # fmt: skip
        group = {name: steps[name] for name in ("construct", "allocate", "invoke")}
        yield {"event": "group", **place, "piece": k, "group": 0, "executions": 1, **group}
    end = {"error": 0, "piece": 0, "group": 0, "reason": "none"}
    yield {"event": "ran", **place, **end}
    for output, tensor in enumerate(bundle.graph.outputs):
        data = bytes(bundle.graph.tensors[tensor].bytes)
        yield {"event": "output", **place, "output": output, "offset": 0, "hex": data.hex()}
    yield {"event": "bye", **end, "differing_outputs": 0}

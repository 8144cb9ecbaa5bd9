"""Where a report comes from: versions, hashes, seeds, commands, settings."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from splitopt.bundle.schema.manifest import Manifest
from splitopt.bundle.schema.plan import Objective, Plan
from splitopt.bundle.schema.sweep import Sweep

Facts = list[tuple[str, str]]
_MOST_ROWS = 400


def facts_of_run(plan: Plan, manifest: Manifest) -> Facts:
    inputs = [
        (name, f"{entry.path} (SHA-256 {entry.sha256})") for name, entry in manifest.inputs.items()
    ]
    return [
        ("created", manifest.created_utc),
        ("command", shlex.join(manifest.command)),
        *inputs,
        ("planned model", f"SHA-256 {plan.model.sha256}"),
        ("route", plan.route),
        ("seed of solver", str(plan.job.settings.solve.seed)),
        ("seed of inputs", str(manifest.seed)),
        ("versions", versions_text(manifest.versions)),
        ("objective", _objective(plan.objective)),
    ]


def facts_of_sweep(sweep: Sweep) -> Facts:
    return [
        ("created", sweep.created_utc),
        ("command", shlex.join(sweep.command)),
        ("sweep", sweep.path),
        ("points", f"{sweep.points:,}"),
        (
            "time of the sweep",
            f"{sweep.wall_s:.1f} s, of that {sweep.solver_s:.1f} s solving",
        ),
        ("versions", versions_text(sweep.versions)),
    ]


def versions_text(versions: Mapping[str, str | None]) -> str:
    return ", ".join(f"{name} {version or '-'}" for name, version in versions.items())


def _objective(objective: Objective) -> str:
    return (
        f"{objective.minimise}: cost {objective.cost}, bound {objective.bound}, "
        f"gap {100 * objective.gap:.2f} %"
    )


def settings_facts(settings: Mapping[str, Any]) -> Facts:
    return list(_flat(settings))[:_MOST_ROWS]


def _flat(value: Any, under: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """`{"a": {"b": 1}}` → `("a.b", "1")`."""
    if isinstance(value, dict) and value and depth < 8:
        for key, inner in value.items():
            yield from _flat(inner, f"{under}.{key}" if under else str(key), depth + 1)
    elif (
        isinstance(value, list | tuple)
        and any(isinstance(item, dict) for item in value)
        and depth < 8
    ):
        for position, inner in enumerate(value):
            yield from _flat(inner, f"{under}[{position}]", depth + 1)
    else:
        yield under, value if isinstance(value, str) else _plain(value)


def _plain(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else ""
    return text or json.dumps(value, ensure_ascii=False)[:2000]

"""What changed from one run to another, or from one sweep to another, in figures and in jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from splitopt.base.errors import UsageError
from splitopt.bundle.documents import dump
from splitopt.bundle.run_record import (
    RunRecord,
    SweepRecord,
    as_reference,
    is_sweep,
    read_run,
    read_sweep_record,
)
from splitopt.bundle.schema.sweep import Record
from splitopt.bundle.thresholds import Figure, Threshold, broken

SCHEMA_VERSION = 1
_OF_NO_EFFECT = ("description", "source")


@dataclass(frozen=True)
class Change:
    """One figure before and after. `absolute` and `relative` (a share) only where it is a number
    in both, `relative` only where it was not 0."""

    figure: str
    before: Figure
    after: Figure

    @property
    def is_change(self) -> bool:
        return self.before != self.after

    @property
    def absolute(self) -> int | None:
        if isinstance(self.before, int) and isinstance(self.after, int):
            return self.after - self.before
        return None

    @property
    def relative(self) -> float | None:
        if self.absolute is None or not isinstance(self.before, int) or not self.before:
            return None
        return self.absolute / self.before

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "absolute": self.absolute, "relative": self.relative}


@dataclass(frozen=True)
class Difference:
    """A key that differs, `$.pieces.max`; a missing one is None, shown as absent."""

    key: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What holds for runs and sweeps, A before and B after. `warnings`: why they are not
    comparable, if they are not."""

    versions: tuple[Change, ...]
    job: tuple[Difference, ...]
    warnings: tuple[str, ...]
    broken: tuple[str, ...]

    @property
    def is_comparable(self) -> bool:
        return not self.warnings

    def _document(self, kind: str, before: object, after: object, **own: object) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": kind,
            "before": before,
            "after": after,
            "is_comparable": self.is_comparable,
            "warnings": list(self.warnings),
            **own,
            "versions": [asdict(change) for change in self.versions],
            "job_differences": [asdict(difference) for difference in self.job],
            "broken_thresholds": list(self.broken),
        }


@dataclass(frozen=True, kw_only=True)
class Comparison(Compared):
    """Two runs."""

    before: RunRecord
    after: RunRecord
    changes: tuple[Change, ...]
    checks: tuple[Change, ...]

    def to_dict(self) -> dict[str, Any]:
        return self._document(
            "runs",
            _identity(self.before),
            _identity(self.after),
            changes=[change.to_dict() for change in self.changes],
            checks=[asdict(change) for change in self.checks],
        )


@dataclass(frozen=True)
class PointChange:
    """A point of both sweeps that differs in a figure. `key`: what was asked."""

    key: tuple[str, ...]
    before_id: str
    after_id: str
    changes: tuple[Change, ...]

    def to_dict(self) -> dict[str, Any]:
        names = ("model", "board", "budget_bytes", "objective", "max_pieces")
        return {
            **dict(zip(names, self.key, strict=False)),
            "before_id": self.before_id,
            "after_id": self.after_id,
            "changes": [change.to_dict() for change in self.changes],
        }


@dataclass(frozen=True, kw_only=True)
class SweepComparison(Compared):
    """Two sweeps. `only_before`, `only_after`: points that only one has, by what was asked."""

    before: SweepRecord
    after: SweepRecord
    matched: int
    differing: tuple[PointChange, ...]
    only_before: tuple[tuple[str, ...], ...]
    only_after: tuple[tuple[str, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        return self._document(
            "sweeps",
            {"path": self.before.where, "points": len(self.before.rows)},
            {"path": self.after.where, "points": len(self.after.rows)},
            matched=self.matched,
            differing=[point.to_dict() for point in self.differing],
            only_before=[list(key) for key in self.only_before],
            only_after=[list(key) for key in self.only_after],
        )


def compare_folders(
    before: Path, after: Path, thresholds: Sequence[Threshold] = ()
) -> Comparison | SweepComparison:
    """Two bundles, or two sweeps. Raises UsageError for one of each, and for neither."""
    sweeps = is_sweep(before), is_sweep(after)
    if all(sweeps):
        return compare_sweeps(read_sweep_record(before), read_sweep_record(after), thresholds)
    if any(sweeps):
        raise UsageError(f"{before} and {after}: one is a sweep, one is not; want two of a kind")
    return compare_runs(read_run(before), read_run(after), thresholds)


def compare_runs(
    before: RunRecord, after: RunRecord, thresholds: Sequence[Threshold] = ()
) -> Comparison:
    """Thresholds judge `after`; their changes count from `before`."""
    return Comparison(
        before=before,
        after=after,
        changes=_changes(before.figures, after.figures),
        checks=_only_changed(before.checks, after.checks),
        versions=_only_changed(before.versions, after.versions),
        job=tuple(_differences(_asked(before), _asked(after))),
        warnings=tuple(_warnings(before, after)),
        broken=broken(thresholds, after.figures, as_reference(before.figures)),
    )


def compare_sweeps(
    before: SweepRecord, after: SweepRecord, thresholds: Sequence[Threshold] = ()
) -> SweepComparison:
    """Points are matched by model (its file name), board, budget, objective and most pieces."""
    old, new = _by_key(before.rows), _by_key(after.rows)
    shared = [key for key in old if key in new]
    pairs = [(key, old[key], new[key]) for key in shared]
    differing = [
        PointChange(key, a.id, b.id, changes)
        for key, a, b in pairs
        if (changes := tuple(c for c in _changes(a.figures, b.figures) if c.is_change))
    ]
    lines = [f"point {b.id}: {line}" for _, a, b in pairs for line in _broken(thresholds, a, b)]
    models = [{Path(row.model or "").name for row in sweep.rows} for sweep in (before, after)]
    boards = [{row.board or "" for row in sweep.rows} for sweep in (before, after)]
    return SweepComparison(
        before=before,
        after=after,
        matched=len(shared),
        differing=tuple(differing),
        only_before=tuple(key for key in old if key not in new),
        only_after=tuple(key for key in new if key not in old),
        versions=_only_changed(before.versions, after.versions),
        job=tuple(_differences(before.settings, after.settings)),
        warnings=tuple(_sweep_warnings(models, boards, len(shared))),
        broken=tuple(lines),
    )


def _broken(thresholds: Sequence[Threshold], before: Record, after: Record) -> Iterator[str]:
    """A point that had no plan before is no worse for one, and two without a plan are alike."""
    had = before.figures
    for threshold in thresholds:
        if had.get(threshold.figure) is None and threshold.word is None:
            is_known = after.figures.get(threshold.figure) is not None
            if threshold.is_change or not is_known:
                continue
        yield from broken([threshold], after.figures, as_reference(before.figures))


def _by_key(rows: Sequence[Record]) -> dict[tuple[str, ...], Record]:
    """Points that were asked alike get a number behind their key."""
    found: dict[tuple[str, ...], Record] = {}
    for row in rows:
        key, number = row.key, 2
        while key in found:
            key, number = (*row.key, str(number)), number + 1
        found[key] = row
    return found


def _changes(before: Mapping[str, Figure], after: Mapping[str, Figure]) -> tuple[Change, ...]:
    return tuple(Change(name, before[name], after[name]) for name in before)


def _only_changed(
    before: Mapping[str, str | None], after: Mapping[str, str | None]
) -> tuple[Change, ...]:
    names = dict.fromkeys((*before, *after))
    changes = (Change(name, before.get(name), after.get(name)) for name in names)
    return tuple(change for change in changes if change.is_change)


def _asked(run: RunRecord) -> dict[str, Any]:
    """What a run was asked, board included; where its files lie says nothing of it."""
    settings = dump(run.plan.job.settings)
    kept = {k: v for k, v in settings.items() if k not in ("model", "out")}
    return {**kept, "budget_bytes": run.plan.budget_bytes, "board": _board(run)}


def _differences(before: Any, after: Any, key: str = "$") -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*before, *after)):
            yield from _differences(before.get(name), after.get(name), f"{key}.{name}")
    elif before != after:
        yield Difference(key, before, after)


def _warnings(before: RunRecord, after: RunRecord) -> Iterator[str]:
    old, new = before.plan.model, after.plan.model
    if old.sha256 != new.sha256:
        names = f"{Path(old.path).name} and {Path(new.path).name}"
        yield f"not comparable: the models differ ({names}, by their SHA-256)"
    board = [d.key.removeprefix("$.") for d in _differences(_board(before), _board(after))]
    if board:
        yield f"not comparable: the boards differ in {', '.join(board)}"


def _board(run: RunRecord) -> dict[str, Any]:
    return {
        k: v for k, v in run.plan.board.model_dump(mode="json").items() if k not in _OF_NO_EFFECT
    }


def _sweep_warnings(
    models: Sequence[set[str]], boards: Sequence[set[str]], matched: int
) -> Iterator[str]:
    for what, (before, after) in (("models", models), ("boards", boards)):
        if before != after:
            names = ", ".join(sorted(before ^ after))
            yield f"not wholly comparable: {what} that only one of the sweeps has: {names}"
    if not matched:
        yield "not comparable: the sweeps have no point in common"


def _identity(run: RunRecord) -> dict[str, Any]:
    return {
        "path": run.where,
        "job": run.plan.job.name,
        "model": run.plan.model.path,
        "model_sha256": run.plan.model.sha256,
        "board": run.plan.board.name,
        "created_utc": run.created_utc,
        "figures": dict(run.figures),
        "checks": dict(run.checks),
        "versions": dict(run.versions),
    }

"""The folder of a bundle or of a sweep → checked documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from splitopt.base.errors import UsageError
from splitopt.base.zz_json_input import parse_document, read_bytes, read_document
from splitopt.bundle.schema import Graph, Manifest, Memory, Plan, Shape, Verify
from splitopt.bundle.schema_explain import read_run_explanation
from splitopt.bundle.zz_documents import Document, PointPlan, RunDocuments, SweepDocuments
from splitopt.bundle.zz_sweep_shapes import PLANNED, PlannedRecord, Record, Sweep

MOST_POINTS = 20_000
_PLAN_PATH = re.compile("plans/[A-Za-z0-9_-]{1,64}/plan.json")


def load_run(folder: Path) -> RunDocuments:
    """Raises UsageError, in one sentence, for a folder that is no bundle of a run."""
    _want_folder(folder, "splitopt run")
    plan = read_document(folder / "plan.json", Plan)
    memory = read_document(folder / "memory.json", Memory)
    graph = read_document(folder / "graph.json", Graph)
    _refuse_misfits(folder, plan, memory)
    _refuse_bad_graph(folder, plan, graph)
    diagnosis = folder / "diagnosis.json"
    return RunDocuments(
        plan,
        memory,
        graph,
        verify=read_document(folder / "verify.json", Verify),
        manifest=read_document(folder / "manifest.json", Manifest),
        timing=_optional(folder / "timing.json", Shape),
        diagnosis=read_run_explanation(diagnosis) if diagnosis.exists() else None,
    )


def load_sweep(folder: Path) -> SweepDocuments:
    """Raises UsageError, in one sentence, for a folder that is no finished sweep."""
    _want_folder(folder, "splitopt sweep")
    sweep = read_document(folder / "sweep.json", Sweep)
    records = tuple(_records(folder / "records.jsonl"))
    _refuse_loose_ends(folder, sweep, records)
    return SweepDocuments(sweep, records, _plans(folder, records))


def _want_folder(folder: Path, command: str) -> None:
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; want one that `{command}` wrote")


def _optional(path: Path, shape: type[Shape]) -> Any:
    return read_document(path, shape) if path.exists() else None


def _records(path: Path) -> Iterator[Document]:
    lines = [line for line in read_bytes(path).splitlines() if line.strip()]
    if len(lines) > MOST_POINTS:
        raise UsageError(f"{path}: {len(lines):,} records; at most {MOST_POINTS:,} are reported")
    for number, line in enumerate(lines, 1):
        where = f"{path}, line {number}"
        record = parse_document(line, Record, where)
        if record["plan"] is not None or record["status"] in PLANNED:
            parse_document(line, PlannedRecord, where)
        yield record


def _refuse_loose_ends(folder: Path, sweep: Document, records: tuple[Document, ...]) -> None:
    ids = [record["id"] for record in records]
    if len(set(ids)) != len(ids):
        raise UsageError(f"{folder / 'records.jsonl'}: two records with one id")
    planned = {record["id"] for record in records if record["plan"]}
    for front in sweep["fronts"]:
        if not planned.issuperset(front["points"]):
            raise UsageError(f"{folder / 'sweep.json'}: $.fronts names points without a plan")


def _plans(folder: Path, records: tuple[Document, ...]) -> dict[str, PointPlan]:
    """By record. Points may share a plan; it is read once."""
    read: dict[str, PointPlan] = {}
    for row in records:
        if row["plan"] and row["plan"] not in read:
            read[row["plan"]] = _point_plan(folder, row)
    return {row["id"]: read[row["plan"]] for row in records if row["plan"]}


def _point_plan(folder: Path, row: Document) -> PointPlan:
    if not _PLAN_PATH.fullmatch(row["plan"]):
        raise UsageError(
            f"{folder / 'records.jsonl'}: point {row['id']} has its plan at {row['plan']!r:.80}, "
            "want plans/ID/plan.json"
        )
    home = (folder / row["plan"]).parent
    plan = read_document(home / "plan.json", Plan)
    memory = read_document(home / "memory.json", Memory)
    _refuse_misfits(home, plan, memory)
    return PointPlan(plan, memory)


def _refuse_misfits(folder: Path, plan: Document, memory: Document) -> None:
    """Parts that don't fit together, each of the right shape by itself."""
    segments, ops = plan["segments"], plan["model"]["ops"]
    if not _tile(segments, ops):
        raise UsageError(f"{folder / 'plan.json'}: $.segments: they don't tile the {ops} ops")
    if [segment["index"] for segment in segments] != list(range(len(segments))):
        raise UsageError(f"{folder / 'plan.json'}: $.segments: want the indices 0, 1, 2 and so on")
    if plan["floor"]["op"] >= ops:
        raise UsageError(f"{folder / 'plan.json'}: $.floor.op: the model has {ops} ops")
    maps = memory["segments"]
    spans = [list(range(segment["start"], segment["stop"])) for segment in segments]
    if [arena["ops"] for arena in maps] != spans or memory["unsplit"]["ops"] != [*range(ops)]:
        raise UsageError(f"{folder / 'memory.json'}: its ops are not those of plan.json")
    for arena in (memory["unsplit"], *maps):
        _refuse_bad_map(folder / "memory.json", arena, memory["region_bytes"])


def _tile(segments: Sequence[Document], ops: int) -> bool:
    """A segment in bands of two heights has two pieces, one right after the other."""
    start = stop = 0
    for k, segment in enumerate(segments):
        same = (segment["start"], segment["stop"]) == (start, stop)
        if not (k and same and segment.get("bands") and segments[k - 1].get("bands")) and not (
            segment["start"] == stop < segment["stop"]
        ):
            return False
        start, stop = segment["start"], segment["stop"]
    return bool(stop == ops)


def _refuse_bad_map(path: Path, arena: Document, region_bytes: int) -> None:
    granted = arena["arena_bytes"]
    if arena["head_bytes"] + arena["tail_bytes"] > granted:
        raise UsageError(f"{path}: an arena with more in it than it grants")
    for buffer in arena["buffers"]:
        if buffer["stop"] <= buffer["start"] or buffer["stop"] > 2 * len(arena["ops"]) + 2:
            raise UsageError(f"{path}: a buffer alive in steps that the piece does not have")
        if buffer["offset"] + buffer["size"] > arena["head_bytes"]:
            raise UsageError(f"{path}: a buffer above the head of its arena")
    low = arena.get("arena_offset", 0)
    for entry in arena["boundary"]:
        start, stop = entry["offset"], entry["offset"] + entry["size"]
        if stop > region_bytes or (start < low + granted and low < stop):
            raise UsageError(f"{path}: a boundary tensor in the arena or outside the region")
    sizes = {entry["tensor"]: entry["size"] for entry in arena["boundary"]}
    for band in arena.get("bands", ()):
        if not band["start"] < band["stop"] <= sizes.get(band["tensor"], 0):
            raise UsageError(f"{path}: a band of rows that its boundary tensor does not have")


def _refuse_bad_graph(folder: Path, plan: Document, graph: Document) -> None:
    ops, path = plan["model"]["ops"], folder / "graph.json"
    if [op["index"] for op in graph["ops"]] != list(range(ops)):
        raise UsageError(f"{path}: $.ops: want the {ops} ops of plan.json in their order")
    if any(not edge["from"] < edge["to"] < ops for edge in graph["edges"]):
        raise UsageError(f"{path}: $.edges: want each from an op to a later one")
    if any(reader >= ops for tensor in graph["tensors"].values() for reader in tensor["read_by"]):
        raise UsageError(f"{path}: $.tensors: read by an op that the model does not have")

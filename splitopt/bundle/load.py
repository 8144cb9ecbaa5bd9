"""The folder of a bundle or of a sweep → checked documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

from splitopt.base.errors import UsageError
from splitopt.base.json_input import load_json, load_json_lines
from splitopt.base.text import first_few
from splitopt.bundle.documents import parse_document, read_document
from splitopt.bundle.schema.board_timing import BoardTiming
from splitopt.bundle.schema.common import Shape
from splitopt.bundle.schema.explain import RunExplanation
from splitopt.bundle.schema.graph import Graph
from splitopt.bundle.schema.manifest import Manifest
from splitopt.bundle.schema.memory import ArenaMap, Memory
from splitopt.bundle.schema.plan import Plan
from splitopt.bundle.schema.sweep import PLANNED, PlannedRecord, Record, Sweep
from splitopt.bundle.schema.timing import Timing
from splitopt.bundle.schema.verify import Verify

S = TypeVar("S", bound=Shape)
ROWS = "records.jsonl"
MOST_POINTS = 20_000
MOST_BYTES = 64 << 20
_MOST_LISTED = 1000
_PLAN_PATH = re.compile("plans/[A-Za-z0-9_-]{1,64}/plan.json")


@dataclass(frozen=True)
class RunDocuments:
    """The files of one bundle. `diagnosis`: outputs and memory, as in explain.json. `board`: what a
    board's log says, in the bundle's timing.json or in one that was given besides."""

    plan: Plan
    memory: Memory
    graph: Graph
    verify: Verify
    manifest: Manifest
    timing: Timing | None = None
    diagnosis: RunExplanation | None = None
    board: BoardTiming | None = None


@dataclass(frozen=True)
class PointPlan:
    """plan.json and memory.json of one point of a sweep."""

    plan: Plan
    memory: Memory


@dataclass(frozen=True)
class SweepDocuments:
    """sweep.json, a record for each point, and by record id what was planned there."""

    sweep: Sweep
    records: tuple[Record, ...]
    plans: Mapping[str, PointPlan] = field(default_factory=dict)


def read_plan(folder: Path) -> Plan:
    """plan.json. Raises UsageError, in one sentence, for a folder that is not a bundle."""
    _want_folder(folder, "splitopt run")
    path = folder / "plan.json"
    if not path.is_file():
        what = "not a file" if path.exists() else "no such file"
        want = f"{what}; want a bundle that `splitopt run` wrote"
        raise UsageError(f"{path}: {want}{_runs_text(folder)}")
    plan = read_document(path, Plan)
    _refuse_unknown_memories(path, plan)
    return plan


def _refuse_unknown_memories(path: Path, plan: Plan) -> None:
    """Something lies in a memory that is not among those that the plan uses."""
    used = {memory.name for memory in plan.memories if memory.used_bytes}
    named = [name for own in plan.segments for name in (own.stored_in, own.kept_in)]
    named += [entry.memory for entry in plan.layout.boundary]
    unknown = [name for name in named if name is not None and name not in used]
    if unknown:
        raise UsageError(f"{path}: memory {unknown[0]!r:.80} is none of those that the plan uses")


def _runs_text(folder: Path) -> str:
    """The bundles in a folder that is none, the newest first; nothing where there are none."""
    found = islice(folder.glob("*/plan.json"), _MOST_LISTED)
    names = sorted((path.parent.name for path in found), reverse=True)
    return f", one of these in {folder}: {first_few(names)}" if names else ""


def load_run(folder: str | Path, given: Path | None = None) -> RunDocuments:
    """The documents of a run's folder, checked: plan, memory, graph, proof, and what else it has.
    `given`: a further timing.json, which stands in for one of the same kind.

    Sizes in bytes, `_insn` in estimated instructions, ranges half-open. Raises UsageError, in one
    sentence, for a folder that is not a bundle of a run.
    """
    folder = Path(folder)
    plan = read_plan(folder)
    memory = read_document(folder / "memory.json", Memory, MOST_BYTES)
    graph = read_document(folder / "graph.json", Graph, MOST_BYTES)
    _refuse_misfits(folder, plan, memory)
    _refuse_bad_graph(folder, plan, graph)
    own, own_board = read_timing(folder / "timing.json")
    timing, board = (None, None) if given is None else read_timing(given, plan)
    return RunDocuments(
        plan,
        memory,
        graph,
        verify=read_document(folder / "verify.json", Verify),
        manifest=read_document(folder / "manifest.json", Manifest),
        timing=timing or own,
        board=board or own_board,
        diagnosis=optional(folder / "diagnosis.json", RunExplanation),
    )


def load_sweep(folder: Path) -> SweepDocuments:
    """The documents of a finished sweep's folder, checked. Raises UsageError, in one sentence, for
    any other folder."""
    _want_folder(folder, "splitopt sweep")
    sweep = read_document(folder / "sweep.json", Sweep)
    records = read_records(folder)
    planned = {record.id for record in records if record.plan}
    for front in sweep.fronts:
        if not planned.issuperset(front.points):
            raise UsageError(f"{folder / 'sweep.json'}: $.fronts names points without a plan")
    return SweepDocuments(sweep, records, _plans(folder, records))


def read_records(folder: Path) -> tuple[Record, ...]:
    """A sweep's records, PlannedRecords where there is a plan. Raises UsageError."""
    path = folder / ROWS
    if not path.exists():
        raise UsageError(f"{path}: no such file; want a folder that `splitopt sweep` wrote")
    lines = load_json_lines(path, MOST_BYTES, MOST_POINTS)
    records = tuple(record_of_data(data, where) for where, data in lines)
    if len({record.id for record in records}) != len(records):
        raise UsageError(f"{path}: two records with one id")
    return records


def record_of_data(data: Mapping[str, object], where: str) -> Record:
    """One line of records.jsonl; a PlannedRecord where its point has a plan. Raises UsageError."""
    is_planned = data.get("plan") is not None or data.get("status") in PLANNED
    return parse_document(data, PlannedRecord if is_planned else Record, where)


def _want_folder(folder: Path, command: str) -> None:
    if not folder.is_dir():
        what = "not a folder" if folder.exists() else "no such folder"
        raise UsageError(f"{folder}: {what}; want one that `{command}` wrote")


def optional(path: Path, shape: type[S]) -> S | None:
    """The document, or None where the file does not exist. Raises UsageError."""
    return read_document(path, shape) if path.exists() else None


def read_timing(path: Path, plan: Plan | None = None) -> tuple[Timing | None, BoardTiming | None]:
    """Of a simulator or of a board, whichever it is. Raises UsageError; of another plan's pieces,
    too."""
    if plan is None and not path.exists():
        return None, None
    data, where = load_json(path), str(path)
    is_board = "board_log" in data
    board = parse_document(data, BoardTiming, where) if is_board else None
    timing = None if is_board else parse_document(data, Timing, where)
    pieces = (board.pieces if board else ()) or (timing.pieces if timing else ())
    found = [piece.predicted_arena_used_bytes for piece in pieces]
    if plan is not None and found != [segment.arena_used_bytes for segment in plan.segments]:
        raise UsageError(f"{path}: its pieces are not those of the run")
    return timing, board


def _plans(folder: Path, records: tuple[Record, ...]) -> dict[str, PointPlan]:
    """By record. Points may share a plan; it is read once."""
    read: dict[str, PointPlan] = {}
    for row in records:
        if row.plan and row.plan not in read:
            read[row.plan] = _point_plan(folder, row.id, row.plan)
    return {row.id: read[row.plan] for row in records if row.plan}


def _point_plan(folder: Path, name: str, plan_path: str) -> PointPlan:
    if not _PLAN_PATH.fullmatch(plan_path):
        raise UsageError(
            f"{folder / ROWS}: point {name} has its plan at {plan_path!r:.80}, "
            "want plans/ID/plan.json"
        )
    home = (folder / plan_path).parent
    plan = read_document(home / "plan.json", Plan)
    memory = read_document(home / "memory.json", Memory, MOST_BYTES)
    _refuse_misfits(home, plan, memory)
    return PointPlan(plan, memory)


def _refuse_misfits(folder: Path, plan: Plan, memory: Memory) -> None:
    """Parts that don't fit together, each of the right shape by itself."""
    from splitopt.bundle.stream_fit import loose_ends  # not loaded for `splitopt runs`

    segments, ops = plan.segments, plan.model.ops
    if not tile(plan, ops):
        raise UsageError(f"{folder / 'plan.json'}: $.segments: they don't tile the {ops} ops")
    if [segment.index for segment in segments] != list(range(len(segments))):
        raise UsageError(f"{folder / 'plan.json'}: $.segments: want the indices 0, 1, 2 and so on")
    if plan.floor.op >= ops:
        raise UsageError(f"{folder / 'plan.json'}: $.floor.op: the model has {ops} ops")
    spans = [tuple(range(segment.start, segment.stop)) for segment in segments]
    if [a.ops for a in memory.segments] != spans or memory.unsplit.ops != (*range(ops),):
        raise UsageError(f"{folder / 'memory.json'}: its ops are not those of plan.json")
    for k, segment in enumerate(segments):
        if why := loose_ends(segment):
            raise UsageError(f"{folder / 'plan.json'}: $.segments[{k}]: {why}")
    for arena in (memory.unsplit, *memory.segments):
        _refuse_bad_map(folder / "memory.json", arena, memory.region_bytes)


def tile(plan: Plan, ops: int) -> bool:
    """Whether segments follow one another from op 0 to the last.

    A segment in bands of two heights has two pieces, one right after the other.
    """
    start = stop = 0
    for k, segment in enumerate(plan.segments):
        same = (segment.start, segment.stop) == (start, stop)
        if not (k and same and segment.bands and plan.segments[k - 1].bands) and not (
            segment.start == stop < segment.stop
        ):
            return False
        start, stop = segment.start, segment.stop
    return stop == ops


def _refuse_bad_map(path: Path, arena: ArenaMap, region_bytes: int) -> None:
    granted = arena.arena_bytes
    if arena.head_bytes + arena.tail_bytes > arena.tail_stop:
        raise UsageError(f"{path}: an arena with more in it than it grants")
    for buffer in arena.buffers:
        if buffer.stop <= buffer.start or buffer.stop > 2 * len(arena.ops) + 2:
            raise UsageError(f"{path}: a buffer alive in steps that the piece does not have")
        if buffer.offset + buffer.size > arena.head_bytes:
            raise UsageError(f"{path}: a buffer above the head of its arena")
    low = arena.arena_offset
    for entry in arena.boundary:
        start, stop = entry.offset, entry.offset + entry.size
        if entry.in_place:
            is_wrong = not any(
                (b.tensor, low + b.offset, b.size) == (entry.tensor, start, entry.size)
                for b in arena.buffers
            )
        else:
            is_wrong = start < low + granted and low < stop
        if stop > region_bytes or is_wrong:
            raise UsageError(f"{path}: a boundary tensor in the arena or outside the region")
    sizes = {entry.tensor: entry.size for entry in arena.boundary}
    for band in arena.bands:
        if not band.start < band.stop <= sizes.get(band.tensor, 0):
            raise UsageError(f"{path}: a band of rows that its boundary tensor does not have")


def _refuse_bad_graph(folder: Path, plan: Plan, graph: Graph) -> None:
    ops, path = plan.model.ops, folder / "graph.json"
    if [op.index for op in graph.ops] != list(range(ops)):
        raise UsageError(f"{path}: $.ops: want the {ops} ops of plan.json in their order")
    if any(not edge.maker < edge.reader < ops for edge in graph.edges):
        raise UsageError(f"{path}: $.edges: want each from an op to a later one")
    if any(reader >= ops for tensor in graph.tensors.values() for reader in tensor.read_by):
        raise UsageError(f"{path}: $.tensors: read by an op that the model does not have")

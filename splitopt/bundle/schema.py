"""What the documents of a run must hold for a report; what is not shown may be anything."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from splitopt.base.yaml_input import Strict

MOST_OPS = 4_000
_MOST = 2**50

Text = Annotated[str, Field(max_length=4096)]
Line = Annotated[str, Field(max_length=200)]
Count = Annotated[int, Field(ge=0, le=_MOST)]
Index = Annotated[int, Field(ge=0, lt=2**31)]
Op = Annotated[int, Field(ge=0, le=MOST_OPS)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e300, le=1e300)]
Map = dict[str, Any]


class Shape(Strict):
    """Keys that no report reads may be anything."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Job(Shape):
    name: Text
    path: Text
    settings: Map


class Model(Shape):
    path: Text
    sha256: Line
    bytes: Count
    ops: Annotated[int, Field(ge=1, le=MOST_OPS)]
    tensors: Count


class Board(Shape):
    name: Line
    sram_bytes: Count
    reserved_bytes: Count
    headroom_bytes: Count


class Objective(Shape):
    minimise: Line
    cost: int | float | None
    bound: int | float | None
    gap: Number


class Baseline(Shape):
    head_bytes: Count
    tail_bytes: Count
    arena_used_bytes: Count
    arena_min_bytes: Count
    ram_bytes: Count
    estimated_allocate_insn: Count
    estimated_invoke_insn: Count
    ops_without_invoke_estimate: list[Text]
    exact: bool


class HandCuts(Shape):
    name: Text
    peak_ram_bytes: Count
    added_insn: Count


class Floor(Shape):
    op: Op
    type: Line
    least_ram_bytes: Count


class Segment(Shape):
    index: Op
    start: Op
    stop: Op
    head_bytes: Count
    tail_bytes: Count
    arena_bytes: Count
    through_bytes: Count
    in_bytes: Count
    out_bytes: Count
    ram_bytes: Count
    bands: Annotated[list[Map], Field(min_length=1, max_length=MOST_OPS)] | None = None
    offline_plan: bool = False
    estimated_added_insn: Annotated[int, Field(ge=-_MOST, le=_MOST)]
    estimated_recomputed_insn: Annotated[int, Field(ge=-_MOST, le=_MOST)] = 0
    estimated_invoke_insn: Count | None = None
    exact: bool
    piece: Text | None = None
    piece_bytes: Count | None = None
    sha256: Line | None = None
    onnx_nodes: list[Text] = Field(default=[])


class Boundary(Shape):
    tensor: Index
    name: Text
    offset: Count
    size: Count
    first_segment: Op
    last_segment: Op
    onnx_tensor: Text | None = None


class Layout(Shape):
    region_bytes: Count
    boundary: list[Boundary]


class Quality(Shape):
    samples: Count
    sqnr_db: Number
    worst_litert_lsb: Number
    top1_float: Number | None
    top1_int8: Number | None
    top1_agreement: Number | None


class OnnxSource(Shape):
    notes: list[Text] = Field(default=[])


class Conversion(Shape):
    calibration_samples: Count
    quality: Quality
    onnx: OnnxSource | None
    warnings: list[Text] = Field(default=[])


class Side(Shape):
    piece: Op
    scale: Number
    zero_point: Annotated[int, Field(ge=-(2**31), lt=2**31)]


class Agreement(Shape):
    onnx_tensor: Text | None
    writer: Side
    reader: Side
    requantise: bool
    insn: Count


class Route(Shape):
    peak_ram_bytes: Count
    largest_arena_bytes: Count
    estimated_added_insn: Count
    requantised_boundaries: Count
    worst_lsb: Number | None
    sqnr_db: Number | None
    top1: Number | None
    top1_agreement: Number | None
    conversion_s: Number


class Routes(Shape):
    whole: Route
    pieces: Route


class Plan(Shape):
    """plan.json. Pieces of a plan in a sweep have no files."""

    schema_version: Literal[1]
    job: Job
    model: Model
    board: Board
    budget_bytes: Count
    route: Literal["whole", "pieces"]
    status: Literal["OPTIMAL", "FEASIBLE"]
    objective: Objective
    peak_ram_bytes: Count
    added_insn: Count
    exact: bool
    estimated_ops: list[Text]
    baseline: Baseline
    by_hand: list[HandCuts]
    floor: Floor
    segments: Annotated[list[Segment], Field(min_length=1, max_length=MOST_OPS)]
    layout: Layout
    piece_bytes: Count | None
    piece_overhead_bytes: Annotated[int, Field(ge=-_MOST, le=_MOST)] | None
    conversion: Conversion | None = None
    contract: list[Agreement] = Field(default=[])
    routes: Routes | None = None


class Buffer(Shape):
    kind: Literal["tensor", "scratch"]
    tensor: Index | None
    name: Text
    offset: Count
    size: Count
    start: Op
    stop: Annotated[int, Field(ge=0, le=2 * MOST_OPS)]


class Placed(Shape):
    tensor: Index
    offset: Count
    size: Count


class Band(Shape):
    """Bytes [start, stop) of a boundary tensor that an execution reads, or keeps."""

    tensor: Index
    number: Op
    start: Count
    stop: Count
    reads: bool


class ArenaMap(Shape):
    ops: Annotated[list[Op], Field(min_length=1, max_length=MOST_OPS)]
    arena_bytes: Count
    arena_offset: Count = 0
    head_bytes: Count
    peak_load_bytes: Count
    fragmentation_bytes: Count
    tail_bytes: Count
    tail_by_category: dict[Line, Count]
    buffers: Annotated[list[Buffer], Field(max_length=20 * MOST_OPS)]
    boundary: list[Placed]
    bands: Annotated[list[Band], Field(max_length=20 * MOST_OPS)] = Field(default=[])


class Memory(Shape):
    """memory.json."""

    schema_version: Literal[1]
    region_bytes: Count
    unsplit: ArenaMap
    segments: Annotated[list[ArenaMap], Field(min_length=1, max_length=MOST_OPS)]


class GraphOp(Shape):
    index: Op
    type: Line
    outputs: list[Index]
    onnx_nodes: list[Text]


class Edge(Shape):
    maker: Annotated[Op, Field(alias="from")]
    reader: Annotated[Op, Field(alias="to")]


class Tensor(Shape):
    name: Text
    bytes: Count
    read_by: list[Op]


class Graph(Shape):
    """graph.json."""

    schema_version: Literal[1]
    inputs: Annotated[list[Index], Field(max_length=MOST_OPS)]
    ops: Annotated[list[GraphOp], Field(min_length=1, max_length=MOST_OPS)]
    edges: Annotated[list[Edge], Field(max_length=20 * MOST_OPS)]
    tensors: dict[Line, Tensor]


class Check(Shape):
    name: Text
    status: Literal["passed", "failed", "skipped"]
    compared: Text
    inputs: Count
    worst_difference: Number
    detail: Annotated[str, Field(max_length=65536)]


class Verify(Shape):
    """verify.json."""

    schema_version: Literal[1]
    status: Literal["passed", "failed", "skipped"]
    seed: int
    random_inputs: Count
    given_inputs: Count
    held_out_inputs: Count = 0
    interpreters: dict[Line, Line | None]
    checks: Annotated[list[Check], Field(max_length=1000)]


class Input(Shape):
    path: Text
    sha256: Line


class Manifest(Shape):
    """manifest.json."""

    created_utc: Line
    command: list[Text]
    seed: int
    versions: dict[Line, Line | None]
    inputs: dict[Line, Input]
    files: dict[Text, Line] = Field(default={})

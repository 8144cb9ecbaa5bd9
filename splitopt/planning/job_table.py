"""The one place where the table of a job's segments is made: planning, sweeps, explain, calibrate
and export all ask here, so that no one forgets a setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from splitopt.arena.rules import target_rules
from splitopt.config.board import Board
from splitopt.config.job import Job
from splitopt.cost.costs import parse_costs
from splitopt.graph.model import ModelGraph
from splitopt.planning.segment import CUTS_ONLY, Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.switching import Switching, TailMemory


@dataclass(frozen=True)
class Pricing:
    """What, besides the model, decides every segment's figures. It can travel between processes.

    `cost_table`: the text of a table that `calibrate` wrote; empty for the built-in estimates.
    """

    abi: str
    headroom_bytes: int = 0
    zero_arena: bool = False
    cost_table: str = ""
    cost_table_from: str = "the cost table"
    techniques: Techniques = CUTS_ONLY


def segment_options(
    job: Job, graph: ModelGraph, techniques: Techniques | None = None
) -> SegmentTable:
    """The table of a job's segments; `techniques` replace those that the job allows.

    Raises UsageError where the job's cost table cannot be read.
    """
    return priced_segments(graph, pricing_of(job, techniques))


def priced_segments(graph: ModelGraph, pricing: Pricing) -> SegmentTable:
    """The table of a model's segments under these prices. Raises UsageError for a cost table that
    cannot be read."""
    return SegmentTable(
        graph,
        target_rules(pricing.abi),
        headroom_bytes=pricing.headroom_bytes,
        zero_arena=pricing.zero_arena,
        costs=parse_costs(pricing.cost_table, pricing.cost_table_from),
        techniques=pricing.techniques,
    )


def pricing_of(job: Job, techniques: Techniques | None = None) -> Pricing:
    """What a job says about its segments' figures; `techniques` replace those that the job allows.

    Raises UsageError where the job's cost table cannot be read.
    """
    return Pricing(
        abi=job.board.abi,
        headroom_bytes=job.board.headroom_bytes,
        zero_arena=job.spec.pieces.zero_arena,
        cost_table=job.cost_table_text,
        cost_table_from=f"{job.file}: $.cost_table",
        techniques=techniques_of(job) if techniques is None else techniques,
    )


def techniques_of(job: Job) -> Techniques:
    """What the job's plans may use beyond cuts.

    Pieces that are converted one by one can only be cut. Bands of two heights make two pieces of
    one segment, so a limit on pieces rules them out.
    """
    pieces = job.spec.pieces
    if job.spec.route == "pieces":
        return CUTS_ONLY
    return Techniques(
        bands=pieces.bands,
        two_heights=pieces.bands and pieces.max is None,
        offline_plans=pieces.offline_plans,
        streams=pieces.streams,
        rolled_ends=pieces.rolled_ends,
        input_by_rows=pieces.input == "rows",
        in_place=pieces.in_place,
        switching=switching_of(job.board, pieces.switching),
    )


def switching_of(board: Board, ways: Sequence[str]) -> Switching:
    """How pieces may begin on a board where a job allows these ways, and what else its memories may
    hold."""
    may_reside = "resident" in ways and target_rules(board.abi).abi.two_arenas is not None
    wanted = {
        "saved_tails": "restore" in ways,
        "tails": may_reside,
        "boundary": True,
        "model_input": True,
    }
    memories = tuple(
        TailMemory(
            name=memory.name,
            bytes=memory.bytes - memory.reserved_bytes,
            written=memory.written,
            read_cost=memory.read_cost,
            saved=wanted["saved_tails"] and "saved_tails" in memory.holds,
            tails=wanted["tails"] and "tails" in memory.holds,
            boundary="boundary" in memory.holds,
            model_input="model_input" in memory.holds,
            write_cost=memory.write_cost,
        )
        for memory in board.memories
        if any(wanted[what] for what in memory.holds)
    )
    return Switching(memories, "rebuild" in ways, may_reside)

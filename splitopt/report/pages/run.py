"""The report of one run: from its documents to one HTML page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from splitopt.base.units import added_text, format_bytes, plural
from splitopt.bundle.documents import dump
from splitopt.bundle.io_json import io_lines
from splitopt.bundle.load import RunDocuments
from splitopt.bundle.schema.memory import Memory
from splitopt.bundle.schema.plan import Plan, Segment
from splitopt.bundle.schema.verify import Verify
from splitopt.report.charts.dag import dag_chart
from splitopt.report.charts.memory_bars import bars_legend, memory_bars
from splitopt.report.charts.memory_map import LEGEND, boundary_names, memory_map
from splitopt.report.charts.outside_map import outside_maps
from splitopt.report.charts.ram_chart import ram_chart
from splitopt.report.charts.svg import Chart, keys_drawn
from splitopt.report.pages.page import render
from splitopt.report.pages.provenance import facts_of_run, settings_facts
from splitopt.report.pages.tables import (
    Grid,
    board_grid,
    contract_grid,
    file_grid,
    hashes,
    ram_formula,
    segment_grid,
    timing_grid,
)
from splitopt.report.text.answer import (
    COLUMNS,
    choice_rows,
    end_lines,
    fits_line,
    next_command,
)
from splitopt.report.text.notes import (
    PRICE_COLUMNS,
    contract_lines,
    conversion_lines,
    estimate_lines,
    onnx_lines,
    price_rows,
)
from splitopt.report.text.summary import (
    CHANGE_COLUMNS,
    HAND_COLUMNS,
    ROUTE_COLUMNS,
    before_after,
    check_lines,
    hand_rows,
    proof_line,
    route_rows,
    runs_text,
    verdict,
)

_UNSPLIT_WIDTH = 1100


def render_run(documents: RunDocuments) -> str:
    """One self-contained page. The documents are those of `load_run`, or fresh from a run."""
    plan = documents.plan
    context = {
        "title": f"{plan.job.name}: splitopt run",
        "about": _about(plan),
        "fits": fits_line(plan),
        "choices": Grid(
            "The unsplit model and what could be written", COLUMNS, list(choice_rows(plan))
        ),
        "ends": list(end_lines(plan, documents.verify.checks, documents.verify.own_inputs)),
        "flash": _flash(plan),
        "files": file_grid(plan),
        "next": next_command(plan, documents.verify.checks, "RUN_DIR"),
        "verdict": verdict(plan),
        "limit": _limit(plan),
        "before_after": Grid("Before and after", CHANGE_COLUMNS, before_after(plan)),
        "price": _price(plan),
        "proof": proof_line(plan),
        "checks": list(check_lines(documents.verify.checks)),
        "checked_on": _checked_on(documents.verify),
        **_charts(documents),
        **_tables(plan),
        "contract": contract_grid(plan.contract) if plan.contract else None,
        "requantised": list(contract_lines(plan)),
        "io": [] if plan.io is None else list(io_lines(plan.io)),
        "conversion": list(conversion_lines(plan)),
        "onnx": list(onnx_lines(plan)),
        "timing": None if documents.timing is None else timing_grid(documents.timing),
        "board": None if documents.board is None else board_grid(documents.board),
        "diagnosis": documents.diagnosis,
        "estimates": list(estimate_lines(plan)),
        "provenance": facts_of_run(plan, documents.manifest),
        "hashes": hashes(documents.manifest),
        "settings": settings_facts(dump(plan.job.settings)),
    }
    return render("run", **context, contents=_contents(context))


_SECTIONS = (
    ("verdict", "Answer", ""),
    ("ram", "RAM against step", ""),
    ("proof", "Proof and checks", ""),
    ("maps", "Memory maps", ""),
    ("graph", "Graph and cuts", ""),
    ("segments", "Pieces", ""),
    ("by-hand", "Cuts chosen by", "by_hand"),
    ("routes", "Both routes from ONNX", "routes"),
    ("io", "Integer inputs and outputs", "io"),
    ("conversion", "Conversion to int8", "conversion"),
    ("timing", "Timing", "timing"),
    ("board", "Measured on a board", "board"),
    ("diagnosis", "Diagnosis", "diagnosis"),
    ("estimates", "What rests on estimates", ""),
    ("provenance", "Provenance", ""),
)


def _contents(context: dict[str, Any]) -> list[tuple[str, str]]:
    """The sections that are there: the third item names what a section needs."""
    found = dict(context)
    found["routes"] = context["routes"] or context["contract"]
    return [(ident, name) for ident, name, needs in _SECTIONS if not needs or found[needs]]


def _flash(plan: Plan) -> str:
    """What goes where on the device."""
    region = format_bytes(plan.peak_ram_bytes)
    ram = f"one region of RAM of {region}, aligned to 16 bytes"
    written = "the pieces were not written"
    if plan.piece_bytes is not None:
        files = plural(len(file_grid(plan).rows), "file")
        written = f"{files} of {format_bytes(plan.piece_bytes)}"
    whole = f"the model's own file takes {format_bytes(plan.model.bytes)} and is not needed"
    if plan.is_unsplit:
        return f"Flash: {written} ({whole}). Declare: {ram}, as the arena."
    arenas = f"arenas of at most {format_bytes(plan.largest_arena_bytes)}"
    if plan.kept_bytes:
        share = format_bytes(plan.peak_ram_bytes - plan.kept_bytes)
        ram += f"; its top {format_bytes(plan.kept_bytes)} are kept by resident pieces for good"
        arenas = f"{share} below are what {arenas}"
    kept = {name for s in plan.segments for name in (s.stored_in, s.kept_in) if name}
    memories = sorted(kept)
    more = f" What is kept for good lies in {', '.join(memories)}, too." if memories else ""
    places = {entry.memory for entry in plan.layout.boundary}
    outside = sorted(place for place in places if place is not None)
    more += f" Boundary tensors lie in {', '.join(outside)}, too." if outside else ""
    shared = " and the boundary tensors share" if None in places or not outside else " share"
    return (
        f"Flash: {written} ({whole}). Declare: {ram}, {'the ' if plan.kept_bytes else 'which '}"
        f"{arenas}{shared}.{more}"
    )


def _limit(plan: Plan) -> str:
    """What sets the peak, and what no cut can change."""
    segment, bound = plan.limiting, plan.floor
    where = f"Piece {segment.index:02d} (ops {segment.start} to {segment.stop - 1}) sets the peak"
    level = [f"{s.index:02d}" for s in plan.segments if s.ram_bytes == segment.ram_bytes]
    if len(level) > 1:
        where = f"Pieces {', '.join(level[:-1])} and {level[-1]} set the peak"
    if plan.is_unsplit:
        where = "The unsplit model sets the peak"
    if plan.kept_bytes:
        where += (
            f" ({format_bytes(segment.ram_bytes)} while it runs, and "
            f"{format_bytes(plan.kept_bytes)} that resident pieces keep)"
        )
    least = format_bytes(bound.least_ram_bytes)
    op = f"op {bound.op} {bound.type}"
    if plan.peak_ram_bytes < bound.least_ram_bytes:
        return (
            f"{where}, below the {least} that a piece with {op} needs on all rows: "
            "no set of cuts gets there without bands or streams."
        )
    return (
        f"{where}; no set of cuts on all rows gets below {least}, the least that a "
        f"piece with {op} needs."
    )


def _about(plan: Plan) -> str:
    board, model = plan.board, plan.model
    return (
        f"{model.path} ({plural(model.ops, 'op')}, {format_bytes(model.bytes)}) on "
        f"{board.name}: {format_bytes(board.sram_bytes)} SRAM, "
        f"{format_bytes(board.reserved_bytes)} reserved, budget "
        f"{format_bytes(plan.budget_bytes)}, headroom {format_bytes(board.headroom_bytes)}; "
        f"objective {plan.objective.minimise}."
    )


def _checked_on(verify: Verify) -> str:
    if not verify.checks:
        return ""
    kinds = (
        (verify.random_inputs, "random"),
        (verify.given_inputs, "given"),
        (verify.held_out_inputs, "held-out"),
    )
    counts = [f"{count} {word}" for count, word in kinds if count]
    tools = ", ".join(f"{name} {tool or '-'}" for name, tool in verify.interpreters.items())
    return f"Inputs: {', '.join(counts) or 'none'}, seed {verify.seed}. Run with {tools}."


def _charts(documents: RunDocuments) -> dict[str, Any]:
    plan, memory = documents.plan, documents.memory
    unsplit = memory.unsplit
    whole = memory_map(
        unsplit,
        unsplit.arena_bytes,
        {},
        ident="map-unsplit",
        title="Memory map of the unsplit model",
        width=_UNSPLIT_WIDTH,
        height=300,
    )
    maps = [] if plan.is_unsplit else list(memory_maps(plan, memory))
    bars = memory_bars(plan)
    return {
        "board_name": plan.board.name,
        "bars": bars,
        "outside": outside_maps(plan),
        "bars_legend": bars_legend(bars),
        "ram": ram_chart(plan, memory, documents.graph),
        "unsplit_map": whole,
        "map_legend": keys_drawn(LEGEND, [whole, *(chart for _, chart in maps)]),
        "maps": maps,
        "dag": dag_chart(plan, memory, documents.graph),
    }


def memory_maps(plan: Plan, memory: Memory) -> Iterator[tuple[str, Chart]]:
    """A heading and a map for each piece."""
    names = boundary_names(plan)
    for segment, arena in zip(plan.segments, memory.segments, strict=True):
        number = f"{segment.index:02d}"
        heading = (
            f"Piece {number}: ops {segment.start} to {segment.stop - 1}"
            f"{_runs(segment)}, {format_bytes(segment.ram_bytes)} RAM"
        )
        title = f"Memory map of piece {number}"
        yield (
            heading,
            memory_map(
                arena,
                memory.region_bytes,
                names,
                ident=f"map-{number}",
                title=title,
                stream=segment.stream,
            ),
        )


def _runs(segment: Segment) -> str:
    """How it runs where that is not once, as TFLM plans it; and what its halo costs."""
    says = ", offline plan" if segment.offline_plan else ""
    says += ", the model's input by rows" if segment.input_by_rows else ""
    if segment.switching == "restore":
        says += f", restored from {segment.stored_in} ({format_bytes(segment.stored_bytes)})"
    if segment.switching == "resident":
        place = segment.kept_in or "the main SRAM"
        says += f", resident with {format_bytes(segment.kept_bytes)} in {place}"
    runs = runs_text(segment)
    if segment.bands:
        again = added_text(segment.estimated_recomputed_insn, None)
        return f"{says}, {runs} (rows computed more than once: {again})"
    return f"{says}, {runs}" if runs else says


def _price(plan: Plan) -> Grid | None:
    rows = price_rows(plan)
    return Grid("What is added to each inference", PRICE_COLUMNS, rows) if rows else None


def _tables(plan: Plan) -> dict[str, Any]:
    return {
        "segments": segment_grid(plan),
        "limiting": plan.limiting.index,
        "ram_formula": ram_formula(plan),
        "estimated_bytes": "" if plan.exact else "; bytes of some pieces are estimates",
        "by_hand": (
            Grid("Other cuts of the same model", HAND_COLUMNS, hand_rows(plan))
            if plan.by_hand
            else None
        ),
        "routes": (
            Grid("The same cuts by both routes", ROUTE_COLUMNS, route_rows(plan))
            if plan.routes
            else None
        ),
    }

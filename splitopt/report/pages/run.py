"""The report of one run: from its documents to one HTML page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from splitopt.base.units import format_bytes, format_kinsn, format_percent, plural
from splitopt.bundle.zz_documents import Document, RunDocuments
from splitopt.report.charts.dag import dag_chart
from splitopt.report.charts.memory_map import LEGEND, memory_map
from splitopt.report.charts.ram_chart import ram_chart
from splitopt.report.charts.svg import Chart
from splitopt.report.pages.grid import Grid, grid
from splitopt.report.pages.page import render
from splitopt.report.pages.plan_parts import (
    boundary_names,
    contract_grid,
    limit_sentence,
    limiting_index,
    segment_grid,
)
from splitopt.report.pages.provenance import facts_of_run, hashes, settings_facts, timing_grid
from splitopt.report.text.summary import (
    CHANGE_COLUMNS,
    HAND_COLUMNS,
    ROUTE_COLUMNS,
    before_after,
    contract_lines,
    conversion_lines,
    hand_rows,
    onnx_lines,
    proof_line,
    route_rows,
    verdict,
)

_WORDS = {"passed": "PASSED", "failed": "FAILED", "skipped": "SKIPPED"}
_UNSPLIT_WIDTH = 1100


def render_run(documents: RunDocuments) -> str:
    """One self-contained page. The documents are those of `load_run`, or fresh from a run."""
    plan = documents.plan
    context = {
        "title": f"{plan['job']['name']}: splitopt run",
        "about": _about(plan),
        "verdict": verdict(plan),
        "limit": limit_sentence(plan),
        "before_after": _before_after(plan),
        "proof": proof_line(plan),
        "checks": list(_checks(documents.verify)),
        "checked_on": _checked_on(documents.verify),
        **_figures(documents),
        **_tables(plan),
        "contract": contract_grid(plan["contract"]) if plan.get("contract") else None,
        "requantised": list(contract_lines(plan)),
        "conversion": list(conversion_lines(plan)),
        "onnx": list(onnx_lines(plan)),
        "timing": None if documents.timing is None else timing_grid(documents.timing),
        "diagnosis": documents.diagnosis,
        "estimates": list(estimate_lines(plan)),
        "provenance": facts_of_run(plan, documents.manifest),
        "hashes": hashes(documents.manifest),
        "settings": settings_facts(plan["job"]["settings"]),
    }
    return render("run", **context, contents=_contents(context))


_SECTIONS = (
    ("verdict", "Verdict", ""),
    ("proof", "Proof and checks", ""),
    ("ram", "RAM against step", ""),
    ("maps", "Memory maps", ""),
    ("graph", "Graph and cuts", ""),
    ("segments", "Pieces", ""),
    ("by-hand", "Cuts chosen by", "by_hand"),
    ("routes", "Both routes from ONNX", "routes"),
    ("conversion", "Conversion to int8", "conversion"),
    ("timing", "Timing", "timing"),
    ("diagnosis", "Diagnosis", "diagnosis"),
    ("estimates", "What rests on estimates", ""),
    ("provenance", "Provenance", ""),
)


def _contents(context: Document) -> list[tuple[str, str]]:
    """The sections that are there: the third item names what a section needs."""
    found = dict(context)
    found["routes"] = context["routes"] or context["contract"]
    return [(ident, name) for ident, name, needs in _SECTIONS if not needs or found[needs]]


def _about(plan: Document) -> str:
    board, model = plan["board"], plan["model"]
    return (
        f"{model['path']} ({plural(model['ops'], 'op')}, {format_bytes(model['bytes'])}) on "
        f"{board['name']}: {format_bytes(board['sram_bytes'])} SRAM, "
        f"{format_bytes(board['reserved_bytes'])} reserved, budget "
        f"{format_bytes(plan['budget_bytes'])}, headroom {format_bytes(board['headroom_bytes'])}; "
        f"objective {plan['objective']['minimise']}."
    )


def _before_after(plan: Document) -> Grid:
    if plan["piece_bytes"] is None or plan["piece_overhead_bytes"] is None:
        plan = {**plan, "piece_bytes": 0, "piece_overhead_bytes": 0}
        return grid("Before and after", CHANGE_COLUMNS, before_after(plan)[:-1])
    return grid("Before and after", CHANGE_COLUMNS, before_after(plan))


def _checks(verify: Document) -> Iterator[dict[str, str]]:
    """A status as a word and as a class; colour is never alone."""
    if not verify["checks"]:
        says = "Verification: the pieces were not run."
        yield {"status": "skipped", "word": "SKIPPED", "says": says}
    for check in verify["checks"]:
        ran = (
            ""
            if check["status"] == "skipped"
            else f", {plural(check['inputs'], 'input')}, worst difference "
            f"{check['worst_difference']:g}"
        )
        tail = f" - {check['detail']}" if check["detail"] else ""
        says = f"{check['name']}: {check['compared']}{ran}{tail}"
        yield {"status": check["status"], "word": _WORDS[check["status"]], "says": says}


def _checked_on(verify: Document) -> str:
    if not verify["checks"]:
        return ""
    kinds = (
        ("random_inputs", "random"),
        ("given_inputs", "given"),
        ("held_out_inputs", "held-out"),
    )
    counts = [f"{verify[key]} {word}" for key, word in kinds if verify.get(key)]
    tools = ", ".join(f"{name} {tool or '-'}" for name, tool in verify["interpreters"].items())
    return f"Inputs: {', '.join(counts) or 'none'}, seed {verify['seed']}. Run with {tools}."


def _figures(documents: RunDocuments) -> dict[str, Any]:
    plan, memory = documents.plan, documents.memory
    unsplit = memory["unsplit"]
    whole = memory_map(
        unsplit,
        unsplit["arena_bytes"],
        {},
        ident="map-unsplit",
        title="Memory map of the unsplit model",
        width=_UNSPLIT_WIDTH,
        height=300,
    )
    return {
        "ram": ram_chart(plan, memory, documents.graph),
        "unsplit_map": whole,
        "map_legend": LEGEND,
        "maps": list(memory_maps(plan, memory)) if len(plan["segments"]) > 1 else [],
        "dag": dag_chart(plan, memory, documents.graph),
    }


def memory_maps(plan: Document, memory: Document) -> Iterator[tuple[str, Chart]]:
    """A heading and a map for each piece."""
    names = boundary_names(plan)
    for segment, arena in zip(plan["segments"], memory["segments"], strict=True):
        number = f"{segment['index']:02d}"
        heading = (
            f"Piece {number}: ops {segment['start']} to {segment['stop'] - 1}"
            f"{_runs(segment)}, {format_bytes(segment['ram_bytes'])} RAM"
        )
        title = f"Memory map of piece {number}"
        yield (
            heading,
            memory_map(arena, memory["region_bytes"], names, ident=f"map-{number}", title=title),
        )


def _runs(segment: Document) -> str:
    """How it runs where that is not once, as TFLM plans it; and what its halo costs."""
    says = ", offline plan" if segment.get("offline_plan") else ""
    if segment.get("bands"):
        again = format_kinsn(segment.get("estimated_recomputed_insn", 0))
        says += (
            f", {plural(len(segment['bands']), 'band')} (rows computed more than once: an "
            f"estimated {again})"
        )
    return says


def _tables(plan: Document) -> dict[str, Any]:
    return {
        "segments": segment_grid(plan),
        "limiting": limiting_index(plan),
        "estimated_bytes": "" if plan["exact"] else "; bytes of some pieces are estimates",
        "by_hand": (
            grid("Other ways to cut the same model", HAND_COLUMNS, hand_rows(plan))
            if plan["by_hand"]
            else None
        ),
        "routes": (
            grid("The same cuts by both routes", ROUTE_COLUMNS, route_rows(plan))
            if plan.get("routes")
            else None
        ),
    }


def estimate_lines(plan: Document) -> Iterator[str]:
    """What in this report is no exact figure, and why."""
    if plan["exact"] and plan["baseline"]["exact"]:
        yield "Bytes: none. Every op has a measured rule (exact: true)."
    else:
        what = plan["estimated_ops"] or ["ops of the unsplit model"]
        yield (
            "Bytes are estimates on the safe side (exact: false), because of ops without a "
            f"measured rule: {'; '.join(what)}."
        )
    yield "Added instructions: estimates, fitted to counts of QEMU's Cortex-M55."
    baseline = plan["baseline"]
    insn = baseline["estimated_invoke_insn"]
    share = format_percent(plan["added_insn"], insn)
    unmeasured = baseline["ops_without_invoke_estimate"]
    rest = f", leaving out {', '.join(unmeasured)} (not measured)" if unmeasured else ""
    yield (
        f"Invoke of the unsplit model: an estimated {insn / 1000:,.1f} kinsn{rest}; what is added "
        f"is {share} of it."
    )
    yield "Instructions are not CPU cycles, and no times."

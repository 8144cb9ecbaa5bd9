"""Keeps the figures of docs/figures.md to what the code gives now.

    python tests/figures_page.py            # rows that differ; exit code 1 where any does
    python tests/figures_page.py --store    # puts today's rows into the page

A table stands under each heading of `TABLES`, a row for each model; the words around it are edited
in the page. Rows of models that are absent are left as they are. `--qemu` also counts the plans of
the last table, with your TFLM (`SPLITOPT_TFLM`): some minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from golden_figures import MODELS, SPLIT_MODELS, measured_pieces
from needs import find_model

import splitopt
from splitopt.arena.replay import replay
from splitopt.arena.rules import target_rules
from splitopt.base.units import format_percent, pieces_text
from splitopt.config.target import read_target
from splitopt.convert.open_model import open_model
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import segment_of
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.unsplit import Baseline, unsplit
from splitopt.workflows.plan import plan_job
from splitopt.workflows.time import time_bundle

PAGE = Path(__file__).resolve().parents[1] / "docs" / "figures.md"
BOARD = "corstone300_64k"
_RULES = target_rules("m55")
_ONE_PIECE = "hello_world_int8", "micro_speech_int8", "ad01_int8", "kws_dscnn_int8"
"""Their balanced plan is the unsplit model."""


@cache
def _graph(model: str) -> ModelGraph:
    path = find_model(model)
    assert path is not None
    return read_tflite(path)


def _job(model: str) -> splitopt.Job:
    return splitopt.Job.of(model=find_model(model), board=BOARD, solve={"time_limit_s": 600})


def plans_row(model: str) -> list[str]:
    """The three plans on the board: peak, added time in per cent of Invoke, pieces."""
    job = _job(model)
    planned = plan_job(job, open_model(job), with_choices=True)
    plans = {choice.aim: choice.plan for choice in planned.choices}
    cells = [_plan(plans[aim], planned.baseline) for aim in ("fit", "balanced", "smallest")]
    return [str(len(planned.graph.ops)), f"{planned.baseline.ram_bytes:,}", *cells]


def _plan(plan: SplitPlan, baseline: Baseline) -> str:
    added = format_percent(plan.added_insn, baseline.share_insn) if plan.added_insn else "0"
    streamed = sum(segment.figures.stream is not None for segment in plan.segments)
    proof = "" if plan.status.name == "OPTIMAL" else " (not proved)"
    return f"{plan.peak_ram_bytes:,}, {added}, {pieces_text(len(plan.segments), streamed)}{proof}"


def bytes_row(model: str) -> list[str]:
    """Arena as predicted and as counted, unsplit; then how many measured pieces are equal."""
    graph, counted = _graph(model), MODELS[model]
    arena = unsplit(SegmentTable(graph, _RULES)).arena
    pairs = (
        (arena.used_bytes, counted["arena_used_bytes"]),
        (arena.minimum_bytes, counted["arena_min_bytes"]),
    )
    return [*(f"{predicted:,} / {seen:,}" for predicted, seen in pairs), _equal_pieces(model)]


def _equal_pieces(model: str) -> str:
    if model not in SPLIT_MODELS:
        return "-"
    graph, memories = _graph(model), _RULES.memories(_graph(model))
    pieces = measured_pieces(model, len(graph.ops))
    arenas = (
        replay(graph, segment_of(graph, p.start, p.stop), memories, _RULES.abi) for p in pieces
    )
    found = [(arena.used_bytes, arena.size_bytes) for arena in arenas]
    equal = sum(f == (p.used_bytes, p.size_bytes) for f, p in zip(found, pieces, strict=True))
    return f"{equal} of {len(pieces)}"


def instructions_row(model: str) -> list[str]:
    """Invoke and AllocateTensors of the unsplit model: estimated, counted, and how far apart."""
    counted, baseline = MODELS[model], unsplit(SegmentTable(_graph(model), _RULES))
    pairs = (
        (baseline.invoke.insn, counted["invoke_insn"]),
        (baseline.allocate_insn, counted["allocate_tensors_insn"]),
    )
    return [text for told, seen in pairs for text in _estimate(told, seen)]


def _estimate(told: int, seen: int) -> tuple[str, str, str]:
    return f"{told:,}", f"{seen:,}", format_percent(told - seen, seen)


def counted_row(model: str) -> list[str]:
    """The balanced plan, run by QEMU: checks, added instructions, estimated and counted."""
    with tempfile.TemporaryDirectory() as out:
        result = splitopt.run(_job(model), out=out, verify=False)
        timed = time_bundle(result.folder, read_target("qemu", Path()))
    plan, document = result.plan, timed.document
    added, whole = document.simulated_added_insn, document.unsplit.simulated_invoke_insn
    assert added is not None
    assert whole is not None
    arenas = sum(max(1, len(piece.groups)) for piece in document.pieces)
    verdicts = {check.name: check.status.value for check in timed.checks}
    return [
        f"{plan.peak_ram_bytes:,}, {len(plan.segments)}",
        f"{verdicts['target_bytes']} ({arenas})",
        verdicts["target_outputs"],
        *_estimate(document.estimated_added_insn, added),
        format_percent(added, whole),
    ]


TABLES: Mapping[str, tuple[Callable[[str], list[str]], Sequence[str]]] = {
    "Plans": (plans_row, tuple(MODELS)),
    "Bytes": (bytes_row, tuple(MODELS)),
    "Instructions": (instructions_row, tuple(MODELS)),
    "Plans on QEMU": (
        counted_row,
        tuple(model for model in MODELS if model not in _ONE_PIECE),
    ),
}
ON_QEMU = "Plans on QEMU"


def row(heading: str, model: str) -> str:
    """The line of a model as the code has it now."""
    make, _ = TABLES[heading]
    return f"| {model.removesuffix('_int8')} | {' | '.join(make(model))} |"


def stored(page: str, heading: str, model: str) -> str:
    """The line of a model as the page has it."""
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    name = model.removesuffix("_int8")
    return next(line for line in section.splitlines() if line.startswith(f"| {name} |"))


def compared(page: str, headings: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of lines, in the page and made anew, of all models that are there."""
    for heading in headings:
        for model in TABLES[heading][1]:
            if find_model(model) is not None:
                yield stored(page, heading, model), row(heading, model)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--qemu", action="store_true")
    given = parser.parse_args()
    headings = [name for name in TABLES if given.qemu or name != ON_QEMU]
    page = PAGE.read_text("utf-8")
    found = [pair for pair in compared(page, headings) if pair[0] != pair[1]]
    for old, new in found:
        print(f"{old}\n{new}\n")
        page = page.replace(f"{old}\n", f"{new}\n")
    if given.store:
        PAGE.write_text(page, "utf-8")
    elif found:
        sys.exit(1)


if __name__ == "__main__":
    main()

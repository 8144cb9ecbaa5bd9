"""summary.txt: the verdict of one run, in text that a terminal and a pull request can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from splitopt.base.text import Row, table
from splitopt.base.units import format_bytes, format_kinsn, format_percent, plural
from splitopt.bundle.schema_explain import RunExplanation
from splitopt.config.job import Job
from splitopt.report.text.timing import timing_columns, timing_lines, timing_rows
from splitopt.verify.equality import Check, CheckStatus

Document = dict[str, Any]
_MOST_REASONS, _LEAST_SHARE = 2, 0.1


def summary_text(
    job: Job,
    document: Document,
    checks: Sequence[Check],
    limit: str,
    diagnosis: RunExplanation | None = None,
    timing: Document | None = None,
) -> str:
    """Before and after, segment by segment, what was proved, and what limits the result."""
    parts = [
        f"{job.name}: {verdict(document)}",
        table(CHANGE_COLUMNS, before_after(document)),
        table(SEGMENT_COLUMNS, segment_rows(document)),
        table(HAND_COLUMNS, hand_rows(document)),
        *([table(ROUTE_COLUMNS, route_rows(document))] if "routes" in document else []),
        proof_line(document),
        "\n".join(check_lines(checks)),
        "" if timing is None else table(timing_columns(timing), timing_rows(timing)),
        "" if timing is None else "\n".join(timing_lines(timing)),
        limit,
        "\n".join(diagnosis_lines(diagnosis)),
        *notes(document),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(document: Document) -> str:
    """One sentence: how much less RAM, at what price, in how many pieces."""
    before, after = document["baseline"]["ram_bytes"], document["peak_ram_bytes"]
    pieces = len(document["segments"])
    budget = format_bytes(document["budget_bytes"])
    if pieces == 1 and after == before:
        return f"Left unsplit at {format_bytes(after)}, within the budget of {budget}."
    return (
        f"{format_bytes(before)} unsplit, {format_bytes(after)} in {plural(pieces, 'piece')} "
        f"({format_percent(after - before, before)}), within the budget of {budget}; an estimated "
        f"{format_kinsn(document['added_insn'])} added to each inference."
    )


def before_after(document: Document) -> list[Row]:
    baseline, segments = document["baseline"], document["segments"]
    invoke = baseline["estimated_invoke_insn"]
    added = document["added_insn"]
    arena = max(segment["arena_bytes"] for segment in segments)
    peak, ram = document["peak_ram_bytes"], baseline["ram_bytes"]
    headroom = document["board"]["headroom_bytes"]
    before_arena = baseline["ram_bytes"]
    return [
        ("peak RAM", format_bytes(ram), format_bytes(peak), format_percent(peak - ram, ram)),
        (
            f"largest arena (with {headroom:,} B headroom)",
            format_bytes(before_arena),
            format_bytes(arena),
            format_percent(arena - before_arena, before_arena),
        ),
        ("pieces", "1", str(len(segments)), ""),
        (
            "estimated added per inference",
            "0 kinsn",
            format_kinsn(added),
            f"{format_percent(added, invoke)} Invoke",
        ),
        (
            "file size",
            format_bytes(document["model"]["bytes"]),
            format_bytes(document["piece_bytes"]),
            f"{document['piece_overhead_bytes']:+,} B",
        ),
    ]


CHANGE_COLUMNS = ("", "unsplit", "split", "change")
ROUTE_COLUMNS = ("the same cuts by route", "whole", "pieces")
HAND_COLUMNS = ("cuts chosen by", "peak RAM", "estimated added")
SEGMENT_COLUMNS = (
    *("piece", "ops", "bands", "head", "tail", "arena"),
    *("through", "in", "out", "RAM", "added"),
)


def segment_rows(document: Document) -> list[Row]:
    return [
        (
            f"{segment['index']:02d}",
            f"{segment['start']}-{segment['stop'] - 1}",
            str(len(segment["bands"])) if segment.get("bands") else "-",
            *(
                f"{segment[key]:,}"
                for key in (
                    "head_bytes",
                    "tail_bytes",
                    "arena_bytes",
                    "through_bytes",
                    "in_bytes",
                    "out_bytes",
                    "ram_bytes",
                )
            ),
            format_kinsn(segment["estimated_added_insn"]),
        )
        for segment in document["segments"]
    ]


def hand_rows(document: Document) -> list[Row]:
    ours = (
        "splitopt",
        format_bytes(document["peak_ram_bytes"]),
        format_kinsn(document["added_insn"]),
    )
    return [
        ours,
        *(
            (cuts["name"], format_bytes(cuts["peak_ram_bytes"]), format_kinsn(cuts["added_insn"]))
            for cuts in document["by_hand"]
        ),
    ]


def route_rows(document: Document) -> list[Row]:
    """The int8 model cut as a file beside ONNX pieces converted one by one."""
    sides = document["routes"]["whole"], document["routes"]["pieces"]

    def row(title: str, key: str, form: Callable[[Any], str]) -> Row:
        return (title, *("-" if side[key] is None else form(side[key]) for side in sides))

    return [
        row("peak RAM", "peak_ram_bytes", format_bytes),
        row("largest arena", "largest_arena_bytes", format_bytes),
        row("estimated added per inference", "estimated_added_insn", format_kinsn),
        row("boundaries requantised", "requantised_boundaries", str),
        row("outputs off the whole int8 model", "worst_lsb", lambda lsb: f"{lsb:g} LSB"),
        row("SQNR against the float model", "sqnr_db", lambda db: f"{db:.1f} dB"),
        row("top-1", "top1", lambda share: f"{share:.3f}"),
        row("top-1 agrees with the whole int8 model", "top1_agreement", "{:.1%}".format),
        row("conversion time", "conversion_s", lambda s: f"{s:.1f} s"),
    ]


def contract_lines(document: Document) -> Iterable[str]:
    """Each boundary whose two sides differ, and what is done about it."""
    for entry in document.get("contract", ()):
        writer, reader = entry["writer"], entry["reader"]
        if entry["requantise"]:
            yield (
                f"Boundary {entry['onnx_tensor']}: piece {writer['piece']:02d} writes scale "
                f"{writer['scale']:.6g}, zero point {writer['zero_point']}; piece "
                f"{reader['piece']:02d} reads scale {reader['scale']:.6g}, zero point "
                f"{reader['zero_point']}: a QUANTIZE op was put in front "
                f"(its Invoke: estimated {format_kinsn(entry['insn'])}; its share of "
                "AllocateTensors is in the added figure above)."
            )


def proof_line(document: Document) -> str:
    if document["route"] == "pieces":
        return (
            f"Proof: {document['status']} for the choice of cuts on the whole int8 model, among "
            "those that the ONNX model has. Pieces that were converted one by one are never equal "
            "bit for bit: they are judged on held-out samples. route: whole proves equality."
        )
    if document["job"]["settings"].get("route") == "pieces" and len(document["segments"]) == 1:
        return (
            f"Proof: {document['status']}. No cut that the ONNX model has is better under this "
            "job's objective and limits, so the whole int8 model stays: nothing was converted "
            "piece by piece."
        )
    if document["status"] == "OPTIMAL":
        basis = "" if document["exact"] else " on these estimates of bytes"
        claim = f"No other {_choice(document)} is better under this job's objective and limits."
        return f"Proof: OPTIMAL{basis}. {claim}"
    gap = 100 * document["objective"]["gap"]
    return (
        f"Proof: {document['status']}. Time ran out; a better plan may exist, "
        f"by at most {gap:.2f} % of the objective."
    )


def _choice(document: Document) -> str:
    """What was chosen from, in words."""
    free = document["job"]["settings"].get("pieces", {})
    bands, offline = free.get("bands"), free.get("offline_plans")
    if bands and offline:
        return "choice of cuts, bands and offline plans"
    if bands or offline:
        return f"choice of cuts and {'bands' if bands else 'offline plans'}"
    return "set of cuts"


def check_lines(checks: Sequence[Check]) -> Iterable[str]:
    if not checks:
        yield "Verification: SKIPPED. The pieces were not run."
    for check in checks:
        word = {"passed": "PASSED", "failed": "FAILED", "skipped": "SKIPPED"}[check.status.value]
        tail = f" - {check.detail}" if check.detail else ""
        ran = f", {check.inputs} inputs, worst difference {check.worst_difference:g}"
        if check.status is CheckStatus.SKIPPED:
            ran = ""
        yield f"{word} {check.name}: {check.compared}{ran}{tail}"


def diagnosis_lines(diagnosis: RunExplanation | None) -> Iterable[str]:
    """What is wrong with the outputs, then what the peak comes from, the largest part first."""
    if diagnosis is None:
        return
    for finding in diagnosis.outputs.findings if diagnosis.outputs else ():
        yield f"{finding.severity.value.upper()} {finding.title}: {finding.where}"
        yield from (f"  {line}" for line in finding.evidence)
        yield f"  next: {finding.next_step}"
    memory = diagnosis.memory
    least_bytes = _LEAST_SHARE * memory.after_bytes
    for cause in [c for c in memory.causes if c.size_bytes >= least_bytes][:_MOST_REASONS]:
        yield f"Why the peak is not lower: {cause.sentence}"
        yield f"  next: {cause.next_step}"


def onnx_lines(document: Document) -> Iterable[str]:
    """Each piece by the first and last ONNX node in it, each boundary tensor by its ONNX name."""
    for segment in document["segments"]:
        nodes = segment.get("onnx_nodes")
        if nodes:
            span = nodes[0] if len(nodes) == 1 else f"{nodes[0]} to {nodes[-1]}"
            yield f"Piece {segment['index']:02d}: ONNX nodes {span} ({len(nodes)})."
    for entry in document["layout"]["boundary"]:
        if "onnx_tensor" in entry:
            name = entry["onnx_tensor"] or "a tensor that the converter inserted"
            yield f"Boundary tensor {entry['tensor']} is ONNX {name}."


def conversion_lines(document: Document) -> Iterable[str]:
    """What the conversion to int8 is worth, for models that were converted."""
    record = document.get("conversion")
    if record is None:
        return
    quality = record["quality"]
    onnx = record["onnx"]
    made = "Quantised from float" if onnx is None else "Converted from ONNX"
    text = (
        f"{made} on {record['calibration_samples']} samples; on {quality['samples']} "
        f"held out: SQNR {quality['sqnr_db']:.1f} dB, TFLM against LiteRT at most "
        f"{quality['worst_litert_lsb']:g} LSB"
    )
    if quality["top1_float"] is not None:
        text += (
            f", top-1 {quality['top1_float']:.3f} float and {quality['top1_int8']:.3f} int8, "
            f"{100 * quality['top1_agreement']:.1f} % agree"
        )
    yield text + "."
    yield from (f"WARNING: {warning}." for warning in record.get("warnings", ()))
    yield from (f"Note: {note}." for note in (onnx or {}).get("notes", ()))


def below_the_floor_lines(document: Document) -> Iterable[str]:
    """What the added instructions are made of; what bands and offline plans there are, and what
    the halo of bands costs."""
    segments = document["segments"]
    if document["added_insn"]:
        invoke = document["baseline"]["estimated_invoke_insn"]
        parts = document["added_parts"]
        resident = parts["copy_insn"] + parts["recomputed_insn"]
        yield (
            "Added to each inference, in parts of the unsplit Invoke (estimates): AllocateTensors "
            f"and construction {format_percent(parts['rebuild_insn'], invoke)}, copies and rows "
            f"computed more than once {format_percent(resident, invoke)}."
        )
    banded = [segment for segment in segments if segment.get("bands")]
    if banded:
        again = sum(segment["estimated_recomputed_insn"] for segment in banded)
        share = format_percent(again, document["baseline"]["estimated_invoke_insn"])
        runs = sum(len(segment["bands"]) for segment in banded)
        yield (
            f"{plural(len(banded), 'piece')} of {len(segments)} run in {runs} bands; the rows that "
            f"are computed more than once add an estimated {format_kinsn(again)} ({share} Invoke)."
        )
    planned = [f"{segment['index']:02d}" for segment in segments if segment.get("offline_plan")]
    if planned:
        yield (
            "Offline memory plans, exact and checked, take the place of TFLM's own in "
            f"{'piece' if len(planned) == 1 else 'pieces'} {', '.join(planned)}."
        )


def notes(document: Document) -> Iterable[str]:
    yield from conversion_lines(document)
    yield from onnx_lines(document)
    yield from contract_lines(document)
    yield from below_the_floor_lines(document)
    if not document["exact"]:
        yield "Bytes are ESTIMATES on the safe side: " + "; ".join(document["estimated_ops"]) + "."
    unmeasured = document["baseline"]["ops_without_invoke_estimate"]
    if unmeasured:
        yield f"Invoke estimates leave out {', '.join(unmeasured)}: not measured."
    yield (
        "Instructions are estimates fitted to counts of QEMU's Cortex-M55; they are not CPU cycles."
    )

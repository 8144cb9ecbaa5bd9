"""Notes on a run: the conversion, ONNX names, what the added time is made of, what is estimated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from splitopt.base.text import Row
from splitopt.base.units import (
    added_text,
    format_bytes,
    format_insn,
    format_percent,
    no_estimate_text,
    plural,
    signed_insn,
)
from splitopt.bundle.io_json import io_lines
from splitopt.bundle.schema.plan import PRICE_PARTS, Plan

PRICE_COLUMNS = ("what is added", "instructions (estimate)", "of the unsplit Invoke")


def notes(plan: Plan) -> Iterator[str]:
    yield from () if plan.io is None else io_lines(plan.io)
    yield from conversion_lines(plan)
    yield from onnx_lines(plan)
    yield from contract_lines(plan)
    yield from technique_lines(plan)
    yield from plan.notes
    yield from estimate_lines(plan)


def contract_lines(plan: Plan) -> Iterator[str]:
    """Each boundary whose two sides differ, and what is done about it."""
    for entry in plan.contract:
        writer, reader = entry.writer, entry.reader
        if entry.requantise:
            yield (
                f"Boundary {entry.onnx_tensor}: piece {writer.piece:02d} writes scale "
                f"{writer.scale:.6g}, zero point {writer.zero_point}; piece {reader.piece:02d} "
                f"reads scale {reader.scale:.6g}, zero point {reader.zero_point}: a QUANTIZE op "
                f"was put in front ({added_text(entry.insn, None)}; its share of AllocateTensors "
                "is in the added figure above)."
            )


def onnx_lines(plan: Plan) -> Iterator[str]:
    """Each piece by the first and last ONNX node in it, each boundary tensor by its ONNX name."""
    for segment in plan.segments:
        nodes = segment.onnx_nodes
        if nodes:
            span = nodes[0] if len(nodes) == 1 else f"{nodes[0]} to {nodes[-1]}"
            yield f"Piece {segment.index:02d}: ONNX nodes {span} ({len(nodes)})."
    for entry in plan.layout.boundary:
        if entry.onnx_tensor:
            yield f"Boundary tensor {entry.tensor} is ONNX {entry.onnx_tensor}."
        elif "onnx_tensor" in entry.model_fields_set:
            yield (
                f"Boundary tensor {entry.tensor} has no ONNX counterpart (inserted by the "
                "converter)."
            )


def conversion_lines(plan: Plan) -> Iterator[str]:
    """What the conversion to int8 is worth, for models that were converted."""
    record = plan.conversion
    if record is None:
        return
    quality = record.quality
    made = "Quantised from float" if record.onnx is None else "Converted from ONNX"
    text = (
        f"{made} on {record.calibration_samples} samples; on {quality.samples} held out: SQNR "
        f"{quality.sqnr_db:.1f} dB, "
    )
    worst = quality.worst_litert_lsb
    apart = "not run, it lacks an op" if worst is None else f"at most {worst:g} LSB"
    text += f"TFLM against LiteRT {apart}"
    tops = quality.top1_float, quality.top1_int8, quality.top1_agreement
    if tops[0] is not None and tops[1] is not None and tops[2] is not None:
        text += f", top-1 {tops[0]:.3f} float and {tops[1]:.3f} int8, {100 * tops[2]:.1f} % agree"
    yield text + "."
    yield from (f"WARNING: {warning}." for warning in record.warnings)
    yield from (f"Note: {note}." for note in (record.onnx.notes if record.onnx else ()))


def technique_lines(plan: Plan) -> Iterator[str]:
    """What the added instructions are made of; what bands, streams and offline plans there are,
    and what the halo of bands costs."""
    rows = price_rows(plan)
    invoke = plan.invoke_insn
    if plan.added_insn and rows:
        told = (f"{name} {share or insn}" for name, insn, share in rows if insn != "0")
        yield (
            f"Added to each inference{', in parts of the unsplit Invoke' if invoke else ''} "
            f"(estimates): {', '.join(told)}."
        )
    yield from _restored_lines(plan)
    banded = [segment for segment in plan.segments if segment.bands]
    if banded:
        again = sum(segment.estimated_recomputed_insn for segment in banded)
        runs = sum(len(segment.bands or ()) for segment in banded)
        yield (
            f"{plural(len(banded), 'piece')} of {len(plan.segments)} run in {runs} bands; the rows "
            f"that are computed more than once: {added_text(again, invoke)}."
        )
    yield from _stream_lines(plan)
    planned = [f"{segment.index:02d}" for segment in plan.segments if segment.offline_plan]
    if planned:
        yield (
            "Offline memory plans, exact and checked, take the place of TFLM's own in "
            f"{'piece' if len(planned) == 1 else 'pieces'} {', '.join(planned)}."
        )


def price_rows(plan: Plan) -> list[Row]:
    """What the added instructions of an inference are made of; none in plans that do not say."""
    parts, invoke = plan.added_parts, plan.invoke_insn
    if parts is None or not plan.added_insn:
        return []
    rest = plan.added_insn - sum(getattr(parts, field) for field in PRICE_PARTS)
    told = [(words, getattr(parts, field)) for field, words in PRICE_PARTS.items()]
    told += [("QUANTIZE between pieces", rest)] if rest else []
    shares = (format_percent(insn, invoke) if insn and invoke else "" for _, insn in told)
    return [
        (words, signed_insn(insn) if insn else "0", share)
        for (words, insn), share in zip(told, shares, strict=True)
    ]


def _restored_lines(plan: Plan) -> Iterator[str]:
    restored = [segment for segment in plan.segments if segment.switching == "restore"]
    resident = [segment for segment in plan.segments if segment.switching == "resident"]
    ways = []
    if resident:
        held = held_text([(s.kept_in, s.kept_bytes) for s in resident])
        ways.append(f"{plural(len(resident), 'piece')} resident, their tails in {held}")
    if restored:
        held = held_text([(s.stored_in, s.stored_bytes) for s in restored])
        ways.append(f"{plural(len(restored), 'piece')} restored at each inference from {held}")
    if ways:
        start_up = f"; start-up takes {added_text(plan.first_insn, plan.invoke_insn, 'once')}"
        yield (
            f"Built once, at start-up, of {plural(len(plan.segments), 'piece')}: "
            f"{'; '.join(ways)}{start_up if plan.first_insn else ''}."
        )
    for memory in plan.memories:
        if memory.used_bytes:
            only = ", written at start-up only" if memory.written == "start_up" else ""
            boundary = plan.boundary_bytes(memory.name)
            held = f", {format_bytes(boundary)} of it for boundary tensors" if boundary else ""
            yield (
                f"Memory {memory.name}: {format_bytes(memory.used_bytes)} of "
                f"{format_bytes(memory.bytes)} used{only}{held}."
            )


def held_text(places: Sequence[tuple[str | None, int]]) -> str:
    """Bytes in each place, None for the main SRAM."""
    found: dict[str, int] = {}
    for place, size in places:
        name = place or "the main SRAM"
        found[name] = found.get(name, 0) + size
    return " and ".join(f"{name} ({format_bytes(size)})" for name, size in found.items())


def _stream_lines(plan: Plan) -> Iterator[str]:
    streams = [segment.stream for segment in plan.segments if segment.stream is not None]
    if streams:
        groups = [group for stream in streams for group in stream.groups]
        each = "makes" if len(streams) == 1 else "make"
        is_single = all(group.rows_per_turn == 1 for group in groups)
        rows = "one row" if is_single else "one row, or a few,"
        yield (
            f"{plural(len(streams), 'piece')} of {len(plan.segments)} {each} {rows} at a time, "
            f"none of them twice: {plural(len(groups), 'group')}, each a file, "
            f"{sum(group.turns for group in groups):,} Invokes."
        )
    if any(segment.input_by_rows for segment in plan.segments):
        yield (
            "The application hands the model's input over row by row (pieces.input: rows): the "
            "whole of it is never in RAM."
        )
    elif plan.job.settings.pieces.input == "rows":
        why = "no first piece is streamed"
        if not plan.job.settings.pieces.streams:
            why = "only streams take it, and the job sets pieces.streams: false"
        yield f"pieces.input: rows changes nothing in this plan: {why}."
    rolled = [f"{segment.index:02d}" for segment in plan.segments if segment.rolled]
    if rolled:
        yield (
            "Rows of outputs are written where rows of inputs are already read in "
            f"{'piece' if len(rolled) == 1 else 'pieces'} {', '.join(rolled)}."
        )


def estimate_lines(plan: Plan) -> Iterator[str]:
    """Which figures are not exact, and why."""
    if plan.exact and plan.baseline.exact:
        yield "Bytes: none is an estimate. Every op has a measured rule (exact: true)."
    else:
        what = plan.estimated_ops or ("ops of the unsplit model",)
        yield (
            "Bytes are ESTIMATES on the safe side (exact: false), because of ops without a "
            f"measured rule: {'; '.join(what)}."
        )
    unmeasured = plan.baseline.ops_without_invoke_estimate
    known = format_insn(plan.baseline.estimated_invoke_insn)
    if unmeasured:
        yield f"Invoke of the unsplit model: more than {known}; {no_estimate_text(unmeasured)}."
    else:
        yield f"Invoke of the unsplit model: {known} instructions."
    if plan.job.settings.cost_table is not None:
        yield (
            f"Instructions are estimates by the cost table {plan.job.settings.cost_table}; a note "
            "says so where one stands for cycles of a board."
        )
        return
    yield (
        "Instructions are estimates fitted to counts of QEMU's Cortex-M55; they are not CPU "
        "cycles, and no times."
    )

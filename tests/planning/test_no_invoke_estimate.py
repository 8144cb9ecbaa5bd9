"""Ops whose instructions have no estimate: nothing is banded, weighed or told by them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as fb
from builder import Builder
from model_facts import facts

from splitopt.arena.rules import target_rules
from splitopt.bundle.thresholds import Reference, parse_threshold
from splitopt.config.job import read_job
from splitopt.cost.costs import built_in
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.planning.alike_ops import AlikeOps
from splitopt.planning.band_options import BandTable
from splitopt.tiling.resized import resized
from splitopt.workflows.run import run_job

ROWS, COLUMNS, CHANNELS = 12, 49, 12
WITHOUT = "SQUARED_DIFFERENCE"
"""An op that runs in bands and that no fit is for."""


def narrow_after_wide(op_type: str) -> bytes:
    """Twice the channels, RELU, a pool: bands lower their peak. Then an op on a small tensor."""
    builder = Builder()
    source = builder.tensor([1, 4 * ROWS, 32, 4])
    wide, relu = (builder.tensor([1, 4 * ROWS, 32, 16]) for _ in range(2))
    small, out = (builder.tensor([1, ROWS, 8, 16]) for _ in range(2))
    concatenation, pool = fb.ConcatenationOptionsT(), fb.Pool2DOptionsT()
    concatenation.axis = 3
    builder.op("CONCATENATION", [source] * 4, [wide], ("ConcatenationOptions", concatenation))
    builder.relu(wide, relu)
    pool.strideW = pool.strideH = pool.filterWidth = pool.filterHeight = 4
    pool.padding = fb.Padding.VALID
    builder.op("MAX_POOL_2D", [relu], [small], ("Pool2DOptions", pool))
    builder.op(op_type, [small] * (2 if op_type == WITHOUT else 1), [out])
    return builder.bytes([source], [out])


def wide_convolutions() -> ModelGraph:
    """1x8 windows at stride 3 that leave a column unread: on one row CMSIS-NN refuses them."""
    builder = Builder()
    source = builder.tensor([1, ROWS, COLUMNS, CHANNELS])
    middle = builder.tensor([1, ROWS, COLUMNS, CHANNELS])
    builder.relu(source, middle)
    weights = builder.tensor([8, 1, 8, CHANNELS], data=bytes(8 * 8 * CHANNELS), scales=8)
    bias = builder.tensor([8], "int32", data=bytes(32), scales=8)
    out = builder.tensor([1, ROWS, 14, 8])
    options = fb.Conv2DOptionsT()
    options.padding, options.strideW, options.strideH = fb.Padding.VALID, 3, 1
    options.dilationWFactor = options.dilationHFactor = 1
    builder.op("CONV_2D", [middle, weights, bias], [out], ("Conv2DOptions", options))
    return parse_tflite(builder.bytes([source], [out]), name="m", where="m")


def test_no_band_is_as_high_as_a_kernel_without_an_estimate() -> None:
    graph, costs = wide_convolutions(), built_in()
    assert costs.invoke(graph, graph.ops[1]) is not None
    one_row = resized(graph, 1, 2, {graph.ops[1].inputs[0]: 1, graph.ops[1].outputs[0]: 1})
    assert costs.invoke(one_row, one_row.ops[1]) is None
    table = BandTable(AlikeOps(graph, target_rules("m55"), costs), two_heights=True)
    plans = table.plans(0, 2)
    assert plans
    assert min(height for plan in plans for height in plan.heights) > 1


@pytest.mark.parametrize("op_type", ["RELU", WITHOUT])
def test_shares_of_invoke_only_where_it_has_an_estimate(tmp_path: Path, op_type: str) -> None:
    (tmp_path / "m.tflite").write_bytes(narrow_after_wide(op_type))
    (tmp_path / "j.yaml").write_text(
        "model: {path: m.tflite}\nboard: corstone300_256k\nobjective: {minimise: smallest}\n"
        "pieces: {streams: false}\n"
    )
    job = read_job(tmp_path / "j.yaml")
    folder = run_job(job, out=tmp_path / "out", verify=False).folder
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    text = (folder / "summary.txt").read_text("utf-8")
    found = facts(tmp_path / "m.tflite", "corstone300_256k")
    explained = "\n".join(found.lowest_peak_lines)
    assert plan["added_insn"] > 0
    if op_type == "RELU":
        assert plan["baseline"]["ops_without_invoke_estimate"] == []
        assert "% of Invoke" in text
        assert "% of the unsplit Invoke" in explained
    else:
        named = f"{WITHOUT} (INT8)"
        assert plan["baseline"]["ops_without_invoke_estimate"] == [named]
        assert f"no estimate of Invoke for: {named}" in text
        assert f"no estimate of Invoke for: {named}" in explained
        assert "% of Invoke" not in text
        assert "unsplit Invoke" not in explained
        assert found.invoke_insn is None
        bands = [segment for segment in plan["segments"] if segment.get("bands")]
        assert bands
        assert all(segment["stop"] <= 3 for segment in bands)


def test_a_limit_in_parts_of_an_unknown_whole_is_broken() -> None:
    share, count = parse_threshold("added_insn>+5%"), parse_threshold("added_insn>+500")
    unknown = Reference(0, None)
    assert "there is no added_insn to compare" in (share.breaks(400, unknown) or "")
    assert count.breaks(400, unknown) is None
    assert count.breaks(600, unknown) is not None

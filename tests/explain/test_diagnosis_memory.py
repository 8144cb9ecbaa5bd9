"""Where the peak comes from: each cause is planted in a model or a job, and named in bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as fb
from builder import Builder
from diagnosis_bundles import digits, make_bundle, read_plan, write_plan
from models import chain_of_sizes

from splitopt.arena.rules import target_rules
from splitopt.base.units import align_up
from splitopt.bundle.open import open_bundle
from splitopt.bundle.schema.explain import RunExplanation, RunMemory
from splitopt.config.given import Given
from splitopt.convert.open_model import open_model
from splitopt.explain.memory.cuts import single_cuts
from splitopt.explain.memory.run_memory import explain_run_memory
from splitopt.explain.memory.single_op_bound import alive_at
from splitopt.explain.model import explain_model
from splitopt.explain.outputs.outputs import explain_outputs
from splitopt.explain.outputs.samples import choose_samples
from splitopt.explain.subject import subject_of
from splitopt.explain.text import run_text
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.lower_bound import single_op_bound
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.unsplit import unsplit

RESNET, MBV2 = digits("resnet8"), digits("mbv2")


def memory_of(folder: Path) -> RunMemory:
    return explain_run_memory(open_bundle(folder))


def table_of(model: Path, headroom: int = 1024) -> SegmentTable:
    return SegmentTable(read_tflite(model), target_rules("m55"), headroom_bytes=headroom)


def parts(found: RunMemory) -> dict[str, int]:
    return {remedy.code: remedy.size_bytes for remedy in found.remedies}


def test_the_floor_op_dominates_where_no_cut_helps(tmp_path: Path) -> None:
    found = memory_of(make_bundle(tmp_path / "bundle", RESNET, (15,)))
    assert (found.before_bytes, found.after_bytes) == (57_696, 57_472)
    assert found.causes[0].code == "floor_op"
    assert found.causes[0].size_bytes == 49_728
    assert "op 1 CONV_2D" in found.causes[0].sentence
    assert "[1, 32, 32, 16]" in found.causes[0].next_step
    assert found.verdict.startswith(
        "Memory hardly went down: 57,696 B unsplit, 57,472 B in 2 pieces (0.4 % saved); "
        "no set of cuts alone gets lower (proved)."
    )
    assert found.reachable is not None
    assert found.reachable.free.peak_ram_bytes == 57_472
    assert (found.single_cuts.possible, found.single_cuts.useless) == (15, 14)
    assert [(c.before_op, c.peak_ram_bytes) for c in found.single_cuts.best] == [(15, 57_472)]


def test_the_parts_of_every_piece_add_up_to_the_plan_s_figures(tmp_path: Path) -> None:
    table = table_of(MBV2)
    cuts = (8, 16, 28, 40, 55)
    found = memory_of(make_bundle(tmp_path / "bundle", MBV2, cuts))
    for piece in found.pieces:
        at = (piece.start, piece.stop)
        assert piece.as_planned
        assert piece.ram_bytes == table.ram(*at)
        assert piece.arena_bytes == table.figures(*at).arena_bytes
        assert piece.head_bytes == table.figures(*at).arena.head_bytes
    assert found.after_bytes == 238_848
    assert found.verdict.startswith("Memory went down by 20.0 %: 298,704 B unsplit, 238,848 B")


@pytest.mark.parametrize("cuts", [(), (8, 16, 28, 40, 55), (40,)])
def test_parts_add_up_to_the_peak_and_are_worth_what_it_falls_by(
    cuts: tuple[int, ...], tmp_path: Path
) -> None:
    found = memory_of(make_bundle(tmp_path / "bundle", MBV2, cuts))
    by_code = {remedy.code: remedy for remedy in found.remedies}
    peak = max(piece.ram_bytes for piece in found.pieces)
    fields = {
        "fragmentation": "fragmentation_bytes",
        "tail": "tail_bytes",
        "boundary": "boundary_bytes",
        "headroom": "headroom_bytes",
        "padding": "padding_bytes",
    }
    for code, field in fields.items():
        rest = max(piece.ram_bytes - getattr(piece, field) for piece in found.pieces)
        assert code not in by_code or by_code[code].worth_bytes == peak - rest
    parts = [*fields, "floor_op", "live_set"]
    assert sum(by_code[code].size_bytes for code in parts if code in by_code) == peak


def test_a_model_and_its_uncut_run_are_explained_alike(tmp_path: Path) -> None:
    """Where no cut helps, the parts of the peak are those of the unsplit model."""
    model = single_op(tmp_path)
    board = tmp_path / "board.yaml"
    board.write_text("name: board\nsram_bytes: 1048576\nheadroom_bytes: 1024\n")
    job = subject_of(model, Given(board=str(board)))
    unsplit_model = explain_model(job, open_model(job))
    run = memory_of(make_bundle(tmp_path / "bundle", model, ()))
    assert unsplit_model.floor == run.floor
    assert unsplit_model.pieces == run.pieces
    of_run = {remedy.code: remedy for remedy in run.remedies}
    assert of_run == {r.code: r for r in unsplit_model.remedies if r.code in of_run}
    assert set(of_run) >= {"floor_op", "fragmentation", "tail", "headroom"}


def single_op(folder: Path) -> Path:
    builder = Builder()
    source, out = (builder.typed([1, 4096], "INT8") for _ in range(2))
    builder.relu(source, out)
    path = folder / "single.tflite"
    path.write_bytes(builder.bytes([source], [out]))
    return path


@pytest.mark.parametrize("name", ["resnet8", "mbv2", "squeeze", "unet"])
def test_what_is_alive_at_the_floor_adds_up_to_it(name: str) -> None:
    table = table_of(digits(name))
    bound = single_op_bound(table)
    alive = alive_at(table, bound.op)
    assert sum(align_up(item.size_bytes, 16) for item in alive) == bound.live_bytes
    for op in range(len(table.graph.ops)):
        at = (op, op + 1)
        want = int(table.peak_load[at] + table.boundary.through[at])
        alive = alive_at(table, op)
        assert sum(align_up(item.size_bytes, 16) for item in alive) == want


@pytest.mark.parametrize("name", ["resnet8", "squeeze", "unet"])
def test_single_cuts_are_what_every_replay_says(name: str) -> None:
    table = table_of(digits(name))
    before, n = unsplit(table).ram_bytes, len(table.graph.ops)
    peaks = {cut: max(table.ram(0, cut), table.ram(cut, n)) for cut in range(1, n)}
    found = single_cuts(table, before)
    assert found.useless == sum(peak >= before for peak in peaks.values())
    best = sorted(peak for peak in peaks.values() if peak < before)[:10]
    assert [cut.peak_ram_bytes for cut in found.best] == best


def small_layers(folder: Path, count: int, width: int) -> Path:
    """FULLY_CONNECTED after FULLY_CONNECTED on few values: tables outweigh activations."""
    maker = Builder()
    source = maker.tensor([1, width])
    first = source
    for _ in range(count):
        weights = maker.tensor([width, width], data=bytes(width * width))
        bias = maker.tensor([width], "int32", data=bytes(4 * width))
        out = maker.tensor([1, width])
        options = fb.FullyConnectedOptionsT()
        maker.op(
            "FULLY_CONNECTED", [source, weights, bias], [out], ("FullyConnectedOptions", options)
        )
        source = out
    path = folder / "small_layers.tflite"
    path.write_bytes(maker.bytes([first], [source]))
    return path


def without_headroom(folder: Path) -> Path:
    plan = read_plan(folder)
    plan["board"]["headroom_bytes"] = 0
    write_plan(folder, plan)
    return folder


def test_the_tail_dominates_where_pieces_are_small(tmp_path: Path) -> None:
    model = small_layers(tmp_path, 12, 8)
    cuts = range(1, 12)
    found = memory_of(without_headroom(make_bundle(tmp_path / "bundle", model, cuts)))
    assert found.causes[0].code == "tail"
    peak = max(found.pieces, key=lambda p: p.ram_bytes)
    assert found.causes[0].size_bytes == peak.tail_bytes
    assert 2 * found.causes[0].size_bytes > peak.ram_bytes
    total = sum(p.tail_bytes for p in found.pieces)
    assert f"all 12 pieces carry {total:,} B of it together" in found.causes[0].sentence
    assert total > 2 * found.unsplit_tail_bytes


def fragmented(folder: Path) -> Path:
    """TFLM places the largest first: 4,900 and 4,600 at 0, 4,800 above the first of them.

    The 4,500 live with 4,600 and with 4,800, and the hole between these two has 240.
    """
    path = folder / "fragmented.tflite"
    path.write_bytes(chain_of_sizes((4592, 4496, 4800, 4896)))
    return path


def test_fragmentation_is_named_where_it_is_a_third(tmp_path: Path) -> None:
    model = fragmented(tmp_path)
    found = memory_of(make_bundle(tmp_path / "bundle", model, ()))
    [piece] = found.pieces
    assert (piece.live_bytes, piece.fragmentation_bytes) == (4896 + 4800, 4496)
    reason = next(r for r in found.remedies if r.code == "fragmentation")
    assert reason.size_bytes == 4496
    assert 4 * reason.size_bytes > piece.ram_bytes
    assert "TFLM's greedy planner leaves holes in the head of the unsplit model" in reason.sentence


@pytest.mark.parametrize("name", ["resnet8", "mbv2"])
def test_fragmentation_is_named_with_its_bytes(name: str, tmp_path: Path) -> None:
    """TFLM's plan of the unsplit model against the most that is alive at once."""
    arena = unsplit(table_of(digits(name))).arena
    found = memory_of(make_bundle(tmp_path / "bundle", digits(name), ()))
    assert found.pieces[0].fragmentation_bytes == arena.fragmentation_bytes
    assert parts(found)["fragmentation"] == arena.fragmentation_bytes


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"pieces": {"max": 1}}, "pieces.max"),
        ({"cut": {"allow": [60]}}, "cut.allow"),
        (
            {"objective": {"minimise": "fit", "max_added_insn": 0}},
            "objective.max_added_insn",
        ),
    ],
)
def test_a_limit_of_the_job_is_named_with_what_it_costs(
    settings: dict[str, Any], setting: str, tmp_path: Path
) -> None:
    folder = make_bundle(tmp_path / "bundle", MBV2, (), settings)
    found = memory_of(folder)
    assert found.reachable is not None
    assert found.reachable.free.peak_ram_bytes == 238_848
    assert found.reachable.free.is_proved
    assert found.causes[0].code == setting
    [lifted] = found.reachable.lifted
    assert lifted.least.peak_ram_bytes == 238_848
    assert found.reachable.allowed is not None
    assert lifted.saved_bytes == found.reachable.allowed.peak_ram_bytes - 238_848 > 40_000
    assert f"the job's {setting}: without it cuts reach 238,848 B" in found.causes[0].sentence
    assert "cuts can reach 238,848 B (proved)" in found.verdict


def test_the_objective_is_named_where_it_gives_memory_away(tmp_path: Path) -> None:
    settings = {"objective": {"minimise": "fit"}}
    found = memory_of(make_bundle(tmp_path / "bundle", MBV2, (), settings))
    assert found.causes[0].code == "objective"
    assert found.causes[0].size_bytes == 298_704 - 238_848
    assert "the job minimises 'fit'" in found.causes[0].sentence


def test_two_limits_that_only_together_matter(tmp_path: Path) -> None:
    settings = {"pieces": {"max": 1}, "cut": {"allow": []}}
    found = memory_of(make_bundle(tmp_path / "bundle", MBV2, (), settings))
    assert found.causes[0].code == "job_limits"
    assert found.causes[0].size_bytes == 298_704 - 238_848


def test_names_of_cuts_that_are_not_known_any_more(tmp_path: Path) -> None:
    settings = {"cut": {"allow": ["onnx/gone"]}}
    folder = make_bundle(tmp_path / "bundle", RESNET, (), settings)
    for record in (None, "{}", "[]", '{"matches": 3}', "[" * 10_000):
        if record is not None:
            (folder / "correspondence.json").write_text(record)
        found = memory_of(folder)
        assert found.reachable is not None
        assert found.reachable.allowed is None


def test_boundary_tensors_and_headroom_are_named(tmp_path: Path) -> None:
    """Inside the first residual block the skip connection waits outside the arena."""
    folder = make_bundle(tmp_path / "bundle", RESNET, (1, 2, 3))
    plan = read_plan(folder)
    plan["board"]["headroom_bytes"] = 16_384
    write_plan(folder, plan)
    found = memory_of(folder)
    peak = max(found.pieces, key=lambda p: p.ram_bytes)
    assert parts(found)["headroom"] == 16_384
    assert parts(found)["boundary"] == peak.boundary_bytes
    assert found.verdict.startswith("Memory did not go down")


def test_a_piece_that_is_larger_than_planned_counts_as_it_is(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle", RESNET, (15,))
    whole = RESNET.read_bytes()
    (folder / "pieces" / "01.tflite").write_bytes(whole)
    found = memory_of(folder)
    assert not found.pieces[1].as_planned
    assert found.after_bytes == found.pieces[1].ram_bytes > 57_472
    assert found.pieces[1].peak_op.startswith("its op ")


def test_the_text_holds_all_tables(tmp_path: Path) -> None:
    bundle = open_bundle(make_bundle(tmp_path / "bundle", RESNET, (15,)))
    outputs = explain_outputs(bundle, choose_samples(bundle, None))
    found = RunExplanation(outputs=outputs, memory=explain_run_memory(bundle))
    text = run_text(found)
    assert text.index("Outputs:") < text.index("Memory:") < text.index("What would lower")
    for said in ("Peak RAM in bytes", "Alive while op 1 CONV_2D", "scratch of op 1", "Single cuts"):
        assert said in text


def test_public_models_get_a_reason(tmp_path: Path, shared_model: Callable[[str], Path]) -> None:
    for name in ("person_detect", "kws_dscnn", "ad01"):
        found = memory_of(make_bundle(tmp_path / name, shared_model(f"{name}_int8"), ()))
        assert found.causes
        assert found.reachable is not None
        assert found.reachable.free.is_proved

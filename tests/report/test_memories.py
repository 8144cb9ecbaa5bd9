"""What a report says of memories and of the price: against sums over the pieces of a plan."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from splitopt.bundle.load import load_run
from splitopt.bundle.schema.plan import AddedParts, Memory, Plan
from splitopt.report.charts.memory_bars import bars_legend, memory_bars
from splitopt.report.text.notes import price_rows, technique_lines

OLD = Path(__file__).resolve().parents[1] / "golden" / "bundle_v1"


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Three ways of switching: a piece kept in the main SRAM, one in RAM, and one saved in MRAM."""
    old = load_run(OLD).plan
    inside = {"switching": "resident", "kept_bytes": 1_024}
    outside = {"switching": "resident", "kept_bytes": 3_200, "kept_in": "psram"}
    saved = {"switching": "restore", "stored_bytes": 2_000, "stored_in": "mram"}
    ways = [inside, outside, saved, *[{}] * (len(old.segments) - 3)]
    segments = [s.model_copy(update=way) for s, way in zip(old.segments, ways, strict=True)]
    memories = (
        Memory(name="psram", bytes=6_400, used_bytes=3_200, written="always"),
        Memory(name="mram", bytes=4_128, used_bytes=2_064, written="start_up"),
        Memory(name="spare", bytes=1_000, used_bytes=0, written="always"),
    )
    parts = AddedParts(
        rebuild_insn=1_000, copy_insn=2_000, recomputed_insn=-300, restore_insn=40, read_insn=5
    )
    return old.model_copy(
        update={
            "segments": tuple(segments),
            "memories": memories,
            "budget_bytes": 2 * old.peak_ram_bytes,
            "added_parts": parts,
            "added_insn": 2_745,
        }
    )


def test_each_memory_has_a_bar_whose_parts_are_what_is_in_it(plan: Plan) -> None:
    bars = memory_bars(plan)
    shares = []
    for bar in bars:
        root = ElementTree.fromstring(bar.svg)
        marks = [g for g in root if g.tag == "g"]
        names = [str(g.get("class")).removeprefix("marks ") for g in marks]
        widths = [float(str(g[0].get("width")).rstrip("%")) for g in marks]
        starts = [float(str(g[0].get("x")).rstrip("%")) for g in marks]
        assert starts == pytest.approx([sum(widths[:k]) for k in range(len(widths))], abs=0.01)
        shares.append(dict(zip(names, widths, strict=True)))
    kept = 100 * 1_024 / plan.budget_bytes
    assert shares[0] == pytest.approx({"held": 50 - kept, "tail": kept}, abs=0.01)
    assert shares[1] == {"tail": 50.0}
    assert shares[2] == pytest.approx({"saved": 48.45, "room": 1.55}, abs=0.01)
    assert shares[3] == {}
    assert (
        bars[1].title == "psram: 3,200 B of 6,400 B used (50 %): kept for resident pieces 3,200 B"
    )
    assert bars[2].title.startswith(
        "mram, written at start-up only: 2,064 B of 4,128 B used (50 %)"
    )
    assert [name for name, _ in bars_legend(bars)] == ["held", "tail", "saved"]


def test_the_price_is_told_part_by_part(plan: Plan) -> None:
    told = {words: insn for words, insn, _ in price_rows(plan)}
    assert list(told.values()) == ["-300", "+2.0 k", "+1.0 k", "+40", "+5"]
    line = next(technique_lines(plan))
    assert all(words in line for words in told)
    assert price_rows(plan.model_copy(update={"added_insn": 0})) == []

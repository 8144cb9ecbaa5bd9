"""Plans with resident pieces, timed on the simulated target, and exported."""

from __future__ import annotations

from pathlib import Path

import pytest
from host_builds import checked
from kept_bundles import resident_bundle
from streamed_bundles import kept_streams

from splitopt.bundle.open import open_bundle
from splitopt.config.target import read_target
from splitopt.workflows.export.exported import export_bundle
from splitopt.workflows.time import time_bundle

WAYS = ("region", "memory", "restore", "rebuild", "region")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of whole and streamed pieces."""
    return kept_streams("squeeze", tmp_path_factory)


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize("ways", [("memory",), WAYS])
def test_resident_pieces_use_and_make_what_is_predicted(
    ways: tuple[str, ...], finished: Path, tmp_path: Path
) -> None:
    folder = resident_bundle(finished, tmp_path / "resident", ways)
    plan = open_bundle(folder).plan
    found = time_bundle(folder, read_target("qemu", tmp_path))
    assert {check.name: check.status.value for check in found.checks} == {
        "target_bytes": "passed",
        "target_outputs": "passed",
    }
    timing, built = found.document, 0
    for piece, entry in zip(timing.pieces, plan.segments, strict=True):
        own = piece.start_up
        assert (own is None) == (entry.switching == "rebuild")
        if own is None:
            continue
        built += sum(own.simulated(step, "insn") for step in ("construct", "allocate", "save"))
        assert piece.simulated_allocate_insn == piece.simulated_construct_insn == 0
        assert (piece.simulated_restore_insn == 0) == (entry.switching == "resident")
    assert timing.inputs == 3
    assert timing.first is not None
    assert timing.further is not None
    first, further = (own.simulated("split", "insn") for own in (timing.first, timing.further))
    assert first - further == built


@pytest.mark.needs("host compiler", "cmake", "host tflm")
@pytest.mark.parametrize("ways", [("region",), WAYS])
def test_exported_sources_build_and_pass_on_this_machine(
    ways: tuple[str, ...], finished: Path, tmp_path: Path
) -> None:
    """Against a TFLM that was built for it, sanitisers on where it has them, prepared twice."""
    export_bundle(resident_bundle(finished, tmp_path / "resident", ways), tmp_path / "net")
    assert checked(tmp_path / "net") == "every output byte is equal"


def test_an_export_says_which_pieces_stay_and_where(finished: Path, tmp_path: Path) -> None:
    folder = resident_bundle(finished, tmp_path / "resident", WAYS)
    plan = open_bundle(folder).plan
    export_bundle(folder, tmp_path / "net")
    [name] = [path.stem for path in (tmp_path / "net").glob("*_model.h")]
    header, source = ((tmp_path / "net" / f"{name}{end}").read_text() for end in (".h", ".cc"))
    assert f"kRegionBytes = {plan.layout.region_bytes};" in header
    [given] = [entry for entry in plan.layout.boundary if entry.tensor in plan.segments[0].inputs]
    assert given.first_segment == 0
    on_target = header.split("#else")[1]
    assert f"kInput0Offset = {given.offset};" in on_target
    assert f"kInput0Bytes = {given.size};" in on_target
    kept = [own for own in plan.segments if own.switching == "resident"]
    for own in kept:
        store = "kNowhere" if own.kept_in is None else "0"
        row = f"{own.persistent_bytes}, {store}, {own.kept_offset}, {own.kept_bytes}"
        assert f"kKept{own.index} = {{{row}, {own.arena_used_bytes}, 1, 1}};" in source
    readme = (tmp_path / "net" / "README.md").read_text()
    assert f"region + {name}::kInput0Offset" in readme
    assert f"input 0 ({given.size:,} B from {given.offset:,} of the region on)" in readme
    named = ", ".join(str(own.index) for own in kept)
    assert f"- {named}: built where they stay" in readme
    first = min(own.kept_offset for own in kept if own.kept_in is None)
    assert f"bytes from {first:,} on" in readme
    assert "runner.Prepare(stores);" in readme
    assert "\n\n\n" not in readme


def test_residents_of_the_region_need_no_store(finished: Path, tmp_path: Path) -> None:
    export_bundle(resident_bundle(finished, tmp_path / "resident", ("region",)), tmp_path / "net")
    readme = (tmp_path / "net" / "README.md").read_text()
    assert "runner.Prepare();" in readme
    assert "## Stores" not in readme
    assert "\n\n\n" not in readme


@pytest.mark.needs("host compiler", "cmake", "host tflm")
def test_an_input_that_is_written_into_the_region_needs_no_other_buffer(
    finished: Path, tmp_path: Path
) -> None:
    """The check of the export, with the golden input put there and given from there."""
    export_bundle(resident_bundle(finished, tmp_path / "resident", WAYS), tmp_path / "net")
    check = tmp_path / "net" / "check.cc"
    text = check.read_text()
    given = "inputs[i] = by_rows ? nullptr : kInputs[sample][i];"
    assert given in text
    placed = (
        "(void)by_rows;\n"
        "    std::memcpy(region + plan::kInput0Offset, kInputs[sample][i], plan::kInput0Bytes);\n"
        "    inputs[i] = region + plan::kInput0Offset;"
    )
    check.write_text(text.replace(given, placed))
    assert checked(tmp_path / "net") == "every output byte is equal"

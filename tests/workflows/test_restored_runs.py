"""Plans with restored pieces, timed on the simulated target, and exported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from board_logs import TINY_LOG
from host_builds import checked
from kept_bundles import restored_bundle
from qemu_checks import board_log
from streamed_bundles import kept_streams

from splitopt.base.errors import ToolError
from splitopt.bundle.open import open_bundle
from splitopt.config.target import read_target
from splitopt.workflows.export.exported import export_bundle
from splitopt.workflows.time import time_bundle
from splitopt.workflows.time_log import time_log

GOLDEN = TINY_LOG.parents[1] / "bundle_v1"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of whole and streamed pieces."""
    return kept_streams("squeeze", tmp_path_factory)


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize("written", ["always", "start_up"])
def test_restored_pieces_use_and_make_what_is_predicted(
    written: str, finished: Path, tmp_path: Path
) -> None:
    folder = restored_bundle(finished, tmp_path / "restored", written)
    plan = open_bundle(folder).plan
    found = time_bundle(folder, read_target("qemu", tmp_path))
    assert {check.name: check.status.value for check in found.checks} == {
        "target_bytes": "passed",
        "target_outputs": "passed",
    }
    timing = found.document
    assert timing.inputs == 3
    for piece, entry in zip(timing.pieces, plan.segments, strict=True):
        assert piece.start_up is not None
        assert piece.simulated_allocate_insn == piece.simulated_construct_insn == 0
        calls = 127 if entry.stream else 86
        assert piece.simulated("restore", "insn") == pytest.approx(
            calls + 3 * entry.stored_bytes / 16, abs=4
        )
        allocated = piece.start_up.simulated("allocate", "insn")
        assert allocated == pytest.approx(entry.estimated_allocate_insn, rel=0.01)
    assert timing.first is not None
    assert timing.further is not None
    built = sum(
        piece.start_up.simulated(step, "insn")
        for piece in timing.pieces
        if piece.start_up
        for step in ("construct", "allocate", "save")
    )
    first, further = (own.simulated("split", "insn") for own in (timing.first, timing.further))
    assert first - further == built


@pytest.mark.needs("compiler", "qemu", "tflm")
def test_a_check_says_how_many_bytes_differ(tmp_path: Path) -> None:
    """An export whose plan has 16 bytes more for piece 1 than TFLM uses."""
    folder = restored_bundle(GOLDEN, tmp_path / "restored", "always")
    used = open_bundle(folder).plan.segments[1].arena_used_bytes
    export_bundle(folder, tmp_path / "net")
    source = tmp_path / "net" / "tiny_model.cc"
    text, count = re.subn(
        rf"(kKept1 = {{[^}}]*), {used}, 1", rf"\1, {used + 16}, 1", source.read_text()
    )
    assert count == 1
    source.write_text(text)
    log = tmp_path / "board.log"
    log.write_text(board_log(tmp_path / "net", tmp_path))
    with pytest.raises(ToolError, match=f"piece 1, .*: {used:,} B, planned {used + 16:,} B; look"):
        time_log(folder, log)


@pytest.mark.needs("host compiler", "cmake", "host tflm")
def test_exported_stores_build_and_pass_on_this_machine(finished: Path, tmp_path: Path) -> None:
    """Against a TFLM that was built for it, sanitisers on where it has them, started twice."""
    folder = restored_bundle(finished, tmp_path / "restored", "start_up")
    export_bundle(folder, tmp_path / "net")
    assert checked(tmp_path / "net") == "every output byte is equal"


def test_an_export_says_where_images_lie(finished: Path, tmp_path: Path) -> None:
    folder = restored_bundle(finished, tmp_path / "restored", "start_up")
    plan = open_bundle(folder).plan
    export_bundle(folder, tmp_path / "net")
    [name] = [path.stem for path in (tmp_path / "net").glob("*_model.h")]
    header, source = ((tmp_path / "net" / f"{name}{end}").read_text() for end in (".h", ".cc"))
    used = plan.memories[1].used_bytes
    assert f"kStoreOtherRamBytes = {used};" in header
    for segment in plan.segments:
        image = f"0, {segment.stored_offset}, {segment.stored_bytes}, {segment.arena_used_bytes}"
        assert f"kKept{segment.index} = {{{segment.stored_bytes - 208}, {image}, 1, 0}};" in source
    assert f"kStores[] = {{{{{used}, 1}}}};" in source
    readme = (tmp_path / "net" / "README.md").read_text()
    assert "## Stores" in readme
    assert "unused" not in readme
    assert f"- other-ram: {used:,} B, may be written at start-up only" in readme
    assert "runner.Prepare(stores);" in readme
    assert "\n\n\n" not in readme

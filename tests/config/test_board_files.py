"""Board files: how a job finds its board, what is refused, and what memories it may have."""

from __future__ import annotations

from pathlib import Path

import pytest
from job_files import Write, refusal

from splitopt.base.errors import UsageError
from splitopt.config.board import list_boards, read_board
from splitopt.config.job import read_job


def test_a_board_by_name_by_path_and_in_place(write: Write, tmp_path: Path) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "mine.yaml").write_text("name: mine\nsram_bytes: 1000\nreserved_bytes: 100\n")
    (tmp_path / "boards" / "ours.yaml").write_text("name: ours\nsram_bytes: 2000\n")
    assert read_job(write("board: corstone300_64k")).budget_bytes == 57_344
    assert read_job(write("board: ../mine.yaml")).budget_bytes == 900
    assert read_job(write(f"board: {tmp_path}/mine.yaml")).budget_bytes == 900
    assert read_job(write("board: ours")).budget_bytes == 2000
    assert read_job(write("board: {name: here, sram_bytes: 3000}")).board.name == "here"
    for budget in (70, 2000):
        assert read_job(write(f"board: ours\nbudget_bytes: {budget}")).budget_bytes == budget
    says = "$.budget_bytes: got 2001, want at most the board's 2000 (sram_bytes of ours)"
    assert refusal(write("board: ours\nbudget_bytes: 2001")) == says


def test_a_board_beside_the_job_is_found_from_the_jobs_own_folder(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "ours.yaml").write_text("name: ours\nsram_bytes: 2000\n")
    monkeypatch.chdir(write("board: ours").parent)
    assert read_job(Path("a.yaml")).board.name == "ours"


def test_errors_of_a_board(write: Write, tmp_path: Path) -> None:
    near = refusal(write("board: corstone300_64"))
    assert near.startswith("$.board: no board 'corstone300_64'; did you mean 'corstone300_64k'?")
    assert "known boards: alif_" in refusal(write("board: q"))
    with pytest.raises(UsageError, match=r"absent\.yaml: cannot be read: No such file"):
        read_job(write("board: absent.yaml"))
    (tmp_path / "bad.yaml").write_text("name: bad\nsram_bytes: 64KB\n")
    with pytest.raises(UsageError, match=r"bad\.yaml: \$\.sram_bytes: .*\(write 65536\)"):
        read_job(write("board: ../bad.yaml"))


def test_memories_of_a_board(write: Write) -> None:
    memory = "{name: m, bytes: 4096, holds: [saved_tails], written: always}"
    board = "board: {name: b, sram_bytes: 1000, headroom_bytes: 0, memories: [%s]}"

    def text(*changes: tuple[str, str], memories: str = memory) -> str:
        for old, new in changes:
            memories = memories.replace(old, new)
        return board % memories

    job = read_job(write(text()))
    [known] = job.board.memories
    assert (known.bytes, known.reserved_bytes, known.read_cost) == (4096, 0, 1.0)
    assert job.spec.pieces.switching == ("rebuild", "resident", "restore")
    assert "no arena: kernels work in arenas" in refusal(write(text(("saved_tails", "arena"))))
    assert "want 'tails', 'saved_tails', " in refusal(write(text(("saved_tails", "images"))))
    none = refusal(write(text(("[saved_tails]", "[]"))))
    assert none.endswith(".holds: got an empty list, want a list of at least 1")
    assert "known keys: bytes, holds" in refusal(write(text(("4096", "4096, colour: 1"))))
    assert "'always' or 'start_up'" in refusal(write(text(("always", "never"))))
    assert "memories[0].written" in refusal(write(text((", written: always", ""))))
    assert "nothing is left" in refusal(write(text(("4096", "4096, reserved_bytes: 4096"))))
    for cost in ("read_cost", "write_cost"):
        assert cost in refusal(write(text(("4096", f"4096, {cost}: 0.5"))))
    for other in (memory, memory.replace("m,", "M.,")):
        assert "a name of its own" in refusal(write(text(memories=f"{memory}, {other}")))
    tails = ("[saved_tails]", "[tails]")
    [holder] = read_job(write(text(tails))).board.memories
    assert holder.holds == ("tails",)
    for what in ("tails", "boundary", "model_input"):
        changing = refusal(write(text(("[saved_tails]", f"[{what}]"), ("always", "start_up"))))
        assert f"written: always where it holds {what}" in changing
    only = "\npieces: {switching: [restore]}"
    assert read_job(write(text() + only)).spec.pieces.switching == ("restore",)
    assert "b has no memory" in refusal(write(board % "" + only))
    assert "b has no memory" in refusal(write(text(tails) + only))
    resident = "\npieces: {switching: [resident]}"
    assert read_job(write(board % "" + resident)).spec.pieces.switching == ("resident",)
    other = (board % "").replace("headroom_bytes: 0", "headroom_bytes: 0, abi: x86_64")
    assert "known of abi m55 only" in refusal(write(other + resident))


def test_every_board_of_the_checkout_is_sound_and_named_as_its_file() -> None:
    boards = list_boards()
    assert len(boards) >= 4
    for name, path in boards.items():
        board = read_board(path)
        assert board.name == name, "`splitopt boards` shows the name, jobs give the file's"
        assert board.source
        assert 0 < board.budget_bytes <= board.sram_bytes

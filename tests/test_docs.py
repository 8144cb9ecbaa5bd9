"""README and docs: short enough, no dead links, and examples that splitopt takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from splitopt.config.board import read_board
from splitopt.config.job import read_job
from splitopt.config.sweep import read_sweep
from splitopt.config.target import read_target

CHECKOUT = Path(__file__).resolve().parents[1]
DOCS = CHECKOUT / "docs"
PAGES = tuple(sorted(DOCS.glob("*.md")))
TOP = tuple(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))
MOST_WORDS = 900


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def dead_links(page: Path) -> Iterator[str]:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        file, _, place = link.partition("#")
        if link.startswith("https://"):
            continue
        target = page.parent / file if file else page
        if not target.is_file():
            yield link
        elif place:
            headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
            if place not in map(anchor, headings):
                yield link


def examples(page: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (CHECKOUT / page).read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", [*TOP, *PAGES], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert list(dead_links(page)) == []


def test_a_dead_link_and_a_dead_anchor_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](page.md#one) [b](page.md#two) [c](none.md)")
    assert list(dead_links(page)) == ["page.md#two", "none.md"]


def test_every_page_is_in_the_menu() -> None:
    menu = (CHECKOUT / "mkdocs.yml").read_text("utf-8")
    assert [page.name for page in PAGES if f": {page.name}\n" not in menu] == []


def test_readme_is_short() -> None:
    assert len((CHECKOUT / "README.md").read_text("utf-8").split()) <= MOST_WORDS


@pytest.mark.parametrize(
    ("page", "key", "read"),
    [
        ("README.md", "model", read_job),
        ("docs/jobs.md", "model", read_job),
        ("docs/onnx.md", "model", read_job),
        ("docs/jobs.md", "sram_bytes", read_board),
        ("docs/sweeps.md", "grid", read_sweep),
        ("docs/target.md", "simulator", lambda file: read_target(file.name, file.parent)),
    ],
)
def test_examples_are_taken(
    page: str, key: str, read: Callable[[Path], object], tmp_path: Path
) -> None:
    found = [text for text in examples(page) if re.search(rf"^{key}:", text, re.MULTILINE)]
    assert found
    for text in found:
        file = tmp_path / "example.yaml"
        file.write_text(text, "utf-8")
        read(file)

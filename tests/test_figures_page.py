"""docs/figures.md: every figure is what the code gives now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from arena_picture import FILE, drawing
from figures_page import ON_QEMU, PAGE, TABLES, compared, row, stored
from golden_figures import MODELS

FindModel = Callable[[str], Path]
FIGURES = PAGE.read_text("utf-8")
MINUTES = "mbv2_digits_int8"


def planned(models: tuple[str, ...] = tuple(MODELS)) -> list[object]:
    slow = pytest.mark.slow
    return [pytest.param(m, marks=slow) if m == MINUTES else pytest.param(m) for m in models]


@pytest.mark.parametrize("model", planned())
def test_plans_are_those_of_the_page(model: str, shared_model: FindModel) -> None:
    shared_model(model)
    assert row("Plans", model) == stored(FIGURES, "Plans", model), "tests/figures_page.py --store"


@pytest.mark.parametrize("heading", ["Bytes", "Instructions"])
@pytest.mark.parametrize("model", MODELS)
def test_predictions_are_those_of_the_page(
    heading: str, model: str, shared_model: FindModel
) -> None:
    shared_model(model)
    assert row(heading, model) == stored(FIGURES, heading, model), "tests/figures_page.py --store"


@pytest.mark.slow
@pytest.mark.needs("compiler", "qemu", "tflm")
def test_counts_are_those_of_the_page() -> None:
    for old, new in compared(FIGURES, [ON_QEMU]):
        assert old == new


def test_a_figure_that_was_changed_in_the_page_is_seen() -> None:
    model = "unet_digits_int8"
    line = stored(FIGURES, "Bytes", model)
    changed = FIGURES.replace(line, line.replace("51,904", "51,905"))
    assert changed != FIGURES
    assert stored(changed, "Bytes", model) != row("Bytes", model)


def test_every_model_has_a_row_of_its_own() -> None:
    for heading, (_, models) in TABLES.items():
        assert len({stored(FIGURES, heading, model) for model in models}) == len(models)


@pytest.mark.needs("public models")
def test_the_picture_of_arenas_is_what_is_drawn_now() -> None:
    assert FILE.read_text("utf-8") == drawing(), "tests/arena_picture.py"

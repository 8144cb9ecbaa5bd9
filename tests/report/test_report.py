"""Reports without a browser: contents, escaping, sizes, colours, tables."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from bench.synthetic import convolution_chain
from report_documents import changed, hostile, kept_bundle, run_documents, synthetic_sweep

from splitopt.base.page_style import page_style
from splitopt.bundle.documents import dump
from splitopt.bundle.load import RunDocuments, SweepDocuments, load_run
from splitopt.config.job import read_job
from splitopt.report.pages.run import render_run
from splitopt.report.pages.sweep import render_sweep
from splitopt.report.text.summary import verdict
from splitopt.workflows.run import run_job

SCRIPT = """<script>hacked=1</script><img src=x onerror=hacked=1>"'&{{7*7}}</title>"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept_bundle("mbv2_digits", tmp_path_factory)


@pytest.fixture(scope="module")
def run(bundle: Path) -> RunDocuments:
    return run_documents(bundle)


@pytest.fixture(scope="module")
def sweep(run: RunDocuments) -> SweepDocuments:
    return synthetic_sweep(run, 60)


class Outline(HTMLParser):
    """Tags in their order with attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\u00a0", " ").split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def text_of(page: str) -> str:
    return Outline(page).text


# What a report says.


def test_a_run_report_holds_what_the_plan_says_in_order(run: RunDocuments) -> None:
    page = render_run(run)
    text = text_of(page)
    assert verdict(run.plan) in text
    for check in run.verify.checks:
        assert f"{check.status.upper()} {check.name}: {check.compared}" in text
    for segment in run.plan.segments:
        assert f"{segment.ram_bytes:,}" in text
    for cuts in run.plan.by_hand:
        assert cuts.name in text
    assert "they are not CPU cycles" in text
    headings = [attributes.get("id") for attributes in Outline(page).all("section")]
    order = ["verdict", "ram", "proof", "maps", "graph", "segments", "by-hand", "timing"]
    order += ["diagnosis", "estimates", "provenance"]
    assert [name for name in headings if name in order] == order


def test_what_is_optional_may_be_absent(run: RunDocuments) -> None:
    page = render_run(replace(run, timing=None, diagnosis=None))
    assert 'id="timing"' not in page
    assert 'id="diagnosis"' not in page
    assert "simulated insn" in render_run(run)
    assert "Piece 02 was exchanged" in render_run(run)


def test_every_ram_figure_of_route_pieces_is_shown(run: RunDocuments) -> None:
    side = {
        "peak_ram_bytes": 57472, "largest_arena_bytes": 57408, "estimated_added_insn": 234415,
        "requantised_boundaries": 1, "conversion_s": 9.4, "samples": 96, "worst_lsb": 2.0,
        "sqnr_db": 29.9, "top1": 0.844, "top1_agreement": 1.0,
    }  # fmt: skip
    end = {"piece": 0, "scale": 0.5, "zero_point": -3}
    contract = [{"onnx_tensor": "/a/Relu", "writer": end, "reader": {**end, "scale": 0.25},
                 "requantise": True, "insn": 5000}]  # fmt: skip
    quality = {"samples": 64, "sqnr_db": 29.06, "worst_litert_lsb": 1.0, "top1_float": 0.79,
               "top1_int8": 0.81, "top1_agreement": 0.96}  # fmt: skip
    conversion = {"calibration_samples": 48, "quality": quality, "onnx": {"notes": ["n1"]},
                  "warnings": ["w1"]}  # fmt: skip
    more = {"routes": {"whole": side, "pieces": {**side, "worst_lsb": None}}, "route": "pieces",
            "contract": contract, "conversion": conversion}  # fmt: skip
    text = text_of(render_run(replace(run, plan=changed(run.plan, lambda p: p.update(more)))))
    for words in ("29.9 dB", "0.844", "a QUANTIZE op was put in front", "WARNING: w1", "Note: n1"):
        assert words in text


def test_estimates_are_named(run: RunDocuments) -> None:
    assert "Bytes: none is an estimate" in text_of(render_run(run))

    def estimated(plan: Any) -> None:
        plan |= {"exact": False, "estimated_ops": ["op 3 SOFTMAX: INT16"]}
        for segment in plan["segments"]:
            segment["exact"] = False

    plan = changed(run.plan, estimated)
    text = text_of(render_run(replace(run, plan=plan)))
    assert "exact: false" in text
    assert "op 3 SOFTMAX: INT16" in text
    assert "OPTIMAL on these estimates of bytes" in text


def test_a_sweep_report_holds_every_point(sweep: SweepDocuments) -> None:
    page = render_sweep(sweep)
    text = text_of(page)
    for record in sweep.records:
        if record.plan:
            assert f'href="#p-{record.id}"' in page
            assert f'id="p-{record.id}"' in page
        else:
            assert record.status in text
    assert "job.yaml: $.board: no such board" in text
    assert "the smallest feasible budget is 238,848 B" in text
    assert "it is proved that none is missing" in text
    assert "between them there may be others" in text
    assert "not INFEASIBLE" in text


def test_a_sweep_where_nothing_fits_names_the_least_budget(sweep: SweepDocuments) -> None:
    rows = tuple(record for record in sweep.records if record.status == "INFEASIBLE")
    document = sweep.sweep.model_copy(update={"fronts": ()})
    text = text_of(render_sweep(SweepDocuments(document, rows)))
    assert "no point has a plan; the smallest feasible budget is 238,848 B." in text


def test_points_that_share_a_plan_are_one_marker_and_one_fold(sweep: SweepDocuments) -> None:
    first = next(record for record in sweep.records if record.plan)
    twin = first.model_copy(update={"id": "twin", "dominated": True, "shared_from": first.id})
    plans = {**sweep.plans, "twin": sweep.plans[first.id]}
    page = render_sweep(SweepDocuments(sweep.sweep, (*sweep.records, twin), plans))
    assert 'id="p-twin"' not in page
    assert f"plan of {first.id}" in text_of(page)


# Escaping, and nothing from elsewhere.


def test_untrusted_words_stay_words(run: RunDocuments, sweep: SweepDocuments) -> None:
    parts = ("plan", "memory", "graph", "verify", "manifest", "timing", "diagnosis")
    evil = RunDocuments(*(hostile(getattr(run, part), SCRIPT) for part in parts))
    plans = {
        name: replace(p, plan=hostile(p.plan, SCRIPT), memory=hostile(p.memory, SCRIPT))
        for name, p in sweep.plans.items()
    }
    records = hostile(sweep.records, SCRIPT)
    evil_sweep = SweepDocuments(hostile(sweep.sweep, SCRIPT), records, plans)
    for page in (render_run(evil), render_sweep(evil_sweep)):
        outline = Outline(page)
        assert len(outline.all("script")) == 1
        assert not outline.all("img")
        assert "<script>hacked" not in page
        assert "{{7*7}}" in outline.text, "a template took a name for its own"
        assert page.count("</html>") == 1


def test_texts_that_no_file_holds_are_replaced(run: RunDocuments) -> None:
    job = run.plan.job.model_copy(update={"name": "a\udc80b\0c\u202ed"})
    plan = run.plan.model_copy(update={"job": job})
    page = render_run(replace(run, plan=plan))
    assert "a\ufffdb\ufffdc\ufffdd" in page
    page.encode("utf-8")


def test_nothing_is_fetched(run: RunDocuments, sweep: SweepDocuments) -> None:
    for page in (render_run(run), render_sweep(sweep)):
        assert "default-src 'none'" in page
        outline = Outline(page)
        for _, attributes in outline.tags:
            for name in ("src", "href", "xlink:href", "action", "data"):
                value = attributes.get(name)
                assert value is None or value.startswith(("#", "data:,"))
        assert not re.search(r"@import|url\((?!#)|https?:", page)


# Sizes.


def test_reports_stay_small(run: RunDocuments) -> None:
    assert len(run.plan.segments) == 9
    assert sum(segment.stream is not None for segment in run.plan.segments) == 4
    assert len(render_run(run).encode()) < 500_000
    assert len(render_sweep(synthetic_sweep(run, 250)).encode()) < 1_000_000


def test_a_model_of_200_ops_stays_readable(tmp_path: Path) -> None:
    (tmp_path / "chain.tflite").write_bytes(convolution_chain(60))
    job = tmp_path / "chain.yaml"
    job.write_text(
        "model: {path: chain.tflite}\nboard: {name: b, sram_bytes: 4194304, headroom_bytes: 0}\n"
    )
    documents = load_run(run_job(read_job(job), out=tmp_path, verify=False).folder)
    page = render_run(lengthened(documents, 200))
    assert len(page.encode()) < 1_000_000
    rows = [float(y) for y in re.findall(r'<text x="[\d.]+" y="([\d.]+)">\d+ \w+</text>', page)]
    assert len(rows) == 200
    assert min(b - a for a, b in pairwise(rows)) >= 14


def lengthened(documents: RunDocuments, ops: int) -> RunDocuments:
    """The same documents as a longer chain in one piece: planning one takes long."""
    graph, memory = dump(documents.graph), dump(documents.memory)
    old, last = len(graph["ops"]), graph["ops"][-1]
    buffers = memory["unsplit"]["buffers"]
    tail = [{**buffers[-1], "start": step, "stop": step + 2} for step in range(old, ops)]
    arena = {**memory["unsplit"], "ops": list(range(ops)), "buffers": [*buffers, *tail]}
    edges = [{"from": k, "to": k + 1, "tensors": [0]} for k in range(ops - 1)]

    def longer(plan: Any) -> None:
        plan["segments"] = [{**plan["segments"][0], "index": 0, "start": 0, "stop": ops}]
        plan["model"]["ops"] = ops

    many = [{**last, "index": k} for k in range(ops)]
    return replace(
        documents,
        plan=changed(documents.plan, longer),
        memory=changed(documents.memory, lambda m: m.update(unsplit=arena, segments=[arena])),
        graph=changed(documents.graph, lambda g: g.update(ops=many, edges=edges)),
    )


# Colours.

ON_PAGE = ("fg", "muted", "accent", "ok", "bad", "warn")
ON_FILLS = {"ink": ("tensor", "scratch", "tail", "room", "boundary", "lines", "interpreters"),
            "fg": ("band0", "band1", "unused"),
            "muted": ("unused",)}  # fmt: skip
LINES = ("plan", "budget", "floor", "unsplit", "stroke", "accent", "grey")


def themes() -> list[dict[str, str]]:
    """The variables of the light, the dark and the printed page."""
    found = [dict(re.findall(r"--(\w+): (#\w{6})", held))
             for held in re.findall(r":root \{(.*?)\}", page_style(), re.S)]  # fmt: skip
    assert len(found) == 3
    return found


def luminance(colour: str) -> float:
    """As in WCAG 2.2."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", range(3))
def test_text_and_lines_stand_out(theme: int) -> None:
    colours = themes()[theme]
    for name in ON_PAGE:
        assert contrast(colours[name], colours["bg"]) >= 4.5, name
    for text, fills in ON_FILLS.items():
        for fill in fills:
            assert contrast(colours[text], colours[fill]) >= 4.5, (text, fill)
    for name in LINES:
        assert contrast(colours[name], colours["bg"]) >= 3, name


@pytest.mark.parametrize("theme", range(3))
def test_no_colour_of_a_drawing_means_two_things(theme: int) -> None:
    """Nor is one that of a link or of a check that failed."""
    colours = themes()[theme]
    meanings = ("tensor", "lines", "scratch", "tail", "room", "interpreters", "boundary", "held",
                "saved", "plan", "budget", "floor", "unsplit", "grey", "accent", "ok", "bad",
                "warn")  # fmt: skip
    assert len({colours[name] for name in meanings}) == len(meanings)


# Headings, titles, tables.


def test_the_outline_is_in_order(run: RunDocuments, sweep: SweepDocuments) -> None:
    for page in (render_run(run), render_sweep(sweep)):
        outline = Outline(page)
        levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(b <= a + 1 for a, b in pairwise(levels))
        ids = [attributes["id"] for _, attributes in outline.tags if attributes.get("id")]
        assert len(set(ids)) == len(ids)
        for attributes in outline.all("svg"):
            assert attributes["aria-labelledby"] in ids
        for attributes in outline.all("th"):
            assert attributes["scope"] in ("row", "col")
        for _, attributes in outline.tags:
            target = attributes.get("href") or ""
            assert not target.startswith("#") or target[1:] in ids, target

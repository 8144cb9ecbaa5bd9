"""Charts of reports are to scale: buffers, tails, boundary tensors, bands; lanes of the graph."""

from __future__ import annotations

import random
import re

import pytest
from report_documents import JOBS, kept_bundle, run_documents

from splitopt.bundle.load import RunDocuments, load_run
from splitopt.config.job import read_job
from splitopt.report.charts.lanes import assign_lanes
from splitopt.report.charts.memory_map import memory_map
from splitopt.report.charts.ram_chart import live_bytes
from splitopt.report.pages.run import render_run
from splitopt.workflows.run import run_job


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDocuments:
    return run_documents(kept_bundle("mbv2_digits", tmp_path_factory))


@pytest.fixture(scope="module")
def banded(tmp_path_factory: pytest.TempPathFactory) -> RunDocuments:
    """The same model without streams: in bands."""
    home = tmp_path_factory.mktemp("banded")
    model = JOBS.parent / "models" / "mbv2_digits_int8.tflite"
    (home / "job.yaml").write_text(
        f"model: {{path: {model}}}\nboard: corstone300_512k\nbudget_bytes: 245760\n"
        "pieces: {streams: false}\nobjective: {minimise: weighted}\n"
    )
    return load_run(run_job(read_job(home / "job.yaml"), out=home, verify=False).folder)


def boxes(svg: str, kind: str) -> list[tuple[float, ...]]:
    """(x, y, width, height) of the marks of a kind."""
    found = []
    for held in re.findall(rf'<g class="marks {kind}">(.*?)</g>', svg):
        pattern = r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)">'
        found += [tuple(float(v) for v in match) for match in re.findall(pattern, held)]
    return found


def test_every_buffer_of_every_map_is_to_scale(run: RunDocuments) -> None:
    region = run.memory.region_bytes
    for arena in run.memory.segments:
        chart = memory_map(arena, region, {}, ident="m", title="t")
        kinds = "tensor", "lines", "scratch"
        buffers = [b for kind in kinds for b in arena.buffers if b.kind == kind and b.size]
        drawn = [box for kind in kinds for box in boxes(chart.svg, kind)]
        assert len(drawn) == len(buffers)
        largest = max(range(len(drawn)), key=lambda k: buffers[k].size)
        per_byte = drawn[largest][3] / buffers[largest].size
        per_step = drawn[0][2] / (buffers[0].stop - buffers[0].start)
        bottom = max(y + height for _, y, _, height in drawn)
        for (_, y, width, height), buffer in zip(drawn, buffers, strict=True):
            assert height == pytest.approx(max(buffer.size * per_byte, 1), abs=0.6)
            assert width == pytest.approx((buffer.stop - buffer.start) * per_step, abs=0.6)
            assert bottom - y - height == pytest.approx(buffer.offset * per_byte, abs=1.2)
        (tail,) = boxes(chart.svg, "tail")
        assert tail[3] == pytest.approx(max(arena.tail_bytes * per_byte, 1), abs=1.2)
        head = bottom - arena.head_bytes * per_byte
        assert tail[1] + tail[3] <= head + 1.2, "the tail is above the head"
        further = boxes(chart.svg, "interpreters")
        assert len(further) == (arena.interpreters_bytes > 0), "of a stream, above the tail"
        for _, y, _, height in further:
            assert height == pytest.approx(arena.interpreters_bytes * per_byte, abs=1.2)
            assert y + height == pytest.approx(tail[1], abs=1.2)
        top = min(y for _, y, _, _ in (tail, *further))
        base = top + arena.arena_bytes * per_byte
        for _, y, _, height in boxes(chart.svg, "boundary"):
            assert y + height <= top + 1.2 or y >= base - 1.2, "boundary tensors are no arena's"


def test_bands_are_drawn_to_scale_in_the_tensors_that_they_read_and_keep(
    banded: RunDocuments,
) -> None:
    region, seen = banded.memory.region_bytes, 0
    for segment, arena in zip(banded.plan.segments, banded.memory.segments, strict=True):
        chart = memory_map(arena, region, {}, ident="m", title="t")
        drawn = boxes(chart.svg, "rows")
        ends = len(segment.inputs) + len(segment.outputs)
        assert len(drawn) == len(arena.bands) == ends * len(segment.bands or ())
        places = dict(
            zip((b.tensor for b in arena.boundary), boxes(chart.svg, "boundary"), strict=True)
        )
        sizes = {b.tensor: b.size for b in arena.boundary}
        for (_, y, _, height), band in zip(drawn, arena.bands, strict=True):
            _, top, _, tall = places[band.tensor]
            per_byte = tall / sizes[band.tensor]
            assert height == pytest.approx((band.stop - band.start) * per_byte, abs=1.2)
            assert top - 1.2 <= y <= y + height <= top + tall + 1.2
            seen += 1
    assert seen > 20
    page = render_run(banded)
    assert "rows computed more than once" in page


def test_live_bytes_peak_at_the_peak_load(run: RunDocuments) -> None:
    for arena in (run.memory.unsplit, *run.memory.segments):
        assert max(live_bytes(arena)) == arena.peak_load_bytes


def test_lanes_of_values_that_wait_are_not_crossed() -> None:
    chance = random.Random(0)
    for _ in range(300):
        count = chance.randint(1, 15)
        edges = sorted({(a, b) for b in range(1, count) for a in chance.sample(range(b), 1)}
                       | {(a, b) for a in range(count) for b in range(a + 1, count)
                          if chance.random() < 0.15})  # fmt: skip
        lanes = assign_lanes(range(count), edges)
        for maker, reader in edges:
            for other in range(maker + 1, reader):
                assert lanes.of_node[other] != lanes.of_node[maker], (edges, maker, reader, other)

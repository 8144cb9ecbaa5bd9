"""Reports of plans with streams: what the words say, rows over time against the steps of each
stream, and ends that share bytes."""

from __future__ import annotations

import re
from itertools import combinations, pairwise, takewhile
from pathlib import Path

import pytest
from stream_nets import chance_decoder, chance_stream_net
from stream_runs import longest_streams

from splitopt.arena.rules import target_rules
from splitopt.bundle.load import RunDocuments, load_run
from splitopt.bundle.schema.memory import Placed
from splitopt.bundle.stream_json import stream_entry, stream_of_entry
from splitopt.config.job import read_job
from splitopt.graph.tflite_reader import read_tflite
from splitopt.report.charts import streamed
from splitopt.report.charts.memory_map import memory_map
from splitopt.report.charts.streamed import StreamTimes
from splitopt.report.pages.run import render_run
from splitopt.report.pages.tables import ram_formula
from splitopt.report.text.notes import technique_lines
from splitopt.report.text.summary import segment_rows
from splitopt.tiling.streams.build import stream_of
from splitopt.tiling.streams.moves import FillRows, Keep, MoveRow, Run, Take, moves_of
from splitopt.tiling.streams.placement import GroupForms, placed
from splitopt.tiling.streams.rules import stream_rule
from splitopt.tiling.streams.stream import Stream
from splitopt.workflows.run import run_job

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"


@pytest.fixture(
    scope="module",
    params=[("squeeze", "{input: rows}"), ("resnet8", "{rolled_ends: false}"), ("unet", "{}")],
)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunDocuments:
    home = tmp_path_factory.mktemp("streams")
    name, pieces = request.param
    model = MODELS / f"{name}_digits_int8.tflite"
    (home / "job.yaml").write_text(
        f"model: {{path: {model}}}\nboard: {{name: b, sram_bytes: 1048576, headroom_bytes: 0}}\n"
        f"objective: {{minimise: smallest}}\npieces: {pieces}\n"
    )
    return load_run(run_job(read_job(home / "job.yaml"), out=home, verify=False).folder)


def streams_of(run: RunDocuments) -> list[tuple[StreamTimes, Stream]]:
    found = [
        (StreamTimes(s.stream), stream_of_entry(s.stream, s.start, s.stop))
        for s in run.plan.segments
        if s.stream is not None
    ]
    assert found
    return found


def test_pieces_say_how_they_run(run: RunDocuments) -> None:
    page, notes = render_run(run), " ".join(technique_lines(run.plan))
    invokes = 0
    for segment, row in zip(run.plan.segments, segment_rows(run.plan), strict=True):
        if segment.stream is None:
            assert "streamed" not in row[2]
            continue
        stream = stream_of_entry(segment.stream, segment.start, segment.stop)
        own = sum(isinstance(move, Run) for move in moves_of(stream))
        count = len(segment.stream.groups)
        assert row[2] == f"streamed, {count} group{'s' * (count > 1)}, {own} Invokes"
        assert row[2] in page
        invokes += own
    assert f"{invokes:,} Invokes" in notes
    assert "interpreters of a stream" in page
    is_rolled = any(segment.rolled for segment in run.plan.segments)
    assert is_rolled == run.plan.job.settings.pieces.rolled_ends
    # pieces on all rows share bytes of their ends, too: these are copied in before others go out
    assert "two boundary tensors that share bytes" in page or not is_rolled
    assert ("where rows of inputs are already read" in notes) == is_rolled
    assert "choice of cuts, bands, streams and offline plans" in page
    by_rows = run.plan.job.settings.pieces.input == "rows"
    assert ("The application hands" in notes) == ("input by rows" in page) == by_rows
    asked = {"pieces": run.plan.job.settings.pieces.model_copy(update={"input": "rows"})}
    settings = run.plan.job.settings.model_copy(update=asked)
    job = run.plan.job.model_copy(update={"settings": settings})
    told = " ".join(technique_lines(run.plan.model_copy(update={"job": job})))
    assert ("pieces.input: rows changes nothing" in told) == (not by_rows)
    many = sum(segment.stream is not None for segment in run.plan.segments)
    assert f"{len(run.plan.segments)} ({many} streamed)" in page


def test_rows_lie_where_the_steps_put_them(
    run: RunDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slot after slot, of every row in every line buffer."""
    monkeypatch.setattr(streamed, "_MOST_ROWS", 1 << 20)
    for times, stream in streams_of(run):
        check_slots(times, stream)


def test_rows_of_drawn_streams_lie_where_the_steps_put_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streamed, "_MOST_ROWS", 1 << 20)
    rules, seen = target_rules("m55"), 0
    for graph in (make(seed) for make in (chance_stream_net, chance_decoder) for seed in range(30)):
        for stream in longest_streams(graph):
            found = placed(stream, rules, GroupForms(graph, rules))
            paths = [""] * len(stream.groups)
            check_slots(StreamTimes(stream_entry(found, paths, None)), stream)
            seen += len(stream.buffers)
    assert seen > 100


def test_rows_whose_reader_runs_first_in_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shortcut of a residual has one row in its buffer, and is read before the next one."""
    monkeypatch.setattr(streamed, "_MOST_ROWS", 1 << 20)
    graph, rules = read_tflite(MODELS / "squeeze_digits_int8.tflite"), target_rules("m55")
    stream = stream_of(graph, 18, 23, [stream_rule(graph, op) for op in graph.ops])
    assert isinstance(stream, Stream)
    makers = {made.buffer: k for k, g in enumerate(stream.groups) for made in g.outputs}
    assert any(
        k < makers.get(view.buffer, -1) for k, g in enumerate(stream.groups) for view in g.views
    )
    found = placed(stream, rules, GroupForms(graph, rules))
    entry = stream_entry(found, [""] * len(stream.groups), None)
    check_slots(StreamTimes(entry), stream)


def check_slots(times: StreamTimes, stream: Stream) -> None:
    visited = slots_visited(stream)
    found: dict[tuple[int, int], list[int]] = {}
    counts = [0] * len(stream.buffers)
    for row in times.passing():
        found[row.buffer, counts[row.buffer]] = [slot for _, slot in row.places]
        counts[row.buffer] += 1
        ticks = [tick for tick, _ in row.places]
        assert ticks == sorted(set(ticks))
        assert not ticks or ticks[-1] < row.last_tick <= times.ticks
    looked_at = {
        (view.buffer, row)
        for group in stream.groups
        for view in group.views
        for made in range(group.turns)
        for row in range(view.first_row(made), view.first_row(made) + view.rows)
    }
    for key in visited.keys() & looked_at:
        assert found[key] == visited[key]
    assert {key for key, slots in found.items() if slots} <= visited.keys()


def slots_visited(stream: Stream) -> dict[tuple[int, int], list[int]]:
    """Of each row of each line buffer the slots that the steps put it into, in turn. A group writes
    into the last slots; where the steps right behind that move the row, it only passes there."""
    held: list[dict[int, int]] = [{} for _ in stream.buffers]
    visited: dict[tuple[int, int], list[int]] = {}

    def put(buffer: int, slot: int, row: int | None) -> None:
        held[buffer].pop(slot, None)
        if row is not None:
            held[buffer][slot] = row
            visited.setdefault((buffer, row), []).append(slot)

    moves = list(moves_of(stream))
    for k, move in enumerate(moves):
        match move:
            case Take(source, row, slot):
                put(stream.sources[source].buffer, slot, row)
            case MoveRow(buffer, to, slot):
                put(buffer, to, held[buffer].pop(slot, None))
            case FillRows(buffer, slot, rows):
                for filled in range(slot, slot + rows):
                    put(buffer, filled, None)
            case Run(number, turn):
                group = stream.groups[number]
                behind = takewhile(lambda m: isinstance(m, Keep | MoveRow), moves[k + 1 :])
                left = {(m.buffer, m.from_slot) for m in behind if isinstance(m, MoveRow)}
                rows = range(turn * group.rows_per_turn, (turn + 1) * group.rows_per_turn)
                for own in (made.buffer for made in group.outputs if made.buffer is not None):
                    depth, is_lazy = stream.buffers[own].depth, stream.buffers[own].lazy is not None
                    for slot in range(depth - group.made_rows, depth - len(rows)):
                        put(own, slot, None)
                    for slot, row in enumerate(rows, start=depth - len(rows)):
                        put(own, slot, row)
                        if is_lazy and (own, slot) in left:
                            visited[own, row].pop()
    return visited


def test_inputs_shrink_and_outputs_grow(run: RunDocuments) -> None:
    for times, stream in streams_of(run):
        by_tensor: dict[tuple[int, bool], list[streamed.Held]] = {}
        for held in times.held():
            by_tensor.setdefault((held.tensor, held.reads), []).append(held)
        sources = {source.tensor for source in stream.sources}
        assert {tensor for tensor, reads in by_tensor if reads} == sources
        for (_, reads), parts in by_tensor.items():
            for a, b in pairwise(parts):
                assert a.last_tick == b.first_tick
                assert (a.start <= b.start) if reads else (a.stop <= b.stop)
            assert parts[0].start == 0
            assert parts[-1].stop == parts[-1].rows


def test_ends_that_share_bytes_are_drawn_as_such(run: RunDocuments) -> None:
    arena = next(a for a in run.memory.segments if len(a.boundary) >= 2)
    region = run.memory.region_bytes
    pairs = list(combinations(arena.boundary, 2))
    apart = all(
        min(a.offset + a.size, b.offset + b.size) <= max(a.offset, b.offset) for a, b in pairs
    )
    svg = memory_map(arena, region, {}, ident="m", title="t").svg
    assert ("marks rolled" not in svg) == apart
    a, b = pairs[0]
    low = min(a.offset, b.offset)
    shared = min(a.size, b.size) // 2
    made, read = Placed(tensor=a.tensor, offset=low, size=a.size), b
    read = Placed(tensor=b.tensor, offset=low + a.size - shared, size=b.size)
    rolled = arena.model_copy(update={"boundary": (made, read)})
    svg = memory_map(rolled, region, {}, ident="m", title="t").svg
    by_rows = "rows of one are written where those of the other are already read"
    assert f"share {shared:,} B" in svg
    assert (by_rows in svg) == bool(arena.bands)
    stream = next(segment.stream for segment in run.plan.segments if segment.stream)
    assert by_rows in memory_map(rolled, region, {}, ident="m", title="t", stream=stream).svg
    assert heights(svg, "rolled")[0] < min(heights(svg, "boundary"))


def heights(svg: str, kind: str) -> list[float]:
    found = []
    for held in re.findall(rf'<g class="marks {kind}">(.*?)</g>', svg):
        found += [float(value) for value in re.findall(r'height="([\d.]+)"', held)]
    return found


def test_maps_and_formula_are_those_of_every_piece(run: RunDocuments) -> None:
    """Of a plan that is one stream too. RAM by the formula that the report gives."""
    page = render_run(run)
    for segment in run.plan.segments:
        assert f"Memory map of piece {segment.index:02d}" in page
    formula = ram_formula(run.plan)
    assert formula in page
    is_rolled = any(segment.rolled for segment in run.plan.segments)
    assert ("less the bytes that in and out share" in formula) == is_rolled
    for segment, arena in zip(run.plan.segments, run.memory.segments, strict=True):
        ends = segment.in_bytes, segment.out_bytes
        outer = segment.ram_bytes - segment.arena_bytes - segment.through_bytes
        if segment.bands is None and segment.stream is None:
            assert outer == max(ends)
            assert "the larger of in and out where a piece runs once" in formula
        else:
            shared = sum(
                max(0, min(a.offset + a.size, b.offset + b.size) - max(a.offset, b.offset))
                for a, b in combinations(arena.boundary, 2)
            )
            assert outer == sum(ends) - shared
            assert "arena + through + in + out" in formula

"""Models that keep state between inferences: pieces with state stay, or there is one piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise, product
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as fb
from models import add_chain
from stateful_models import Drawn, delay_net, last_input, lstm_net, streaming_net, svdf_net

from splitopt.arena.replay import replay
from splitopt.arena.rules import target_rules
from splitopt.base.errors import InfeasibleError
from splitopt.config.job import Job
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import segment_of, whole_model
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.pieces.writer import write_piece
from splitopt.planning.segment_bounds import boundary_loads, has_both_ends
from splitopt.planning.state import (
    cuts_that_part_state,
    segments_without_loss,
    state_note,
    stateful_ops,
)
from splitopt.workflows.plan import plan

SVDFS = (1, 3)
RULES = target_rules("m55")
CUTS_ONLY = {"bands": False, "streams": False, "offline_plans": False}


def chain_net(seed: int) -> bytes:
    """Dense layers and SVDFs in turn, of widths that differ much."""
    net = Drawn()
    source = last = net.activation([1, 24])
    for k in range(5):
        wide = 400 if (seed >> k) & 1 else 16
        last = net.svdf(last, 8, 4) if k in (1, 3) else net.dense(last, wide)
    return net.bytes([source], [last])


def shared_state() -> bytes:
    """Two SVDFs, ops 1 and 3, one variable."""
    net = Drawn()
    source = net.activation([1, 16])
    first = net.svdf(net.dense(source, 24), 8, 5)
    made = net.svdf(net.dense(first, 24), 8, 5)
    kept = net.graph.operators[1].inputs[-1]
    net.graph.operators[3].inputs[-1] = kept
    return net.bytes([source], [made])


def job_of(home: Path, model: bytes, **settings: object) -> Job:
    path = home / "state.tflite"
    path.write_bytes(model)
    return Job.of(model=str(path), board="corstone300_64k", **settings)


def variables_of(model: bytes) -> list[set[str]]:
    """The variables that each op of the file touches, as its tables say it."""
    file = fb.ModelT.InitFromObj(fb.Model.GetRootAs(model))
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in file.operatorCodes]

    def named(graph: fb.SubGraphT) -> Iterator[set[str]]:
        names = {}
        for op in graph.operators:
            code = codes[op.opcodeIndex]
            if code == fb.BuiltinOperator.VAR_HANDLE:
                names[op.outputs[0]] = str(op.builtinOptions.sharedName)
            if code == fb.BuiltinOperator.CALL_ONCE:
                yield set().union(*named(file.subgraphs[op.builtinOptions.initSubgraphIndex]))
                continue
            inputs = [] if op.inputs is None else op.inputs
            own = {int(t) for t in inputs if t >= 0 and graph.tensors[t].isVariable}
            handles = {*inputs, *([] if op.outputs is None else op.outputs)} & names.keys()
            yield {*map(str, own), *(names[tensor] for tensor in handles)}

    return list(named(file.subgraphs[0]))


@pytest.mark.parametrize(
    "model",
    [
        *(svdf_net(), lstm_net(), delay_net(), delay_net(3), delay_net(2, computes=True)),
        *(streaming_net(), last_input("INT8"), shared_state(), add_chain([[1, 2, 3, 4]] * 3)),
    ],
)
def test_a_cut_parts_no_variable_from_one_of_its_ops(model: bytes) -> None:
    """Against all cuts, by what the file says; and a piece that does not stay has no state."""
    graph, touched = parse_tflite(model, name="net"), variables_of(model)
    n, parted = len(graph.ops), cuts_that_part_state(graph)
    for cut in range(1, n):
        both = set().union(*touched[:cut]) & set().union(*touched[cut:])
        assert (cut in parted) == bool(both)
    assert stateful_ops(graph) == tuple(op for op in range(n) if touched[op])
    resident, other = (segments_without_loss(graph, is_resident=way) for way in (True, False))
    for start, stop in combinations(range(n + 1), 2):
        assert resident[start, stop] == (start not in parted and stop not in parted)
        has_state = any(touched[start:stop])
        assert other[start, stop] == (not has_state or (start, stop) == (0, n))


def test_models_without_state_have_no_note() -> None:
    graph = parse_tflite(add_chain([[1, 2, 3, 4]] * 3), name="net")
    assert not state_note(graph, may_reside=True)
    assert not state_note(graph, may_reside=False)


def least_peak(graph: ModelGraph, headroom: int) -> int:
    """Of all cuts, and of all ways in which pieces without state begin, by the files of the pieces
    alone. Boundary tensors of a chain need no more than what is alive at once."""
    n, touched = len(graph.ops), stateful_ops(graph)
    may = has_both_ends(graph)
    loads = boundary_loads(graph).load
    parted = cuts_that_part_state(graph)
    two = RULES.abi.in_two_arenas()

    def piece(start: int, stop: int) -> list[tuple[int, int]]:
        """(RAM while it runs, bytes that it keeps) of each way."""
        own = parse_tflite(write_piece(graph, segment_of(graph, start, stop)), name="piece")
        load, memories = int(loads[start, stop]) + headroom, RULES.memories(own)
        plain = replay(own, whole_model(own), memories, RULES.abi)
        apart = replay(own, whole_model(own), memories, two)
        kept = -(-apart.tail_bytes // 16) * 16 + RULES.abi.interpreter_bytes
        resident = (apart.size_bytes + load, kept)
        if any(start <= op < stop for op in touched):
            return [resident]
        return [(plain.size_bytes + load, 0), resident]

    whole = replay(graph, whole_model(graph), RULES.memories(graph), RULES.abi)
    least = whole.size_bytes + headroom
    ends = [cut for cut in range(1, n) if cut not in parted]
    ways = {
        span: piece(*span)
        for span in combinations([0, *ends, n], 2)
        if may[span] and span != (0, n)
    }
    for count in range(1, len(ends) + 1):
        for cuts in combinations(ends, count):
            spans = list(pairwise([0, *cuts, n]))
            if all(span in ways for span in spans):
                for chosen in product(*(ways[span] for span in spans)):
                    peak = max(ram for ram, _ in chosen) + sum(kept for _, kept in chosen)
                    least = min(least, peak)
    return least


@pytest.mark.parametrize("seed", [0, 17, 21])
def test_the_smallest_plan_of_a_chain_is_the_best_of_all(seed: int, tmp_path: Path) -> None:
    job = job_of(tmp_path, chain_net(seed), objective={"minimise": "smallest"}, pieces=CUTS_ONLY)
    found = plan(job)
    assert found.plan.status.name == "OPTIMAL"
    assert found.peak_ram_bytes == least_peak(found.graph, job.board.headroom_bytes)
    stateful = stateful_ops(found.graph)
    for segment in found.segments if found.cuts else ():
        has_state = any(segment.start <= op < segment.stop for op in stateful)
        assert not has_state or segment.kept is not None


def test_the_pieces_of_a_streaming_model_are_the_best_of_all(tmp_path: Path) -> None:
    """What is asked of the search is small: the two layers of most RAM are behind the lines."""
    model = streaming_net(60, [64, 2, 64, 2])
    settings = {"objective": {"minimise": "smallest"}, "pieces": CUTS_ONLY}
    found = plan(job_of(tmp_path, model, **settings))
    assert found.peak_ram_bytes == least_peak(found.graph, 1024) < found.unsplit_ram_bytes
    assert not set(found.cuts) & {*range(2, 8), *range(10, 16)}
    assert found.plan.status.name == "OPTIMAL"


def test_what_has_state_runs_whole_and_stays(tmp_path: Path) -> None:
    found = plan(job_of(tmp_path, svdf_net(), objective={"minimise": "smallest"}))
    assert found.plan.status.name == "OPTIMAL"
    assert found.peak_ram_bytes < found.unsplit_ram_bytes
    kept = [segment for segment in found.segments if segment.kept]
    assert {op for s in kept for op in range(s.start, s.stop)} >= set(SVDFS)
    assert not any(s.figures.executions or s.figures.is_streamed for s in kept)
    [note] = [note for note in found.plan.notes if "state" in note]
    assert note.startswith("op 1 SVDF, op 3 SVDF keep state between inferences: a piece with")
    assert "Cuts" not in note
    assert [cuts.cuts for cuts in found.by_hand] == [()]


@pytest.mark.parametrize("net", [svdf_net, delay_net, lstm_net])
def test_where_no_piece_may_stay_it_is_one_piece_and_the_plan_says_why(
    net: Callable[[], bytes], tmp_path: Path
) -> None:
    pieces = {"switching": ["rebuild", "restore"]}
    settings = {"objective": {"minimise": "smallest"}, "pieces": pieces}
    found = plan(job_of(tmp_path, net(), **settings))
    assert (found.plan.status.name, found.cuts, found.added_insn) == ("OPTIMAL", (), 0)
    [note] = [note for note in found.plan.notes if "state" in note]
    assert note.startswith("The model stays in one piece, built once: op ")
    assert "no piece may be resident here (pieces.switching" in note
    assert found.limit.startswith("The unsplit model sets the peak (head ")


def test_cuts_that_part_a_variable_are_named(tmp_path: Path) -> None:
    found = plan(job_of(tmp_path, streaming_net()))
    [note] = [note for note in found.plan.notes if "state" in note]
    assert "Cuts before ops 2 to 7, 10 to 15 were left out: ops of one variable" in note


def test_a_budget_that_is_too_small_is_told_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleError, match=r"3,264 B.*keep state between inferences"):
        plan(job_of(tmp_path, svdf_net(), budget_bytes=2000))


def test_files_of_pieces_have_the_subgraphs_that_they_run(tmp_path: Path) -> None:
    """Those of other pieces not; what a file asks for is what the plan says."""
    graph = parse_tflite(streaming_net(), name="net")
    memories = RULES.memories(graph)
    for (start, stop), called in {(0, 1): 0, (1, 8): 1, (8, 16): 1, (0, 16): 2, (1, 19): 2}.items():
        segment = segment_of(graph, start, stop)
        own = parse_tflite(write_piece(graph, segment), name="piece")
        assert len(own.called) == called
        file = replay(own, whole_model(own), RULES.memories(own), RULES.abi)
        planned = replay(graph, segment, memories, RULES.abi)
        assert (file.size_bytes, file.used_bytes) == (planned.size_bytes, planned.used_bytes)
        assert file.exact

"""What ops and groups share with those that are alike, against each one priced by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.synthetic import convolution_chain, mobilenet_v2_like, u_net
from gated_nets import mobile_net_v3_like

from splitopt.arena.rules import target_rules
from splitopt.cost.allocate import prepare_insn
from splitopt.cost.costs import built_in
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.alike_ops import AlikeOps
from splitopt.planning.group_terms import GroupTerm
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.stream_options import StreamTable
from splitopt.tiling.rows import rows_read
from splitopt.tiling.streams.group_graph import row_graph
from splitopt.tiling.streams.rules import StreamRule

FILES = {
    "chain": lambda: convolution_chain(40, 1),
    "mobilenet_v2": lambda: mobilenet_v2_like(60, 0),
    "u_net": lambda: u_net(50, 0),
}


@pytest.fixture(params=[*FILES, "gated"])
def graph(request: pytest.FixtureRequest, tmp_path: Path) -> ModelGraph:
    if request.param == "gated":
        return mobile_net_v3_like(32)
    file = tmp_path / "net.tflite"
    file.write_bytes(FILES[request.param]())
    return read_tflite(file)


def test_ops_take_what_they_take_by_themselves(graph: ModelGraph) -> None:
    rules, costs = target_rules("m55"), built_in()
    alike, streams = AlikeOps(graph, rules, costs), table_of(graph).streams
    assert len(set(alike.kinds)) < len(graph.ops)
    for op, rule in zip(graph.ops, streams.rules, strict=True):
        assert alike.whole_insn(op.index) == costs.invoke(graph, op)
        assert alike.prepare_insn(op.index) == prepare_insn(graph, op, costs.allocate)
        if isinstance(rule, StreamRule) and rule.padding is None:
            read = rows_read(graph, op, rule.reach)
            own = row_graph(graph, [op], read, rule.rows)
            assert alike.row_insn(op.index, read, rule.rows) == costs.invoke(own, own.ops[0])
            found, alone = (
                alike.row_memory(op.index, read, rule.rows),
                rules.memory(own, own.ops[0]),
            )
            for name in ("params", "init", "kept", "scratch"):
                assert getattr(found, name) == getattr(alone, name)


def test_groups_take_what_they_take_by_themselves(graph: ModelGraph) -> None:
    """All groups of the streams from some ops on, at every level."""
    for streams in table_of(graph).streams.levels:
        for start in range(0, len(graph.ops), 5):
            streams.quick_figures(start, len(graph.ops))
        compared = compare(streams)
        assert compared > 20


def table_of(graph: ModelGraph) -> SegmentTable:
    return SegmentTable(graph, target_rules("m55"), techniques=Techniques())


def compare(streams: StreamTable) -> int:
    terms = streams._pricer.terms
    for key, term in terms._known.items():
        alone = terms._term(terms.forms(key))
        assert figures(term) == figures(alone), key
    return len(terms._known)


def figures(term: GroupTerm) -> list[object]:
    """All that is asked of it: places of its tensors in both orders, and tails on some heads."""
    named = [term.tensors, term.tensors[::-1], term.tensors[1:], ()]
    places = [term.allocate_insn({t: k for k, t in enumerate(own)}) for own in named]
    tails = [
        figure(bytes_)
        for tail in (term.first, term.further)
        for figure in (tail.on_top, tail.below)
        for bytes_ in (0, 4, 1000)
    ]
    kept = term.first.reach, term.further.reach, term.low_bytes, term.scratch
    return [term.tensors, term.sizes, term.lives, term.invoke_insn, places, tails, kept]

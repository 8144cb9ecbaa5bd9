"""Segments and live ranges against brute force, on networks that Hypothesis makes.

The oracle runs the network: every op computes the set of model inputs and ops that its result
depends on, and a segment gets to see nothing but its declared inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import examples

from splitopt.graph.liveness import LiveRange, live_ranges
from splitopt.graph.model import ABSENT, DType, ModelGraph, Op, Tensor, TensorKind
from splitopt.graph.segments import (
    Segment,
    boundary_candidates,
    segment_of,
    whole_model,
)
from splitopt.graph.wellformed import check_graph

INT8 = DType("INT8", 8)
Value = frozenset[str]


class _Draft:
    """Tensors and ops in the order they are drawn."""

    def __init__(self) -> None:
        self.tensors: list[tuple[TensorKind, int]] = []
        self.ops: list[tuple[list[int], list[int], list[int]]] = []

    def tensor(self, kind: TensorKind, elements: int) -> int:
        self.tensors.append((kind, elements))
        return len(self.tensors) - 1

    def graph(self, inputs: list[int], outputs: list[int], place: list[int]) -> ModelGraph:
        """The network with tensor t at index place[t]: indices need not follow the order."""
        tensors: list[Tensor] = [
            Tensor(place[t], f"t{t}", (elements,), INT8, kind, 0)
            for t, (kind, elements) in enumerate(self.tensors)
        ]

        def at(drawn: Iterable[int]) -> tuple[int, ...]:
            return tuple(ABSENT if t == ABSENT else place[t] for t in drawn)

        return ModelGraph(
            name="drawn",
            tensors=tuple(sorted(tensors, key=lambda tensor: tensor.index)),
            ops=tuple(
                Op(k, "ANY", 1, at(read), at(made), {}, at(between))
                for k, (read, made, between) in enumerate(self.ops)
            ),
            inputs=at(inputs),
            outputs=at(outputs),
            source=b"",
        )


@st.composite
def networks(draw: st.DrawFn) -> ModelGraph:
    """Up to 8 ops: skips, dead results, two outputs, absent and empty inputs, variables."""
    draft = _Draft()
    size = st.integers(1, 9)
    activation = TensorKind.ACTIVATION
    inputs = [draft.tensor(activation, draw(size)) for _ in range(draw(st.integers(1, 3)))]
    fixed = [draft.tensor(TensorKind.CONSTANT, 3), draft.tensor(TensorKind.VARIABLE, 3)]
    fixed.append(draft.tensor(activation, 0))  # a constant without data
    draft.tensor(activation, 5)  # nothing touches it
    made: list[int] = []
    for _ in range(draw(st.integers(1, 8))):
        readable = st.sampled_from([*inputs, *made, *made[-2:], *fixed, ABSENT])
        read = draw(st.lists(readable, min_size=1, max_size=3))
        new = [draft.tensor(activation, draw(size)) for _ in range(draw(st.integers(1, 2)))]
        between = [draft.tensor(activation, 2)] if draw(st.integers(0, 5)) == 0 else []
        draft.ops.append((read, new, between))
        made += new
    outputs = draw(st.lists(st.sampled_from(made), min_size=1, max_size=3, unique=True))
    place = draw(st.permutations(range(len(draft.tensors))))
    inputs = draw(st.permutations(inputs))
    return draft.graph(inputs, outputs, list(place))


@st.composite
def networks_and_segments(draw: st.DrawFn) -> tuple[ModelGraph, int, int]:
    graph = draw(networks())
    start = draw(st.integers(0, len(graph.ops) - 1))
    return graph, start, draw(st.integers(start + 1, len(graph.ops)))


@st.composite
def networks_and_cuts(draw: st.DrawFn) -> tuple[ModelGraph, list[int]]:
    graph = draw(networks())
    n = len(graph.ops)
    cuts = draw(st.sets(st.integers(1, n - 1))) if n > 1 else set()
    return graph, [0, *sorted(cuts), n]


BRUTE = settings(examples(120), deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Unavailable(Exception):
    """An op reads a tensor that its segment does not have."""


def run(graph: ModelGraph, segment: Segment, given_values: Mapping[int, Value]) -> dict[int, Value]:
    """Values of the declared outputs, from those of the declared inputs alone."""
    held = {tensor: given_values[tensor] for tensor in segment.inputs}
    for op in graph.ops[segment.start : segment.stop]:
        result: set[str] = {f"op {op.index}"}
        for position, tensor in enumerate(op.inputs):
            result |= {f"{op.index}.{position}: {tag}" for tag in _read(graph, held, tensor)}
        for number, tensor in enumerate(op.outputs):
            held[tensor] = frozenset({*result, f"output {number}"})
    return {tensor: held[tensor] for tensor in segment.outputs}


def _read(graph: ModelGraph, held: Mapping[int, Value], tensor: int) -> Value:
    if tensor == ABSENT:
        return frozenset({"absent"})
    if tensor in held:
        return held[tensor]
    if graph.tensors[tensor].is_activation and graph.tensors[tensor].bytes:
        raise Unavailable(tensor)
    return frozenset({f"fixed {tensor}"})


def run_all(graph: ModelGraph, segments: Iterable[Segment]) -> dict[int, Value]:
    """Values of the model's outputs; what one segment made is there for those after it."""
    values = {tensor: frozenset({f"input {tensor}"}) for tensor in graph.inputs}
    for segment in segments:
        values |= run(graph, segment, values)
    return {tensor: values[tensor] for tensor in graph.outputs}


def segments_between(graph: ModelGraph, ends: list[int]) -> list[Segment]:
    return [segment_of(graph, start, stop) for start, stop in pairwise(ends)]


def without(segment: Segment, tensor: int) -> Segment:
    return Segment(
        segment.start,
        segment.stop,
        tuple(t for t in segment.inputs if t != tensor),
        tuple(t for t in segment.outputs if t != tensor),
        segment.tensors,
    )


@BRUTE
@given(networks())
def test_drawn_networks_are_wellformed(graph: ModelGraph) -> None:
    check_graph(graph)


@BRUTE
@given(networks_and_cuts())
def test_segments_in_turn_compute_what_the_whole_does(drawn: tuple[ModelGraph, list[int]]) -> None:
    graph, ends = drawn
    assert run_all(graph, segments_between(graph, ends)) == run_all(graph, [whole_model(graph)])


@BRUTE
@given(networks_and_cuts())
def test_no_input_and_no_output_of_a_segment_is_idle(drawn: tuple[ModelGraph, list[int]]) -> None:
    """Each one taken away leaves some op, or the model, without a tensor: for some later cut."""
    graph, ends = drawn
    n = len(graph.ops)
    segments = segments_between(graph, ends)
    if len(segments) == 1:
        return  # the whole model keeps its inputs, read or not
    for number, segment in enumerate(segments):
        rest = segment_of(graph, segment.stop, n) if segment.stop < n else None
        for tensor in segment.inputs:
            values = {t: frozenset({str(t)}) for t in segment.inputs}
            with pytest.raises(Unavailable):
                run(graph, without(segment, tensor), values)
        for tensor in segment.outputs:
            needed = rest is not None and tensor in rest.inputs
            assert needed or tensor in graph.outputs, number


@BRUTE
@given(networks_and_segments())
def test_a_segment_by_the_definition(drawn: tuple[ModelGraph, int, int]) -> None:
    graph, start, stop = drawn
    segment = segment_of(graph, start, stop)
    inside, after = graph.ops[start:stop], graph.ops[stop:]
    made_before = {t for op in graph.ops[:start] for t in op.outputs} | set(graph.inputs)
    read = {t for op in inside for t in op.inputs}
    wanted_later = {t for op in after for t in op.inputs} | set(graph.outputs)
    is_whole = (start, stop) == (0, len(graph.ops))
    assert set(segment.inputs) == (set(graph.inputs) if is_whole else made_before & read)
    assert set(segment.outputs) == {t for op in inside for t in op.outputs} & wanted_later
    named = {t for op in inside for t in (*op.inputs, *op.outputs, *op.intermediates)} - {ABSENT}
    assert segment.tensors == tuple(sorted(named | set(segment.inputs)))


@BRUTE
@given(networks_and_segments())
def test_the_models_own_ends_come_first_and_in_its_order(
    drawn: tuple[ModelGraph, int, int],
) -> None:
    graph, start, stop = drawn
    segment = segment_of(graph, start, stop)
    for mine, whole in ((segment.inputs, graph.inputs), (segment.outputs, graph.outputs)):
        head = [t for t in whole if t in mine]
        assert list(mine[: len(head)]) == head
        assert list(mine[len(head) :]) == sorted(set(mine) - set(head))


@BRUTE
@given(networks_and_segments())
def test_live_ranges_by_following_every_tensor(drawn: tuple[ModelGraph, int, int]) -> None:
    """Alive at a step: it is there by then, and that step or a later one has a use for it."""
    graph, start, stop = drawn
    segment = segment_of(graph, start, stop)
    ops = graph.ops[start:stop]
    got = live_ranges(graph, segment)
    assert list(got) == sorted(got)
    for tensor in segment.tensors:
        if not graph.tensors[tensor].is_activation or not graph.tensors[tensor].bytes:
            assert tensor not in got
            continue
        there = [0] if tensor in segment.inputs else []
        there += [k for k, op in enumerate(ops, start=1) if tensor in op.outputs]
        uses = [k for k, op in enumerate(ops, start=1) if tensor in op.inputs]
        uses += [len(ops)] if tensor in segment.outputs else []
        steps = {
            step
            for step in range(len(ops) + 1)
            if there and step >= there[0] and (step == there[0] or any(u >= step for u in uses))
        }
        assert set(range(got[tensor].start, got[tensor].stop)) == steps


@BRUTE
@given(networks())
def test_live_ranges_of_the_whole_file_name_the_untouched(graph: ModelGraph) -> None:
    got = live_ranges(graph, whole_model(graph))
    touched = {t for op in graph.ops for t in (*op.given_inputs, *op.outputs)}
    for tensor in graph.tensors:
        if not tensor.is_activation or not tensor.bytes:
            assert tensor.index not in got
        elif tensor.index not in touched and tensor.index not in graph.inputs:
            assert got[tensor.index] == LiveRange(0, 0)
        else:
            assert got[tensor.index].start < got[tensor.index].stop


@BRUTE
@given(networks())
def test_boundary_candidates_are_what_crosses_some_cut_and_what_comes_out(
    graph: ModelGraph,
) -> None:
    """Crossing: a segment that ends at the cut makes it, or the model gives it; one after reads."""
    n = len(graph.ops)
    crossing = {
        tensor
        for start in range(n)
        for stop in range(start + 1, n)
        for tensor in segment_of(graph, start, stop).outputs
        if tensor in segment_of(graph, stop, n).inputs
    }
    crossing |= {t for t in graph.inputs if any(t in op.inputs for op in graph.ops)}
    outputs = {t for op in graph.ops for t in op.outputs if t in graph.outputs}
    crossing |= {t for t in outputs if graph.tensors[t].is_activation and graph.tensors[t].bytes}
    candidates = boundary_candidates(graph)
    made = {t: op.index for op in graph.ops for t in op.outputs}
    assert [c.tensor for c in candidates] == sorted(c.tensor for c in candidates)
    assert {c.tensor for c in candidates} == crossing
    for candidate in candidates:
        readers = tuple(op.index for op in graph.ops if candidate.tensor in op.inputs)
        assert (candidate.maker, candidate.readers) == (made.get(candidate.tensor), readers)
        assert candidate.is_output == (candidate.tensor in outputs)


def test_an_empty_constant_is_no_input_of_a_segment() -> None:
    """Its file does not tell it from an activation; as an input, nothing could have fed it."""
    draft = _Draft()
    source = draft.tensor(TensorKind.ACTIVATION, 4)
    axes = draft.tensor(TensorKind.ACTIVATION, 0)
    middle, out = (draft.tensor(TensorKind.ACTIVATION, 4) for _ in range(2))
    draft.ops = [([source, axes], [middle], []), ([middle, axes], [out], [])]
    graph = draft.graph([source], [out], [0, 1, 2, 3])
    check_graph(graph)
    assert segment_of(graph, 0, 1).inputs == (source,)
    assert segment_of(graph, 1, 2).inputs == (middle,)
    assert segment_of(graph, 0, 2).inputs == (source,)
    assert segment_of(graph, 0, 2).tensors == (0, 1, 2, 3)

"""The parts of the correspondence, on arrays and graphs made by hand; needs no onnx."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from builder import Builder

from splitopt.base.errors import ToolError
from splitopt.convert.cut_names import cut_names, fused_away
from splitopt.convert.names.likeness import CEILING_DB, Comparison, Likeness, layout_name
from splitopt.convert.names.match import match
from splitopt.convert.names.onnx_graph import OnnxGraph, OnnxNode, OnnxValue
from splitopt.convert.names.record import Correspondence, Match, OpMatch
from splitopt.convert.names.runs import _run_int8
from splitopt.graph.model import DType, ModelGraph, Op, Tensor, TensorKind

# --- likeness ----------------------------------------------------------------------------------


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def only(table: dict[int, dict[str, Likeness]], tensor: int = 0) -> Likeness:
    [likeness] = table[tensor].values()
    return likeness


@pytest.mark.parametrize(
    ("shape", "axes", "wanted", "layout"),
    [
        ((1, 3, 4, 5), (0, 2, 3, 1), (1, 4, 5, 3), "nhwc"),
        ((1, 3, 4, 5), (0, 1, 2, 3), (1, 3, 4, 5), "same"),
        ((1, 3, 4, 5), (0, 3, 1, 2), (1, 5, 3, 4), "axes 0,3,1,2"),
        ((1, 3, 4, 5), (0, 1, 2, 3), (1, 60), "reshaped"),
        ((1, 3, 4, 5), (0, 2, 3, 1), (1, 60), "nhwc, reshaped"),
        ((1, 3, 7), (0, 2, 1), (1, 7, 3), "nhwc"),
        ((1, 10), (0, 1), (1, 10), "same"),
        ((1, 64, 1, 1), (0, 2, 3, 1), (1, 1, 1, 64), "nhwc"),
    ],
)
def test_the_layout_is_found_by_the_values(
    shape: tuple[int, ...], axes: tuple[int, ...], wanted: tuple[int, ...], layout: str
) -> None:
    values = random(*shape)
    comparison = Comparison({0: 0.0})
    comparison.add({"x": values}, {0: values.transpose(axes).reshape(wanted)})
    assert only(comparison.table()).layout == layout
    assert only(comparison.table()).sqnr_db == CEILING_DB
    assert layout_name(shape, axes, wanted) == layout


def test_noise_is_measured_in_decibels() -> None:
    values = random(1, 50_000)
    noise = random(1, 50_000, seed=1) / 10
    comparison = Comparison({0: 0.0})
    comparison.add({"x": values + 3}, {0: values + noise + 3})
    assert only(comparison.table()).merit_db == pytest.approx(20, abs=0.2)
    assert only(comparison.table()).sqnr_db == pytest.approx(30, abs=0.2)


def test_samples_one_by_one_and_at_once_are_judged_alike() -> None:
    theirs = random(4, 1, 6, 5, 4)
    ours = theirs.transpose(0, 1, 3, 4, 2) + random(4, 1, 5, 4, 6, seed=2)
    by_one, doubled = Comparison({0: 0.1}), Comparison({0: 0.1})
    for sample in range(4):
        by_one.add({"x": theirs[sample]}, {0: ours[sample]})
    for sample in (0, 1, 2, 3, 0, 1, 2, 3):
        doubled.add({"x": theirs[sample]}, {0: ours[sample]})
    error = np.square(theirs.transpose(0, 1, 3, 4, 2) - ours).sum()
    wanted = 10 * np.log10(np.square(theirs).sum() / error)
    assert by_one.table()[0]["x"].layout == "nhwc"
    assert by_one.table()[0]["x"].sqnr_db == pytest.approx(wanted)
    assert doubled.table()[0]["x"].merit_db == pytest.approx(by_one.table()[0]["x"].merit_db)


def test_a_dead_tensor_is_like_a_dead_one_only() -> None:
    comparison = Comparison({0: 0.1})
    comparison.add({"dead": np.zeros((1, 8)), "alive": random(1, 8)}, {0: np.zeros((1, 8))})
    found = comparison.table()[0]
    assert found["dead"].merit_db == CEILING_DB
    assert found["alive"].merit_db < -10


def test_a_constant_tensor_is_like_one_less_than_a_step_away() -> None:
    comparison = Comparison({0: 0.1})
    near, far = np.full((1, 8), 0.52), np.full((1, 8), 0.9)
    comparison.add({"near": near, "far": far}, {0: np.full((1, 8), 0.5)})
    found = comparison.table()[0]
    assert found["near"].merit_db > 0
    assert found["far"].merit_db < -10


def test_other_sizes_and_texts_are_not_compared() -> None:
    comparison = Comparison({0: 0.1})
    comparison.add({"small": random(1, 7), "text": np.array([["a"] * 8])}, {0: random(1, 8)})
    assert comparison.table() == {}


# --- matching, on graphs made by hand ---------------------------------------------------------


def onnx_graph(*nodes: tuple[str, str, str], outputs: tuple[str, ...] = ("out",)) -> OnnxGraph:
    """Nodes as (type, inputs, outputs); inputs in capitals are constants."""
    made = [
        OnnxNode(f"n{at}", type_, tuple(reads.split()), tuple(makes.split()), type_)
        for at, (type_, reads, makes) in enumerate(nodes)
    ]
    return OnnxGraph((OnnxValue("x", (1, 4)),), outputs, tuple(made))


def tflite_graph(*ops: tuple[str, tuple[int, ...], int], relu: tuple[int, ...] = ()) -> ModelGraph:
    """Tensor 0 is the input; ops as (type, inputs, output); `relu`: ops that fuse one."""
    count = 1 + max(output for _, _, output in ops)
    tensors = tuple(
        Tensor(t, f"t{t}", (1, 4), DType("INT8", 8), TensorKind.ACTIVATION, 0) for t in range(count)
    )
    made = tuple(
        Op(at, type_, 1, reads, (output,), {"fusedActivationFunction": int(at in relu)})
        for at, (type_, reads, output) in enumerate(ops)
    )
    return ModelGraph("hand", tensors, made, (0,), (ops[-1][2],), b"")


def found_by_hand(
    onnx: OnnxGraph, graph: ModelGraph, likeness_db: dict[int, dict[str, float]]
) -> Correspondence:
    table = {
        tensor: {name: Likeness(db, db, "same") for name, db in row.items()}
        for tensor, row in likeness_db.items()
    }
    return match(onnx, graph, table)


def test_equal_values_before_and_after_an_idle_relu_are_told_by_the_fused_activation() -> None:
    onnx = onnx_graph(("Conv", "x W", "c"), ("Relu", "c", "r"), ("Conv", "r V", "out"))
    like = {1: {"c": 32.0, "r": 30.0}, 2: {"out": 30.0}}
    fused = tflite_graph(("CONV_2D", (0,), 1), ("CONV_2D", (1,), 2), relu=(0,))
    assert found_by_hand(onnx, fused, like).nodes_of_op(0) == ("n0", "n1")
    separate = tflite_graph(("CONV_2D", (0,), 1), ("RELU", (1,), 2), ("CONV_2D", (2,), 3))
    like = {1: {"c": 30.0, "r": 30.0}, 2: {"c": 30.0, "r": 30.0}, 3: {"out": 30.0}}
    assert found_by_hand(onnx, separate, like).nodes_of_op(1) == ("n1",)


def test_an_idle_normalisation_belongs_to_the_convolution_before_it() -> None:
    onnx = onnx_graph(
        ("Conv", "x W", "c"), ("BatchNormalization", "c S", "b"), ("Add", "b x", "out")
    )
    graph = tflite_graph(("CONV_2D", (0,), 1), ("ADD", (1, 0), 2))
    found = found_by_hand(onnx, graph, {1: {"c": 30.0, "b": 30.0}, 2: {"out": 30.0}})
    assert found.nodes_of_op(0) == ("n0", "n1")
    assert fused_away(found) == {"c": 0}


def test_more_alike_but_out_of_reach_is_no_match() -> None:
    """A value that needs another input than the op reads cannot be what it makes."""
    onnx = onnx_graph(("Conv", "x W", "a"), ("Add", "a x", "wrong"), ("Add", "a K", "out"))
    graph = tflite_graph(("CONV_2D", (0,), 1), ("ADD", (1,), 2))
    found = found_by_hand(onnx, graph, {1: {"a": 30.0}, 2: {"out": 20.0, "wrong": 25.0}})
    assert found.onnx_tensor_of(2) == "out"
    assert found.unmatched_nodes == ("n1",)


def test_more_alike_but_without_need_of_an_input_is_no_match() -> None:
    onnx = onnx_graph(
        ("Conv", "x W", "a"), ("Conv", "x V", "b"), ("Add", "a K", "wrong"), ("Add", "a b", "out")
    )
    graph = tflite_graph(("CONV_2D", (0,), 1), ("CONV_2D", (0,), 2), ("ADD", (1, 2), 3))
    like = {1: {"a": 30.0}, 2: {"b": 30.0}, 3: {"out": 20.0, "wrong": 25.0}}
    assert found_by_hand(onnx, graph, like).onnx_tensor_of(3) == "out"


def test_one_op_is_not_two_convolutions() -> None:
    onnx = onnx_graph(("Conv", "x W", "a"), ("Conv", "a V", "out"))
    found = found_by_hand(onnx, tflite_graph(("CONV_2D", (0,), 1)), {1: {"a": 20.0, "out": 24.0}})
    assert found.nodes_of_op(0) == ("n0",)
    assert found.unmatched_nodes == ("n1",)


def test_a_node_computed_twice_on_both_sides_is_matched_twice() -> None:
    onnx = onnx_graph(
        ("Conv", "x W", "a"), ("Relu", "a", "r"), ("Relu", "a", "twin"), ("Add", "r twin", "out")
    )
    graph = tflite_graph(
        ("CONV_2D", (0,), 1), ("RELU", (1,), 2), ("RELU", (1,), 3), ("ADD", (2, 3), 4)
    )
    both = {"r": 30.0, "twin": 30.0}
    found = found_by_hand(onnx, graph, {1: {"a": 30.0}, 2: both, 3: both, 4: {"out": 30.0}})
    assert [op.onnx_nodes for op in found.ops] == [("n0",), ("n1",), ("n2",), ("n3",)]
    assert [found.onnx_tensor_of(tensor) for tensor in (2, 3)] == ["r", "twin"]


def test_an_op_drowned_in_noise_is_placed_by_structure_and_says_so() -> None:
    onnx = onnx_graph(("Conv", "x W", "a"), ("Relu", "a", "r"), ("MaxPool", "r", "out"))
    graph = tflite_graph(("CONV_2D", (0,), 1), ("MAX_POOL_2D", (1,), 2), relu=(0,))
    found = found_by_hand(onnx, graph, {1: {"a": -4.0, "r": -2.0}, 2: {"out": -3.0}})
    assert found.nodes_of_op(0) == ("n0", "n1")
    assert {match.evidence for match in found.matches} == {"structure"}


def test_steps_of_one_node_have_no_node_of_their_own() -> None:
    onnx = onnx_graph(("Conv", "x W", "a"), ("HardSwish", "a", "out"))
    graph = tflite_graph(
        ("CONV_2D", (0,), 1), ("ADD", (1,), 2), ("RELU6", (2,), 3), ("MUL", (1, 3), 4)
    )
    like = {1: {"a": 30.0, "out": 5.0}, 2: {"a": -5.0}, 4: {"out": 30.0}}
    found = found_by_hand(onnx, graph, like)
    assert found.nodes_of_op(3) == ("n1",)
    assert found.unmatched_ops == (1, 2)
    like[2] = {"out": -5.0}  # which a later tensor holds: a LayerNorm falls apart like this
    assert found_by_hand(onnx, graph, like).nodes_of_op(3) == ("n1",)


def test_a_normalisation_of_several_ops_is_made_by_the_last() -> None:
    """x·s is nearly (x - m)·s; were it taken for that, nothing behind would find its place."""
    onnx = onnx_graph(("LayerNormalization", "x S", "n"), ("Sigmoid", "n", "out"))
    graph = tflite_graph(
        ("RSQRT", (0,), 1), ("MUL", (0, 1), 2), ("MUL", (0, 1), 3), ("ADD", (2, 3), 4),
        ("QUANTIZE", (4,), 5), ("LOGISTIC", (5,), 6),
    )  # fmt: skip
    for nearly in (17.0, 31.0):
        like = {2: {"n": nearly}, 3: {"n": -8.0}, 4: {"n": 39.0}, 5: {"n": 25.0}, 6: {"out": 35.0}}
        found = found_by_hand(onnx, graph, like)
        assert [(op.tflite_op, op.onnx_nodes) for op in found.ops] == [(3, ("n0",)), (5, ("n1",))]
        assert cut_names(graph, found) == {"n": 4, "out": 6}


def test_a_model_with_an_op_that_the_reference_kernels_lack_is_compared(tmp_path: Path) -> None:
    builder = Builder()
    source, made = builder.tensor([1, 1, 1, 4]), builder.tensor([1, 2, 2, 1])
    options = fb.DepthToSpaceOptionsT()
    options.blockSize = 2
    builder.op("DEPTH_TO_SPACE", [source], [made], ("DepthToSpaceOptions", options))
    builder.model.operatorCodes[0].version = 2
    (tmp_path / "m.tflite").write_bytes(builder.bytes([source], [made]))
    feed = np.arange(8, dtype=np.int8).reshape(2, 1, 1, 1, 4)
    found = _run_int8(tmp_path / "m.tflite", [feed], [made], 60.0)
    np.testing.assert_array_equal(found[made], feed.reshape(2, 1, 2, 2, 1))
    builder.model.operatorCodes[0].version = 99
    (tmp_path / "m.tflite").write_bytes(builder.bytes([source], [made]))
    with pytest.raises(ToolError, match="DEPTH_TO_SPACE"):
        _run_int8(tmp_path / "m.tflite", [feed], [made], 60.0)


def test_views_go_to_the_ops_that_rearrange() -> None:
    onnx = onnx_graph(("Conv", "x W", "a"), ("Flatten", "a", "f"), ("Identity", "f", "out"))
    graph = tflite_graph(("CONV_2D", (0,), 1), ("TRANSPOSE", (1,), 2), ("RESHAPE", (2,), 3))
    every = {"a": 30.0, "f": 30.0, "out": 30.0}
    table = {
        tensor: {name: Likeness(db, db, layout(tensor, name)) for name, db in every.items()}
        for tensor in (1, 2, 3)
    }
    found = match(onnx, graph, table)
    assert [op.onnx_nodes for op in found.ops] == [("n0",), ("n1",)]
    assert found.unmatched_ops == (1,)
    assert found.unmatched_nodes == ("n2",)
    holders = {match.onnx_tensor: match.tflite_tensor for match in reversed(found.matches)}
    assert holders == {"a": 1, "f": 3, "out": 3}


def layout(tensor: int, name: str) -> str:
    if name == "a":
        return {1: "nhwc", 2: "same", 3: "reshaped"}[tensor]
    return "same" if tensor == 3 else "reshaped"


# --- data in and out -----------------------------------------------------------------------------


def test_a_correspondence_survives_json() -> None:
    found = Correspondence(
        matches=(Match("a", 3, 31.5, "nhwc"), Match("b", 3, 31.5, "reshaped", "structure")),
        ops=(OpMatch(1, ("n0", "n1"), ("c",)),),
        unmatched_nodes=("n2",),
        unmatched_ops=(0,),
    )
    document = json.loads(json.dumps(found.to_dict()))
    assert Correspondence.from_dict(document) == found
    reasons = {"unmatched_nodes": [["n2", "because"]], "unmatched_ops": [[0, "padding"]]}
    assert Correspondence.from_dict({**document, **reasons}) == found  # of older bundles
    assert found.onnx_tensor_of(3) == "a"
    assert found.nodes_of_op(1) == ("n0", "n1")
    assert found.nodes_of_op(0) == ()
    assert fused_away(found) == {"c": 1}


def test_cuts_are_named_by_the_first_place_where_values_are_alike() -> None:
    matches = (
        Match("a", 1, -1.0, "nhwc", "structure"), Match("a", 2, 30.0, "same"),
        Match("a", 3, 31.0, "same"),
    )  # fmt: skip
    graph = tflite_graph(("CONV_2D", (0,), 1), ("ADD", (1,), 2), ("ADD", (2,), 3))
    assert cut_names(graph, Correspondence(matches, (), (), ())) == {"a": 2}


def test_a_node_in_two_places_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="two places"):
        Correspondence((), (OpMatch(0, ("n",)), OpMatch(1, ("n",))), (), ())

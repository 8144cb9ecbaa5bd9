"""The host's interpreters: right values, and no model or worker that takes this process down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from allocations import AllocationCategory, measure_allocations
from golden_figures import MODELS as MEASURED
from models import diamond
from processes import all_gone

from splitopt.base.errors import ToolError
from splitopt.runtime import worker_process
from splitopt.runtime.host import (
    Stage,
    litert_version,
    run_litert,
    run_tflm_chain,
    tflm_version,
)

FindModel = Callable[[str], Path]
GENEROUS_BYTES = 1 << 20
INPUT_SHAPES = {
    "person_detect_int8": (1, 96, 96, 1),
    "ic_resnet8_int8": (1, 32, 32, 3),
    "resnet8_digits_int8": (1, 32, 32, 3),
}


def int8_samples(shape: tuple[int, ...], samples: int = 3) -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.integers(-128, 128, (samples, *shape), dtype=np.int8)


def op_outputs(path: Path) -> dict[str, int]:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    graph = schema.Model.GetRootAsModel(path.read_bytes(), 0).Subgraphs(0)
    return {f"op {at}": graph.Operators(at).Outputs(0) for at in range(graph.OperatorsLength())}


def stage(path: Path, arena_bytes: int = GENEROUS_BYTES, **keep: int) -> Stage:
    return Stage(path, ("x",), ("y",), arena_bytes, tuple(keep.items()))


@pytest.fixture
def small_model(tmp_path: Path) -> Path:
    """int8 [1, 4] in and out."""
    path = tmp_path / "small.tflite"
    path.write_bytes(diamond())
    return path


@pytest.mark.parametrize("name", INPUT_SHAPES)
def test_tflm_and_litert_agree_on_outputs_and_inner_tensors(
    name: str, shared_model: FindModel
) -> None:
    path, x = shared_model(name), int8_samples(INPUT_SHAPES[name])
    keep = op_outputs(path)
    tflm = run_tflm_chain([stage(path, **keep)], {"x": x})
    litert = run_litert(path, [x], ["y"], keep, repair_bias_axis=True).arrays

    assert tflm.keys() == litert.keys() == {"y", *keep}
    for made in tflm:
        assert tflm[made].dtype == litert[made].dtype == np.int8
        np.testing.assert_array_equal(tflm[made], litert[made], err_msg=made)
    assert len({sample.tobytes() for sample in tflm["op 0"]}) == len(x), "samples share memory"
    np.testing.assert_array_equal(run_tflm_chain([stage(path)], {"x": x})["y"], tflm["y"])


def test_a_chain_hands_arrays_from_stage_to_stage(small_model: Path) -> None:
    path, x = small_model, int8_samples((1, 4), samples=5)
    first, second = stage(path), Stage(path, ("y",), ("z",), GENEROUS_BYTES)
    chain = run_tflm_chain([first, second], {"x": x})

    y = run_tflm_chain([first], {"x": x})["y"]
    z = run_tflm_chain([first], {"x": y})["y"]
    np.testing.assert_array_equal(chain["y"], y)
    np.testing.assert_array_equal(chain["z"], z)
    assert len(np.unique(y)) > 1


def test_an_arena_with_kept_tensors_is_larger(shared_model: FindModel) -> None:
    path = shared_model("person_detect_int8")
    x = {"x": int8_samples(INPUT_SHAPES[path.stem], samples=1)}
    run_tflm_chain([stage(path, 100_000)], x)
    with pytest.raises(ToolError, match="100000 bytes: TFLM failed to allocate tensors"):
        run_tflm_chain([stage(path, 100_000, kept=34)], x)


def test_litert_refuses_a_bias_of_a_false_axis_unless_repaired(shared_model: FindModel) -> None:
    path = shared_model("person_detect_int8")
    x = [int8_samples(INPUT_SHAPES[path.stem], samples=1)]
    with pytest.raises(ToolError, match="quantized_dimension must be in range"):
        run_litert(path, x, ["y"])
    assert run_litert(path, x, ["y"], repair_bias_axis=True).repaired_biases == 14


def test_litert_repairs_nothing_in_a_sound_model(
    own_interpreters: None, shared_model: FindModel
) -> None:
    path = shared_model("resnet8_digits_int8")
    x = [int8_samples(INPUT_SHAPES[path.stem], samples=1)]
    plain, asked = run_litert(path, x, ["y"]), run_litert(path, x, ["y"], repair_bias_axis=True)
    assert plain.repaired_biases == asked.repaired_biases == 0
    np.testing.assert_array_equal(asked.arrays["y"], plain.arrays["y"])


@pytest.mark.parametrize("name", [name for name in MEASURED if "host_head_bytes" in MEASURED[name]])
def test_allocations_match_the_recorded_figures(name: str, shared_model: FindModel) -> None:
    found = measure_allocations(shared_model(name), GENEROUS_BYTES)
    head, tail = (MEASURED[name][f"host_{end}_bytes"] for end in ("head", "tail"))
    assert (found.total_bytes, found.head_bytes, found.tail_bytes) == (head + tail, head, tail)


def test_allocations_name_their_categories(shared_model: FindModel) -> None:
    found = measure_allocations(shared_model("person_detect_int8"), 100_000)
    assert AllocationCategory("TfLiteEvalTensor data", 2136, 2136, 89) in found.categories
    assert AllocationCategory("Persistent buffer data", 24304, 24272, 88) in found.categories
    assert len(found.categories) == 5


@pytest.mark.parametrize(
    ("arena_bytes", "says"),
    [(100, "was killed by SIGSEGV"), (40_000, "TFLM failed to allocate tensors")],
)
def test_a_small_arena_is_an_error_and_leaves_nothing(
    arena_bytes: int,
    says: str,
    shared_model: FindModel,
    started: list[int],
    temporary_folder: Path,
) -> None:
    path = shared_model("resnet8_digits_int8")
    feeds = {"x": int8_samples(INPUT_SHAPES[path.stem], samples=1)}
    with pytest.raises(ToolError, match=f"{path} in TFLM .* {arena_bytes} bytes.*{says}") as caught:
        run_tflm_chain([stage(path, arena_bytes)], feeds)

    assert "(Failed to " in str(caught.value), "TFLM's own last line"
    assert "Failed to " in caught.value.__notes__[0]
    assert len(started) == 1
    assert all_gone(started)
    assert not list(temporary_folder.iterdir())


def test_an_arena_beyond_the_memory_limit_is_named(small_model: Path) -> None:
    feeds = {"x": int8_samples((1, 4))}
    with pytest.raises(ToolError, match="ran out of memory"):
        run_tflm_chain([stage(small_model, 8 << 30)], feeds)


def test_a_truncated_or_mutated_file_is_an_error(shared_model: FindModel, tmp_path: Path) -> None:
    whole = shared_model("resnet8_digits_int8").read_bytes()
    x = int8_samples((1, 32, 32, 3), samples=1)
    broken = tmp_path / "broken.tflite"
    for data in (b"", whole[:50_000], whole[:40] + b"\xff" * 40 + whole[80:]):
        broken.write_bytes(data)
        with pytest.raises(ToolError, match=r"broken\.tflite in TFLM"):
            run_tflm_chain([stage(broken)], {"x": x})
        with pytest.raises(ToolError, match=r"broken\.tflite in LiteRT"):
            run_litert(broken, [x], ["y"])


@pytest.mark.parametrize(
    ("x", "got"),
    [
        (np.zeros((2, 1, 32, 32, 3), np.float32), r"samples of float32\[1, 32, 32, 3\]"),
        (np.zeros((2, 32, 32, 3), np.int8), r"samples of int8\[32, 32, 3\]"),
    ],
)
def test_a_wrong_input_says_what_is_wanted(
    x: np.ndarray, got: str, shared_model: FindModel
) -> None:
    path = shared_model("resnet8_digits_int8")
    says = rf"resnet8_digits.*input 0: got {got}, want int8\[1, 32, 32, 3\]$"
    with pytest.raises(ToolError, match=says):
        run_tflm_chain([stage(path)], {"x": x})
    with pytest.raises(ToolError, match=says):
        run_litert(path, [x], ["y"])


def test_wrong_counts_and_indices_are_errors_not_crashes(small_model: Path) -> None:
    path, x = small_model, int8_samples((1, 4))
    with pytest.raises(ToolError, match=r"got 2 outputs, but the model has 1$"):
        run_tflm_chain([Stage(path, ("x",), ("y", "z"), GENEROUS_BYTES)], {"x": x})
    for index in (-1, 10_000):
        with pytest.raises(ToolError, match=f"no tensor {index} to keep as 'kept'"):
            run_tflm_chain([stage(path, kept=index)], {"x": x})
        with pytest.raises(ToolError, match=f"no tensor {index} to keep as 'kept'"):
            run_litert(path, [x], keep={"kept": index})
    with pytest.raises(AssertionError, match="nothing makes"):
        run_tflm_chain([stage(path)], {"another": x})


def test_versions_are_known() -> None:
    assert tflm_version()
    assert litert_version()


def test_the_worker_never_imports_from_the_working_folder(
    own_interpreters: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_model: Path
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported from the working folder')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker_process.sys, "path", ["", *worker_process.sys.path])
    x = int8_samples((1, 4))
    assert run_tflm_chain([stage(small_model)], {"x": x})["y"].shape == x.shape

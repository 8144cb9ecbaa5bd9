"""The worker that holds ai-edge-quantizer: a float .tflite in, a full-integer int8 one out.

Run as `python -m splitopt.convert.float_worker FOLDER`. The request names the file; array `i` has
the samples [N, 1, ...] of its input i. The reply's array `model` holds the bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from splitopt.base.errors import ToolError
from splitopt.runtime.worker_process import Array, Task, serve

_SIGNATURE = "serving_default"


def handle(task: Task) -> tuple[dict[str, Any], Mapping[str, Array]]:
    path = Path(task.request["file"])
    task.working_on(f"{path} in ai-edge-quantizer")
    feeds = [task.arrays[str(number)] for number in range(len(task.arrays))]
    model = _quantise(_with_signature(path.read_bytes()), feeds)
    return {}, {"model": np.frombuffer(model, np.uint8)}


def _quantise(model: bytes, feeds: Sequence[Array]) -> bytes:
    """Smallest and largest value of each tensor over all samples: the library's own default, a
    moving average, forgets the extremes of all but the last samples."""
    try:
        from ai_edge_quantizer import calibrator, quantizer, recipe, recipe_manager
        from ai_edge_quantizer.utils import qsv_utils
    except ImportError as error:
        raise ToolError(
            f"{error.name} is absent, which float .tflite models need: pip install 'splitopt[onnx]'"
        ) from error
    static = recipe.static_wi8_ai8()
    recipes = recipe_manager.RecipeManager()
    recipes.load_quantization_recipe(static)
    watcher = calibrator.Calibrator(model, num_threads=1, qsv_update_func=qsv_utils.min_max_update)
    watcher.calibrate({_SIGNATURE: list(_samples(feeds))}, recipes)
    result = quantizer.Quantizer(model, static).quantize(
        watcher.get_model_qsvs(), enable_progress_report=False
    )
    return bytes(result.quantized_model)


def _samples(feeds: Sequence[Array]) -> Iterator[dict[str, Array]]:
    for number in range(len(feeds[0])):
        yield {f"input_{at}": feed[number] for at, feed in enumerate(feeds)}


def _with_signature(model: bytes) -> bytes:
    """The model with one signature, `input_i` and `output_i`: the calibrator goes by names, and
    most files have none or several."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as fb

    whole = fb.ModelT.InitFromObj(fb.Model.GetRootAsModel(model, 0))
    graph = whole.subgraphs[0]
    signature = fb.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = _SIGNATURE, 0
    signature.inputs = _entries(fb, "input", graph.inputs)
    signature.outputs = _entries(fb, "output", graph.outputs)
    whole.signatureDefs = [signature]
    builder = flatbuffers.Builder(len(model))
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _entries(fb: Any, stem: str, tensors: Sequence[int]) -> list[Any]:
    made = []
    for number, tensor in enumerate(tensors):
        entry = fb.TensorMapT()
        entry.name, entry.tensorIndex = f"{stem}_{number}", int(tensor)
        made.append(entry)
    return made


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), handle))

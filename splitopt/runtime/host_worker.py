"""The worker process that runs the interpreters: TFLM from the tflite-micro wheel, and LiteRT.

Run as `python -m splitopt.runtime.host_worker FOLDER`. Only the interpreter that a request asks
for is imported. Every array has a leading sample axis, which the model does not see.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from splitopt.base.errors import ToolError
from splitopt.runtime.host_checks import check_count, check_indices, check_input
from splitopt.runtime.host_region import Region, Shape, region_of
from splitopt.runtime.worker_process import Array, Task, serve

Arrays = Mapping[str, Array]
Made = tuple[dict[str, Any], Mapping[str, Array]]


def handle(task: Task) -> Made:
    """The reply: figures, and arrays by name."""
    run = {
        "tflm": _run_tflm_chain,
        "refusal": _refusal_of_tflm,
        "litert": _run_litert,
        "litert_ops": _run_litert_ops,
    }
    return run[task.request["kind"]](task)


def _refusal_of_tflm(task: Task) -> Made:
    """One AllocateTensors, and one Invoke on zeros; on ones where that fails."""
    path, arena_bytes = task.request["file"], task.request["arena_bytes"]
    task.working_on(tflm_subject(path, arena_bytes))
    refusal = None
    for value in (0, 1):
        try:
            interpreter, counts = make_tflm(path, arena_bytes, preserve=False)
            for position in range(counts["inputs"]):
                _fill_input(interpreter, position, value)
            with _refusals_explained():
                interpreter.invoke()
        except ToolError as error:
            refusal = refusal or "; ".join(task.said() or [str(error)])
        else:
            return {"refusal": None}, {}
    return {"refusal": refusal}, {}


def _fill_input(interpreter: Any, position: int, value: int) -> None:
    """Inputs of a type that numpy does not have keep what is in the arena."""
    detail = interpreter.get_input_details(position)
    with suppress(ValueError):
        interpreter.set_input(np.full(detail["shape"], value, detail["dtype"]), position)


def _run_tflm_chain(task: Task) -> Made:
    """Feeds and all that the stages make share one set of names.

    Stage by stage over all samples, not sample by sample: what a stage keeps from one sample for
    the next is its own, so the values are the same, and only one arena exists at a time.
    """
    made: dict[str, Array] = {}
    region: Region | None = None
    for stage in task.request["stages"]:
        task.working_on(tflm_subject(stage["file"], stage["arena_bytes"]))
        feeds = [made[name] if name in made else task.arrays[name] for name in stage["inputs"]]
        region, is_new = region_of(stage, region, len(feeds[0]))
        ends = zip(stage["inputs"], feeds, strict=True)
        if is_new:
            feeds = [region.put(name, feed) for name, feed in ends]
        else:
            feeds = [region.end(name, feed.shape[1:], feed.dtype) for name, feed in ends]
        if stage["stream"] is not None:
            made.update(_run_tflm_stream(task, stage, feeds, region))
        else:
            made.update(_run_tflm_stage(stage, feeds, made, region))
    return {}, made


def _run_tflm_stream(
    task: Task, stage: Mapping[str, Any], feeds: Sequence[Array], region: Region
) -> dict[str, Array]:
    """All groups' interpreters live as long as the stream runs."""
    from splitopt.runtime.host_stream import run_stream
    from splitopt.tiling.streams.plain import stream_from_plain

    stream = stream_from_plain(stage["stream"]["stream"])
    interpreters = []
    for path, group in zip(stage["stream"]["files"], stream.groups, strict=True):
        task.working_on(tflm_subject(path, stage["arena_bytes"]))
        interpreter, counts = make_tflm(path, stage["arena_bytes"], preserve=False)
        check_count("inputs", len(group.views), counts["inputs"])
        check_count("outputs", len(group.outputs), counts["outputs"])
        interpreters.append(interpreter)
    task.working_on(f"the stream of {stage['file']} in TFLM")
    names = dict(zip(stream.outputs, stage["outputs"], strict=True))

    def end(tensor: int, shape: Shape, dtype: np.dtype[Any]) -> Array:
        return region.end(names[tensor], shape, dtype)

    made = run_stream(stream, interpreters, feeds, end)
    return dict(zip(stage["outputs"], made, strict=True))


def _run_tflm_stage(
    stage: Mapping[str, Any], feeds: Sequence[Array], made: Arrays, region: Region
) -> dict[str, Array]:
    """`made`: by earlier stages; a stage that runs in bands may add rows to these tensors."""
    keep: Mapping[str, int] = stage["keep"]
    outputs: Sequence[str] = stage["outputs"]
    interpreter, counts = make_tflm(stage["file"], stage["arena_bytes"], preserve=bool(keep))
    check_count("inputs", len(feeds), counts["inputs"])
    check_count("outputs", len(outputs), counts["outputs"])
    check_indices(keep, counts["tensors"])
    if stage["bands"] is not None:
        return _in_bands(interpreter, stage, feeds, made, region)
    for position, feed in enumerate(feeds):
        check_input(position, feed, interpreter.get_input_details(position))

    def infer(sample: int) -> dict[str, Array]:
        for position, feed in enumerate(feeds):
            interpreter.set_input(feed[sample], position)
        interpreter.invoke()
        made = {name: interpreter.get_output(at) for at, name in enumerate(outputs)}
        kept = {name: interpreter.GetTensor(at, 0)["tensor_data"] for name, at in keep.items()}
        return made | kept

    return _over_samples(infer, len(feeds[0]))


def _in_bands(
    interpreter: Any,
    stage: Mapping[str, Any],
    feeds: Sequence[Array],
    made: Arrays,
    region: Region,
) -> dict[str, Array]:
    """Runs each execution on its rows of the inputs, and joins the rows that it makes."""
    bands: Mapping[str, Any] = stage["bands"]
    whole: dict[str, Array] = {name: made[name] for name in stage["outputs"] if name in made}
    for execution in bands["executions"]:
        parts = [
            feed[:, :, row : row + rows]
            for feed, (row, rows) in zip(feeds, execution["inputs"], strict=True)
        ]
        for position, part in enumerate(parts):
            check_input(position, part, interpreter.get_input_details(position))
        for sample in range(len(feeds[0])):
            for position, part in enumerate(parts):
                interpreter.set_input(np.ascontiguousarray(part[sample]), position)
            interpreter.invoke()
            ends = zip(stage["outputs"], bands["output_rows"], execution["outputs"], strict=True)
            for at, (name, total, (from_row, row, rows)) in enumerate(ends):
                band = interpreter.get_output(at)
                if name not in whole:
                    shape = (band.shape[0], total, *band.shape[2:])
                    whole[name] = region.end(name, shape, band.dtype)
                whole[name][sample][:, row : row + rows] = band[:, from_row : from_row + rows]
    return whole


def make_tflm(path: str, arena_bytes: int, *, preserve: bool) -> tuple[Any, dict[str, int]]:
    """A fresh interpreter, and how many inputs, outputs and tensors its model has.

    `preserve`: no tensor's memory is used again, so that all can be read after `invoke`.
    """
    from tflite_micro.python.tflite_micro import runtime

    configs = runtime.InterpreterConfig
    config = configs.kPreserveAllTensors if preserve else configs.kAllocationRecording
    data = Path(path).read_bytes()
    with _refusals_explained():
        counts = _counts(runtime.schema_fb, data)
        interpreter = runtime.Interpreter.from_bytes(
            data, arena_size=arena_bytes, intrepreter_config=config
        )
    return interpreter, counts


def tflm_subject(path: str, arena_bytes: int) -> str:
    """What an error message names."""
    return f"{path} in TFLM with an arena of {arena_bytes} bytes"


def _counts(schema: Any, data: bytes) -> dict[str, int]:
    """Taken from the file: the interpreters check no index, and one too high crashes them."""
    graph = schema.Model.GetRootAsModel(data, 0).Subgraphs(0)
    return {
        "inputs": graph.InputsLength(),
        "outputs": graph.OutputsLength(),
        "tensors": graph.TensorsLength(),
    }


def _run_litert(task: Task) -> Made:
    from ai_edge_litert import schema_py_generated as schema

    job = task.request
    task.working_on(f"{job['file']} in LiteRT")
    data, repaired = Path(job["file"]).read_bytes(), 0
    with _refusals_explained():
        counts = _counts(schema, data)
        if job["repair_bias_axis"]:
            data, repaired = _with_bias_axes_repaired(schema, data)
    made = _run_litert_model(job, data, counts, [task.arrays[name] for name in job["inputs"]])
    return {"repaired_biases": repaired}, made


def _run_litert_ops(task: Task) -> Made:
    """Each op by itself; one that LiteRT refuses does not stop the others."""
    from ai_edge_litert import schema_py_generated as schema

    made: dict[str, Array] = {}
    refused: dict[str, str] = {}
    repaired_biases = 0
    for k, op in enumerate(task.request["ops"]):
        task.working_on(f"{op['name']} in LiteRT")
        data, repaired = _with_bias_axes_repaired(schema, task.arrays[f"op {k}"].tobytes())
        repaired_biases += repaired
        feeds = [task.arrays[name] for name in op["inputs"]]
        try:
            with _refusals_explained():
                counts = _counts(schema, data)
                made.update(_run_litert_model({**op, "keep": {}}, data, counts, feeds))
        except ToolError as error:
            refused[op["name"]] = str(error)
    return {"refused": refused, "repaired_biases": repaired_biases}, made


def _run_litert_model(
    job: Mapping[str, Any], data: bytes, counts: Mapping[str, int], feeds: Sequence[Array]
) -> dict[str, Array]:
    interpreter = _make_litert(data, is_optimised=job.get("is_optimised", False))
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    wanted = dict(job["keep"])
    check_count("inputs", len(feeds), len(inputs))
    check_indices(wanted, counts["tensors"])
    if job["outputs"]:
        check_count("outputs", len(job["outputs"]), len(outputs))
        indices = [detail["index"] for detail in outputs]
        wanted.update(zip(job["outputs"], indices, strict=True))
    for position, (feed, detail) in enumerate(zip(feeds, inputs, strict=True)):
        check_input(position, feed, detail)

    def infer(sample: int) -> dict[str, Array]:
        for feed, detail in zip(feeds, inputs, strict=True):
            interpreter.set_tensor(detail["index"], feed[sample])
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for name, index in wanted.items()}

    return _over_samples(infer, len(feeds[0]) if feeds else 1)


def _make_litert(data: bytes, *, is_optimised: bool = False) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with _refusals_explained():
        interpreter = Interpreter(
            model_content=data,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            if is_optimised
            else OpResolverType.BUILTIN_REF,
            num_threads=1,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    return interpreter


def _with_bias_axes_repaired(schema: Any, data: bytes) -> tuple[bytes, int]:
    """The same bytes, but with axis 0 wherever a tensor of one axis claims to be quantised
    along another; and the number of these tensors.

    Old converters gave a bias the axis of its weights (tensorflow/tflite-micro #2286). Kernels
    read a bias's scales and never its axis, but LiteRT refuses such a file.
    """
    quantized_dimension_field = 16
    repaired, changed = bytearray(data), 0
    graph = schema.Model.GetRootAsModel(repaired, 0).Subgraphs(0)
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        quantization = tensor.Quantization()
        if tensor.ShapeLength() == 1 and quantization and quantization.QuantizedDimension() > 0:
            table = quantization._tab
            struct.pack_into("<i", repaired, table.Pos + table.Offset(quantized_dimension_field), 0)
            changed += 1
    return bytes(repaired), changed


@contextmanager
def _refusals_explained() -> Iterator[None]:
    """RuntimeError is the interpreter's own message; others come from reading broken bytes."""
    try:
        yield
    except (MemoryError, ImportError):
        raise
    except RuntimeError as error:
        raise ToolError(str(error)) from error
    except Exception as error:
        raise ToolError(f"cannot read it as a model: {type(error).__name__}: {error}") from error


def _over_samples(infer: Callable[[int], dict[str, Array]], samples: int) -> dict[str, Array]:
    results = [infer(sample) for sample in range(samples)]
    return {name: np.stack([result[name] for result in results]) for name in results[0]}


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), handle))

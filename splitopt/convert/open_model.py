"""The int8 model that a job plans on: a .tflite as it is, or one made from ONNX or float."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from splitopt.arena.supported import refuse_unsupported
from splitopt.base.errors import UsageError
from splitopt.base.progress import Progress
from splitopt.config.job import Job
from splitopt.convert.cache import default_folder, keep_model
from splitopt.convert.names.record import Correspondence
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite

if TYPE_CHECKING:  # an int8 .tflite loads nothing of what converts
    from splitopt.convert.convert import Conversion, ConversionRequest
    from splitopt.convert.integer_io import IntegerIo


@dataclass(frozen=True)
class ModelSource:
    """A graph, the file it was read from, and the conversion that made it, if one did.

    `io`: how its ends became integers, where the job asks for it; `given`: the file of the model
    that they were taken from.
    """

    graph: ModelGraph
    path: Path
    conversion: Conversion | None = None
    request: ConversionRequest | None = None
    io: IntegerIo | None = None
    given: Path | None = None

    @property
    def names(self) -> Correspondence | None:
        """What became what, where the model was converted and that could be told."""
        return None if self.conversion is None else self.conversion.correspondence


def open_model(job: Job, progress: Progress = lambda _: None) -> ModelSource:
    """A model with calibration data is converted (ONNX) or quantised (float .tflite) first.

    Of a model with several signatures, `model.signature` chooses one, as a file of its own.
    With `model.io: int8`, float inputs and outputs then become the integers behind them.
    Raises SplitoptError: UsageError for missing calibration, ModelError for a broken model or one
    that TFLM does not run on the job's board.
    """
    source = _with_ends(job, _opened(job, progress))
    made = " converted" if source.conversion is not None else ""
    refuse_unsupported(source.graph, job.board.abi, f"{job.model_path}{made}")
    return source


def _with_ends(job: Job, source: ModelSource) -> ModelSource:
    """The model with the inputs and outputs that `model.io` asks for."""
    if job.spec.model.io == "as_is":
        return source
    from splitopt.convert.integer_io import with_integer_io

    io = with_integer_io(source.graph)
    if not io.changed:
        return replace(source, io=io)
    assert source.conversion is None, "conversions have integer ends, and names for every op"
    path = keep_model(_cache_of(job), io.graph.source)
    return replace(source, graph=io.graph, path=path, io=io, given=source.path)


def _opened(job: Job, progress: Progress) -> ModelSource:
    signature = job.spec.model.signature
    if job.spec.input_shapes and job.model_path.suffix != ".onnx":
        raise UsageError(
            f"{job.file}: $.input_shapes: want it with an ONNX model only; a .tflite has its shapes"
        )
    if job.model_path.suffix == ".onnx" or job.spec.calibration is not None:
        if signature is not None:
            raise UsageError(
                f"{job.file}: $.model.signature: want it with an int8 .tflite only; export the one "
                "signature before it is converted"
            )
        from splitopt.convert.conversion_request import conversion_request
        from splitopt.convert.convert import convert_model

        request = conversion_request(job, _cache_of(job))
        conversion = convert_model(request, progress)
        return ModelSource(read_tflite(conversion.model), conversion.model, conversion, request)
    progress("reading the model")
    graph = read_tflite(job.model_path, signature)
    path = keep_model(_cache_of(job), graph.source) if graph.is_part else job.model_path
    return ModelSource(graph, path)


def as_taken(job: Job, source: ModelSource) -> Job:
    """The job with the layout that its samples were taken for."""
    if source.conversion is None:
        return job
    layout = source.conversion.record["preprocess"]["layout"]
    if layout == job.spec.preprocess.layout:
        return job
    preprocess = job.spec.preprocess.model_copy(update={"layout": layout})
    return replace(job, spec=job.spec.model_copy(update={"preprocess": preprocess}))


def _cache_of(job: Job) -> Path:
    named = job.spec.convert.cache
    return job.file.parent / named if named else default_folder()

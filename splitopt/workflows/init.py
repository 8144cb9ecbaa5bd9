"""splitopt init: a commented job file for a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from splitopt.base.errors import SplitoptError, ToolError, UsageError
from splitopt.base.files import write_new_files
from splitopt.config.given import Given
from splitopt.config.job import is_model, read_job
from splitopt.config.job_text import first_job_text
from splitopt.convert.calibration import Preprocess, data_shape, is_nchw_only, nhwc_shape
from splitopt.convert.model_samples import DataFiles, InputData, sizes_of_samples
from splitopt.convert.source import OpenAxesError, read_onnx


def init(
    model: str | Path, given: Given, *, out: str | Path | None = None, force: bool = False
) -> Path:
    """Writes the job to `out`, by default `<model>.yaml` in the working folder, and reads it.

    Raises UsageError for a file that is no model, one that exists and is not to be overwritten
    (`force`), and options that make no job; ToolError where nothing can be written.
    """
    model = Path(model)
    if not is_model(model) or not model.is_file():
        raise UsageError(f"{model}: want a .tflite or .onnx model that exists")
    file = Path(f"{model.stem}.yaml") if out is None else Path(out)
    if file.exists() and not force:
        raise UsageError(f"{file}: already exists; pass --force to overwrite it, or another --out")
    text = first_job_text(model, file, given, *_asked_of_samples(model, given))
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise ToolError(f"{file}: cannot be written ({error.strerror})") from error
    write_new_files(file.parent, {file.name: text})
    read_job(file)
    return file


def _asked_of_samples(
    model: Path, given: Given
) -> tuple[Mapping[str, Sequence[int | str]], str | None]:
    """Shapes of an ONNX model's inputs with open axes, as given or as the samples have them, words
    for what is not known; the layout of the samples, where it must be said.

    What cannot be read is left to the run, which says why.
    """
    if model.suffix.lower() != ".onnx":
        return {}, None
    keys = given.over({})
    shapes: dict[str, Sequence[int | str]] = dict(keys.get("input_shapes", {}))
    named = keys.get("calibration")
    files = None
    if named is not None:
        one = InputData(named.get("key"), None, Preprocess())
        files = DataFiles(Path(named["path"]), one, None, {}, "--calibration", is_onnx=True)
    try:
        found = [value.shape for value in read_onnx(model, keys.get("input_shapes")).inputs]
    except OpenAxesError as error:
        sizes = {} if files is None else sizes_of_samples(files, error.inputs)
        shapes |= {**error.inputs, **sizes}
        found = [*sizes.values()] if len(sizes) == len(error.inputs) else []
    except SplitoptError:
        return shapes, None
    if files is None or len(found) != 1:
        return shapes, None
    try:
        lies = data_shape(files.path, files.one.key, files.where)
    except UsageError:
        return shapes, None
    return shapes, "nchw" if is_nchw_only(lies, nhwc_shape(found[0])[1:]) else None

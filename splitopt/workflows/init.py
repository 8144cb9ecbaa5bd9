"""splitopt init: a commented job file for a model."""

from __future__ import annotations

from pathlib import Path

from splitopt.base.errors import ToolError, UsageError
from splitopt.base.files import write_new_files
from splitopt.config.given import Given
from splitopt.config.job import is_model, read_job
from splitopt.config.job_text import first_job_text


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
    text = first_job_text(model, file, given)
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise ToolError(f"{file}: cannot be written ({error.strerror})") from error
    write_new_files(file.parent, {file.name: text})
    read_job(file)
    return file

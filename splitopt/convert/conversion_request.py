"""The conversion that a job asks for: of what, and with which samples."""

from __future__ import annotations

from pathlib import Path

from splitopt.base.errors import UsageError
from splitopt.config.conversion import PreprocessSpec
from splitopt.config.job import Job, is_model
from splitopt.config.own import own_config
from splitopt.convert.calibration import Preprocess
from splitopt.convert.convert import ConversionRequest
from splitopt.convert.model_samples import InputData
from splitopt.convert.onnx2tf_adapter import DEFAULT_COMMAND


def conversion_request(job: Job, cache: Path) -> ConversionRequest:
    """Raises UsageError for missing calibration."""
    spec, home = job.spec, job.file.parent
    if spec.calibration is None:
        option, line = "--calibration data.npz:key", "calibration: {path: data.npz, key: key}"
        is_bare = is_model(job.file)
        raise UsageError(
            f"{job.file}: {'' if is_bare else '$.calibration: missing; '}an .onnx model is "
            "quantised with samples of its input: "
            + (f"{option}, or in a job {line}" if is_bare else f"{line}, or {option}")
        )
    given, preprocess = spec.calibration, spec.preprocess
    return ConversionRequest(
        onnx=job.model_path,
        data=home / given.path,
        key=given.key,
        test_key=given.test,
        label_key=given.label,
        preprocess=_preprocess(preprocess),
        command=spec.convert.command or own_config().tools.onnx2tf or DEFAULT_COMMAND,
        time_limit_s=spec.convert.time_limit_s,
        cache=cache,
        where="--calibration" if is_model(job.file) else f"{job.file}: $.calibration",
        input_shapes=spec.input_shapes,
        inputs={
            name: InputData(own.key, own.test, _preprocess(own.preprocess or preprocess))
            for name, own in given.inputs.items()
        },
    )


def _preprocess(spec: PreprocessSpec) -> Preprocess:
    return Preprocess(spec.mean, spec.std, spec.layout)

"""A job as a file: the one that a bundle keeps, and a commented one to start from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from splitopt.base.text import one_line
from splitopt.base.yaml_input import yaml_text, yaml_word
from splitopt.config.board import PACKAGED, find_board
from splitopt.config.given import Given
from splitopt.config.job import Job
from splitopt.config.size import size_of

DEFAULT_BOARD = "corstone300_256k"


def job_text(job: Job) -> str:
    """The job as YAML that can be run from any folder: its paths are absolute, defaults are left
    out."""
    keys: dict[str, Any] = job.spec.model_dump(mode="json", exclude_unset=True)
    home = job.file.parent
    keys["model"]["path"] = _absolute(home, keys["model"]["path"])
    for key, name in (("calibration", "path"), ("verify", "data"), ("convert", "cache")):
        if isinstance(named := (keys.get(key) or {}).get(name), str):
            keys[key][name] = _absolute(home, named)
    if isinstance(keys.get("cost_table"), str):
        keys["cost_table"] = _absolute(home, keys["cost_table"])
    keys["board"] = _board(job)
    if job.target is not None and "target" in keys:
        keys["target"] = job.target.model_dump(mode="json", exclude_defaults=True)
    left = {key: value for key, value in keys.items() if value is not None}
    return f"# {job.name}, as it was run. Again: splitopt run job.yaml\n{yaml_text(left)}"


def _absolute(home: Path, path: str) -> str:
    return os.path.normpath((home / path).absolute())


def _board(job: Job) -> Any:
    """The name of a board that comes with splitopt; the file of another; else its keys."""
    named = job.spec.board
    if not isinstance(named, str):
        return named.model_dump(mode="json", exclude_defaults=True)
    file = find_board(named, job.file.parent)
    is_packaged = file.resolve().parent == (PACKAGED / "boards").resolve()
    return named if is_packaged else str(file.absolute())


def first_job_text(
    model: Path,
    file: Path,
    given: Given,
    shapes: Mapping[str, Sequence[int | str]],
    layout: str | None,
) -> str:
    """A job for a model, to be written to `file`: every key that a first run may want, with what it
    means. `shapes`: of an ONNX model's inputs that have open axes, words for what is not known.
    `layout`: of the samples, where it must be said. Raises UsageError."""
    home = file.absolute().parent

    def quoted(path: Path) -> str:
        return yaml_word(os.path.relpath(path.absolute(), home))

    budget = "# budget_bytes: 240K"
    if given.budget is not None:
        budget = f"budget_bytes: {size_of(given.budget, '--budget')}"
    samples = given.over({}).get("calibration")
    calibration = "# calibration: {path: data.npz, key: images}"
    if samples is not None:
        key = f", key: {yaml_word(samples['key'])}" if "key" in samples else ""
        calibration = f"calibration: {{path: {quoted(Path(samples['path']))}{key}}}"
    board = given.board or DEFAULT_BOARD
    is_onnx = model.suffix.lower() == ".onnx"
    is_file = board.endswith((".yaml", ".yml"))
    return _FIRST.format(
        name=file.name,
        model=quoted(model),
        board=quoted(Path(board)) if is_file else board,
        assumed="" if given.board else "assumed; ",
        budget=budget,
        objective=given.objective or "balanced",
        calibration=calibration,
        needed="; this one needs them" if is_onnx and samples is None else "",
        preprocess=f"preprocess: {{layout: {layout}}}" if layout else _PREPROCESS,
        shapes=_shapes_line(shapes),
    )


def _shapes_line(shapes: Mapping[str, Sequence[int | str]]) -> str:
    if not shapes:
        return ""
    line = ", ".join(
        f"{yaml_word(name)}: [{', '.join(map(str, axes))}]" for name, axes in shapes.items()
    )
    words = dict.fromkeys(a for axes in shapes.values() for a in axes if isinstance(a, str))
    said = f"input_shapes: {{{line}}}"
    if words:
        said = one_line(f"# {said}    # needed, with numbers for {', '.join(words)}")
    return f"\n# Sizes of inputs whose axes the model leaves open, batch first.\n{said}\n"


_PREPROCESS = "# preprocess: {mean: [0.5], std: [0.5], layout: nhwc}"


_FIRST = """\
# yaml-language-server: $schema=job.schema.json
# The line above completes and checks keys in editors: splitopt schema job > job.schema.json
# Run it with: splitopt run {name}
# Paths are relative to this file. Lines that begin with "# key:" show what else there is.

model: {{path: {model}}}
board: {board}    # {assumed}a name of `splitopt boards`, or the path of a board's file

# RAM for arena and boundary tensors: 245760, 240K or 240KiB. Default: what the board has free.
{budget}

# balanced: peak RAM and added time, each as a share of the unsplit model's
# fit: the least added time within the budget, no cut where the model fits
# smallest: the least peak RAM, then the least added time
objective: {{minimise: {objective}}}

# Samples of the model's input, which an ONNX or float model is quantised with{needed}.
{calibration}
{preprocess}
{shapes}
# Most pieces; false switches a technique off.
# pieces: {{max: 8, bands: true, streams: true}}

# Seconds for planning.
# solve: {{time_limit_s: 60}}

# Random inputs that pieces and model are compared on, and inputs of your own.
# verify: {{inputs: 8, data: samples.npz, key: images}}

# Where pieces run besides this machine: qemu or fvp, with a TFLM of yours.
# target: host

# Folder for results, relative to the working folder.
# out: results
"""

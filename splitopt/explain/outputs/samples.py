"""The samples that a diagnosis runs: the user's as they are fed in use, or the best there are.

Given by the caller, else the job's verify.data, else what the conversion held out, else random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path

import numpy as np

from splitopt.base.errors import SplitoptError, UsageError
from splitopt.base.text import printable
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.schema.outputs import Finding, Severity
from splitopt.convert.calibration import Preprocess, load_samples
from splitopt.explain.outputs.array_compare import percent, share, sound, stored
from splitopt.graph.model import Tensor
from splitopt.runtime.arrays import Array, load_array, numpy_dtype, random_inputs

MOST_RUN = 16
_MOST_BYTES = 1 << 28
_RANDOM_SEED = 0


@dataclass(frozen=True)
class DataFile:
    """An .npy, or an .npz with a key, that holds the input as it is fed in use."""

    path: Path
    key: str | None = None


def data_file(path: Path | None, key: str | None) -> DataFile | None:
    """What the caller named, if anything. Raises UsageError for a key of nothing."""
    if path is None and key is not None:
        raise UsageError("--key: give --data as well")
    return None if path is None else DataFile(path, key)


@dataclass(frozen=True)
class Samples:
    """The inputs that an explanation runs.

    `feeds`: per model input [N, *shape] as the whole model stores it, N of `total` samples.
    `values`: all samples of a single input as real values, before quantisation; None where they
    were random, or given as integers.
    """

    source: str
    total: int
    feeds: tuple[Array, ...]
    values: Array | None = None
    is_random: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def count(self) -> int:
        return len(self.feeds[0])


def choose_samples(bundle: OpenBundle, data: DataFile | None) -> Samples:
    """The samples to run: those of `data`, else the job's own, else random ones; their source says
    which.

    Raises UsageError for `data` that cannot be used; other sources are skipped with a note.
    """
    if data is not None:
        return _given(bundle, data, "--data")
    notes: list[str] = []
    for attempt in (_verify_data, _held_out):
        try:
            found = attempt(bundle)
        except SplitoptError as error:
            notes.append(str(error))
            continue
        if found is not None:
            return replace(found, source="; ".join([found.source, *notes]))
    count = _affordable(bundle, MOST_RUN)
    feeds = random_inputs(bundle.graph, count, _RANDOM_SEED)
    source = f"random inputs, seed {_RANDOM_SEED} (give --data to judge real ones)"
    source = "; ".join([source, *notes])
    return Samples(source, count, tuple(feeds), is_random=True, findings=_absent(notes))


def _absent(notes: Sequence[str]) -> tuple[Finding, ...]:
    """The job names data, and they could not be had: random ones show less."""
    if not notes:
        return ()
    return (
        Finding(
            code="data_not_found",
            severity=Severity.WARNING,
            title="the job's own data could not be read; random inputs were run instead",
            where="model input",
            evidence=tuple(notes),
            next_step="give them with --data FILE (and --key for an .npz), or put them back",
        ),
    )


def _verify_data(bundle: OpenBundle) -> Samples | None:
    verify = bundle.plan.job.settings.verify
    if verify.data is None:
        return None
    home = Path(bundle.plan.job.path).parent
    return _given(bundle, DataFile(home / verify.data, verify.key), "the job's verify.data")


def _held_out(bundle: OpenBundle) -> Samples | None:
    """What the conversion was checked on, prepared as the job says."""
    settings, plan = bundle.plan.job.settings, bundle.plan
    given = settings.calibration
    if given is None or plan.conversion is None or len(bundle.graph.inputs) != 1:
        return None
    preprocess = plan.conversion.preprocess  # with the layout that the data were taken for
    tensor = bundle.graph.tensors[bundle.graph.inputs[0]]
    samples = load_samples(
        Path(plan.job.path).parent / given.path,
        given.key,
        given.test,
        None,
        Preprocess(preprocess.mean, preprocess.std, preprocess.layout),
        tensor.shape,
        "the job's calibration",
        channels_first=False,
    )
    held = samples.held_out
    source = f"samples of {Path(given.path).name} that were held out from calibration, preprocessed"
    return _of_values(bundle, held.reshape(len(held), *tensor.shape), source, ())


def _given(bundle: OpenBundle, file: DataFile, where: str) -> Samples:
    graph = bundle.graph
    if len(graph.inputs) != 1:
        raise UsageError(
            f"{where}: data feed models of one input; this has {len(graph.inputs)}; leave it out "
            "to run random inputs"
        )
    tensor = graph.tensors[graph.inputs[0]]
    data = load_array(file.path, file.key, where)
    if not np.issubdtype(data.dtype, np.number) or np.iscomplexobj(data):
        raise UsageError(f"{where}: {file.path} holds {data.dtype}, want numbers")
    shaped, findings = _shaped(data, tensor, f"{where}: {file.path}")
    source = f"{printable(file.path.name)}{f' {printable(file.key)!r}' if file.key else ''}"
    if np.issubdtype(data.dtype, np.floating):
        if not np.isfinite(shaped).all():
            raise UsageError(f"{where}: {file.path} holds values that are not finite")
        return _of_values(bundle, shaped, source, findings)
    integers, more = _as_fed(shaped, tensor, f"{where}: {file.path}")
    chosen = integers[_spread(len(integers), _affordable(bundle, len(integers)))]
    return Samples(source, len(integers), (chosen,), findings=(*findings, *more))


def _of_values(
    bundle: OpenBundle, values: Array, source: str, findings: tuple[Finding, ...]
) -> Samples:
    tensor = bundle.graph.tensors[bundle.graph.inputs[0]]
    if not sound(tensor):
        raise UsageError(f"the model's input {printable(tensor.name)!r} has no scale above 0")
    if tensor.quantization is None and np.issubdtype(numpy_dtype(tensor), np.integer):
        raise UsageError(f"float samples for a {tensor.dtype.name} input that has no scale")
    chosen = values[_spread(len(values), _affordable(bundle, len(values)))]
    return Samples(source, len(values), (stored(chosen, tensor),), values, findings=findings)


def _affordable(bundle: OpenBundle, count: int) -> int:
    """How many samples are run: few, and fewer where tensors between pieces are large."""
    each = sum(bundle.graph.tensors[t].bytes for t in bundle.handed_over)
    return max(2, min(count, MOST_RUN, _MOST_BYTES // max(1, each)))


def _spread(total: int, count: int) -> Array:
    """Up to `count` positions, evenly spread over all samples."""
    return np.unique(np.linspace(0, total - 1, min(total, count)).astype(int))


def _shaped(data: Array, tensor: Tensor, where: str) -> tuple[Array, tuple[Finding, ...]]:
    """[N, *shape]; axes in another order are put right, and found fault with."""
    wanted = tensor.shape
    if not data.ndim or not len(data):
        raise UsageError(f"{where}: holds no samples")
    got = data.shape[1:]
    if got == wanted:
        return data, ()
    inner = wanted[1:] if wanted[:1] == (1,) else wanted
    if got == inner:
        return data.reshape(len(data), *wanted), ()
    bare = got[1:] if len(got) == len(wanted) and got[:1] == (1,) else got
    order = _axis_order(bare, inner)
    if order is None:
        want = ", ".join(map(str, inner))
        raise UsageError(f"{where}: holds {list(data.shape)}, want [N, {want}]")
    flat = data.reshape(len(data), *bare)
    turned = np.ascontiguousarray(flat.transpose(0, *(1 + axis for axis in order)))
    return turned.reshape(len(data), *wanted), (_layout_finding(bare, inner, order),)


def _axis_order(got: tuple[int, ...], want: tuple[int, ...]) -> tuple[int, ...] | None:
    """Channels first to last where that fits; else the first order of axes that does."""
    if len(got) != len(want) or sorted(got) != sorted(want) or len(got) > 5:
        return None
    moved = (*range(1, len(got)), 0)
    orders = [moved, *permutations(range(len(got)))]
    return next(order for order in orders if tuple(got[axis] for axis in order) == want)


def _layout_finding(got: tuple[int, ...], want: tuple[int, ...], order: tuple[int, ...]) -> Finding:
    first = order == (*range(1, len(got)), 0)
    how = "channels first (NCHW), the model wants channels last (NHWC)" if first else "turned"
    transpose = (0, *(1 + axis for axis in order))
    return Finding(
        code="input_layout",
        severity=Severity.FAULT,
        title=f"the samples come {how}",
        where="model input",
        evidence=(
            f"each sample has shape {list(got)}, the model's input wants {list(want)}",
            "for what follows they were turned as they should be",
        ),
        next_step=f"feed samples.transpose{transpose}: copied as they are, bytes land in wrong "
        "places and outputs have nothing to do with the input",
        figures={"got_shape": tuple(got), "want_shape": tuple(want), "transpose": tuple(transpose)},
    )


def _as_fed(data: Array, tensor: Tensor, where: str) -> tuple[Array, tuple[Finding, ...]]:
    """Integers as they are; of another type of the same width, as a copy of bytes reads them."""
    dtype = numpy_dtype(tensor)
    if data.dtype == dtype:
        return data, ()
    if data.dtype.itemsize != dtype.itemsize or not np.issubdtype(dtype, np.integer):
        raise UsageError(
            f"{where}: holds {data.dtype}, want {tensor.dtype.name} as it is fed, or floats"
        )
    read = np.ascontiguousarray(data).view(dtype)
    changed = share(read != data)
    finding = Finding(
        code="input_type",
        severity=Severity.FAULT if changed else Severity.NOTE,
        title=f"the samples are {data.dtype}, the model's input is {tensor.dtype.name}",
        where="model input",
        evidence=(
            f"{percent(changed)} of the values mean something else when their bytes are read as "
            f"{tensor.dtype.name}: {data.dtype} {int(data.max())} becomes "
            f"{int(np.array(data.max()).view(dtype))}",
        ),
        next_step="quantise them: round(real / scale) + zero point of the model's input; for "
        "scale 1/255 and zero point -128 that is: subtract 128",
        figures={"changed_share": changed},
    )
    return read, (finding,)

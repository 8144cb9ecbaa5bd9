"""Instructions of one-op models as QEMU counted them, and the fits that they make.

`python tests/kernel_counts.py`, which needs scipy, fits the counts of golden/m55_kernel_counts.txt
again and writes splitopt/cost/m55_invoke.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from splitopt.cost.invoke import PER_INVOKE_INSN, kernel_of
from splitopt.cost.kernel_terms import KernelTerms
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.workflows.calibrate.one_op import OneOp

GOLDEN = Path(__file__).resolve().parent / "golden" / "m55_kernel_counts.txt"
FITS = Path(__file__).resolve().parents[1] / "splitopt" / "cost" / "m55_invoke.json"
WORST, WORST_INSN, MEAN = 0.10, 300, 0.05
"""A kernel is fitted well enough where held-out models are within WORST, or WORST_INSN where that
is more, and within MEAN on average. Others get no estimate."""
_FEWEST_HELD_OUT = 3
ABOUT = (
    "Instructions of Invoke per op, fitted to counts of QEMU's mps3-an547 (Cortex-M55) with TFLM "
    "90b983c2 and CMSIS-NN 4ab83cc3 on models of one op with random inputs; errors are relative, "
    "on models left out of the fit. Terms: splitopt/cost/*_terms.py."
)


@dataclass(frozen=True)
class Count:
    """One model, what an Invoke of it takes, and whether it was left out of the fit."""

    op: OneOp
    invoke_insn: int
    held_out: bool

    @property
    def insn(self) -> int:
        """Of the op alone."""
        return self.invoke_insn - PER_INVOKE_INSN

    @cached_property
    def model(self) -> bytes:
        return self.op.model()

    @cached_property
    def graph(self) -> ModelGraph:
        return parse_tflite(self.model, name=self.op.op_type, where=str(self.op))

    @cached_property
    def kernel(self) -> KernelTerms:
        found = kernel_of(self.graph, self.graph.ops[0])
        assert found is not None, self.op
        return found


def read_counts(path: Path = GOLDEN) -> tuple[Count, ...]:
    lines = path.read_text("utf-8").splitlines()
    return tuple(_count(line) for line in lines if line and not line.startswith("#"))


def line_of(count: Count) -> str:
    op, part = count.op, "held out" if count.held_out else "fitted"
    options = " ".join(f"{k}={json.dumps(v, separators=(',', ':'))}" for k, v in op.options.items())
    fields = part, str(count.invoke_insn), op.op_type, ", ".join(op.inputs), ", ".join(op.outputs)
    return " | ".join([*fields, op.kind, options]).rstrip(" |")


def _count(line: str) -> Count:
    part, insn, op_type, inputs, outputs, *rest = line.split(" | ")
    kind, options = (*rest, "", "")[:2]
    values = (word.split("=", 1) for word in options.split())
    op = OneOp(
        op_type,
        tuple(inputs.split(", ")),
        tuple(outputs.split(", ")),
        kind,
        {name: json.loads(value) for name, value in values},
    )
    return Count(op, int(insn), part == "held out")


def fits_of(counts: Iterable[Count]) -> dict[str, Any]:
    """The document of m55_invoke.json."""
    kernels: dict[str, list[tuple[Count, KernelTerms]]] = {}
    for count in counts:
        terms = count.kernel
        kernels.setdefault(terms.name, []).append((count, terms))
    found = {name: fit(rows) for name, rows in sorted(kernels.items())}
    return {"about": ABOUT, "kernels": {name: entry for name, entry in found.items() if entry}}


def fit(rows: Sequence[tuple[Count, KernelTerms]]) -> Mapping[str, Any] | None:
    """Non-negative least squares of relative errors; None where it is not good enough."""
    from scipy.optimize import nnls  # needed by none of splitopt's own code

    fitted = [(c.insn, k.terms) for c, k in rows if not c.held_out]
    held_out = [(c.insn, k.terms) for c, k in rows if c.held_out]
    if len(held_out) < _FEWEST_HELD_OUT or len(fitted) < max(2, len(rows[0][1].terms)):
        return None
    counted = np.array([insn for insn, _ in fitted], float)
    table = np.array([terms for _, terms in fitted], float) / counted[:, None]
    scale = np.maximum(np.abs(table).max(axis=0), 1e-12)
    insn = [float(f"{value:.6g}") for value in nnls(table / scale, np.ones(len(fitted)))[0] / scale]
    away = [(float(np.dot(insn, terms)) - count, count) for count, terms in held_out]
    errors = [abs(difference) / count for difference, count in away]
    good = all(abs(d) <= max(WORST * count, WORST_INSN) for d, count in away)
    if not good or float(np.mean(errors)) > MEAN:
        return None
    return {
        "insn": insn, "fitted": len(fitted), "held_out": len(held_out),
        "mean_error": round(float(np.mean(errors)), 4), "worst_error": round(max(errors), 4),
    }  # fmt: skip


def text_of(document: Mapping[str, Any]) -> str:
    """One kernel a line."""
    rows = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in document["kernels"].items()]
    return (
        '{\n"about": ' + json.dumps(document["about"]) + ',\n"kernels": {\n'
        + ",\n".join(rows) + "\n}\n}\n"
    )  # fmt: skip


if __name__ == "__main__":
    FITS.write_text(text_of(fits_of(read_counts())), "utf-8")

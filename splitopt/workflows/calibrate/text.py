"""A cost table as text: errors per op type, and on models that it was not fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from splitopt.base.text import table

Document = dict[str, Any]
Row = tuple[str, ...]

COLUMNS: Row = (
    "kernel", "models", "Invoke: left out, mean", "worst", "built in, mean", "worst",
    "AllocateTensors: left out, worst", "built in, worst",
)  # fmt: skip
HELD_OUT_COLUMNS: Row = (
    "model", "Invoke", "error", "built in", "AllocateTensors", "error", "built in", "bytes",
)  # fmt: skip


LOG_COLUMNS: Row = ("kernel or step", "samples", "factor", "left out, mean", "worst")
FITTED_COLUMNS: Row = ("log", "measured", "sum by the table")


def log_calibration_text(document: Document) -> str:
    """Of a table fitted on logs: factors, samples and errors, and what is not in it."""
    return "\n".join(
        [
            table(LOG_COLUMNS, log_rows(document)),
            "",
            table(FITTED_COLUMNS, fitted_rows(document)),
            *log_lines(document),
        ]
    )


def log_rows(document: Document) -> list[Row]:
    """Relative errors are those of samples that were left out of the fit."""
    names = {"other_kernels": "other kernels", "allocate": "AllocateTensors", "runner": "runner"}
    if not document["invoke"]:
        names["other_kernels"] = "Invoke"
    found = [*document["invoke"].items(), *((names[key], document[key]) for key in names)]
    return [
        (
            name,
            str(entry["samples"]),
            f"{entry['factor']:.4g}",
            _share(entry["mean_error"]),
            _share(entry["worst_error"]),
        )
        for name, entry in found
    ]


def fitted_rows(document: Document) -> list[Row]:
    return [
        (own["log"], f"{own['measured']:,} {document['unit']}", _signed(own["error"]))
        for own in document["fitted"]
    ]


def log_lines(document: Document) -> Sequence[str]:
    """What the fit rests on, and what it lacks."""
    found = [document["about"]]
    if document["has_ops"] and document["too_few"]:
        few = ", ".join(f"{name} ({count})" for name, count in document["too_few"].items())
        found.append(f"Too few samples for a line of their own, with the other kernels: {few}.")
    if not document["has_ops"]:
        found.append(
            "The logs have no times of ops: one factor stands for all kernels. A TFLM that was "
            "built with BUILD_TYPE=release_with_logs tells them apart."
        )
    return [*found, *(f"Left out: {text}" for text in document["left_out"])]


def calibration_text(document: Document) -> str:
    """All of it, as the command line prints it."""
    parts = [table(COLUMNS, rows(document))]
    if document["held_out"]:
        parts.append(f"\n{table(HELD_OUT_COLUMNS, held_out_rows(document))}")
    return "\n".join([*parts, *lines(document)])


def rows(document: Document) -> list[Row]:
    """Relative errors by kernel (Invoke) and its op's type (AllocateTensors): of the new table on
    models left out of the fit, and built in."""
    errors = document["built_in_errors"]
    return [
        (
            name,
            str(entry["samples"]),
            _share(entry["mean_error"]),
            _share(entry["worst_error"]),
            _share(errors["invoke"][name]["mean_error"]),
            _share(errors["invoke"][name]["worst_error"]),
            *_prepared(document, name),
        )
        for name, entry in document["invoke"].items()
    ]


def _prepared(document: Document, kernel: str) -> Row:
    """Worst errors of AllocateTensors; none for float32, which is not fitted."""
    op_type = kernel.split()[0]
    if kernel.endswith("FLOAT32") or op_type not in document["prepare"]:
        return "-", "-"
    built_in = document["built_in_errors"]["allocate"][op_type]
    return _share(document["prepare"][op_type]["worst_error"]), _share(built_in["worst_error"])


def held_out_rows(document: Document) -> list[Row]:
    return [
        (
            judged["model"],
            f"{judged['simulated_invoke_insn']:,}",
            _signed(judged["invoke_error"]),
            _signed(judged["built_in_invoke_error"]),
            f"{judged['simulated_allocate_insn']:,}",
            _signed(judged["allocate_error"]),
            _signed(judged["built_in_allocate_error"]),
            "equal" if judged["bytes_equal"] else "DIFFER",
        )
        for judged in document["held_out"]
    ]


def lines(document: Document) -> Sequence[str]:
    """What else there is to say: AllocateTensors, bytes that differ, ops without an estimate."""
    found = [f"Other bytes than predicted: {text}" for text in document["models_of_other_bytes"]]
    found += [
        f"{judged['model']}: no estimate for {', '.join(judged['unmeasured'])}"
        for judged in document["held_out"]
        if judged["unmeasured"]
    ]
    return [*found, document["about"]]


def _share(value: float) -> str:
    return f"{100 * value:.2f} %"


def _signed(value: float) -> str:
    return f"{100 * value:+.2f} %"

"""What the README of an export says of the run behind it: what was proved, and for which TFLM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from splitopt.arena.m55_kernels import CMSIS_NN_COMMIT, KERNELS_MACRO, TFLM_COMMIT
from splitopt.base.text import code_span, first_few, markdown
from splitopt.bundle.load import optional, read_timing
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.schema.manifest import Manifest
from splitopt.bundle.schema.verify import Check, Verify
from splitopt.report.text.summary import unproved

_BY_STATUS = {
    "OPTIMAL": "OPTIMAL: the search is over, there is no better one",
    "FEASIBLE": "FEASIBLE: better ones may exist, the search was cut short",
}
_HERE = (
    "Model and pieces ran in TFLM with its reference kernels on a PC, not with the kernels of the "
    "Cortex-M55."
)


def unproved_line(bundle: OpenBundle) -> str:
    """A sentence where these pieces are not to be relied on; empty where all was proved."""
    verify = _verify(bundle)
    if verify is None or not verify.checks:
        return "".join(unproved(()))
    failed = [check.name for check in verify.checks if check.status == "failed"]
    return (
        f"Check {' and '.join(map(markdown, failed))} FAILED: do not use these." if failed else ""
    )


def proved_text(bundle: OpenBundle) -> str:
    """Markdown: each check with its status, run and model, and what the bytes hold for."""
    verify = _verify(bundle)
    checks = () if verify is None else verify.checks
    lines = [*_checks(checks, _HERE)] if checks else ["Nothing: no check was run."]
    timing, board = read_timing(bundle.folder / "timing.json")
    if timing is not None:
        lines += ["", *_checks(timing.checks, f"On {markdown(timing.simulator)}, simulated:")]
    if board is not None:
        lines += ["", *_checks(board.checks, "On a board, by its log:")]
    return "\n".join([*lines, "", *_origin(bundle)])


def _checks(checks: Sequence[Check], where: str) -> Iterator[str]:
    yield f"{where}\n"
    yield "| check | status | inputs | compared |"
    yield "|---|---|---|---|"
    for check in checks:
        name, compared = markdown(check.name), markdown(check.compared)
        yield f"| {name} | {check.status} | {check.inputs} | {compared} |"


def _origin(bundle: OpenBundle) -> Iterator[str]:
    plan = bundle.plan
    manifest = optional(bundle.folder / "manifest.json", Manifest)
    yield f"- plan: {_BY_STATUS[plan.status]}"
    yield f"- run: `{code_span(bundle.folder.resolve().name)}`"
    yield f"- int8 model: SHA-256 `{plan.model.sha256}`"
    for name, given in sorted({} if manifest is None else manifest.inputs.items()):
        if given.sha256 != plan.model.sha256:
            file = code_span(Path(given.path).name)
            yield f"- {markdown(name)} `{file}`: SHA-256 `{code_span(given.sha256)}`"
    made_for = f"TFLM {TFLM_COMMIT}"
    if plan.board.abi == "m55":
        made_for += (
            f" with the kernels of CMSIS-NN {CMSIS_NN_COMMIT}, built with `-D{KERNELS_MACRO}` "
            "(TFLM's make does so)"
        )
    if plan.exact:
        yield f"- bytes: exact for {made_for} only"
    else:
        why = markdown(first_few(plan.estimated_ops))
        yield f"- bytes: for {made_for}; upper estimates, since there are no exact ones of: {why}"


def _verify(bundle: OpenBundle) -> Verify | None:
    return optional(bundle.folder / "verify.json", Verify)

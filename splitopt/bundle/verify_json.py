"""verify.json: from the proof of a run to the document."""

from __future__ import annotations

from dataclasses import replace

from splitopt.bundle.schema.verify import Check, Verify
from splitopt.config.job import Job
from splitopt.runtime.host import litert_version, tflm_version
from splitopt.verify.check import Check as MadeCheck
from splitopt.verify.proof import Proof

_MOST_DIFFERENCE = 1e300


def verify_document(job: Job, proof: Proof) -> Verify:
    return Verify(
        status=proof.status.value,
        reason=None if proof.checks else "--no-verify: neither model nor pieces were run",
        seed=job.spec.verify.seed,
        random_inputs=proof.random_inputs,
        given_inputs=proof.given_inputs,
        held_out_inputs=proof.held_out_inputs,
        interpreters={"tflite-micro": tflm_version(), "ai-edge-litert": litert_version()},
        checks=tuple(map(_entry, proof.checks)),
    )


def _entry(check: MadeCheck) -> Check:
    """JSON has no word for infinity: where only one of two values is NaN, or finite."""
    worst = min(check.worst_difference, _MOST_DIFFERENCE)
    return Check.model_validate(replace(check, worst_difference=worst))

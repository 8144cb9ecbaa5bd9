"""verify.json, and the checks in timing.json."""

from __future__ import annotations

from splitopt.bundle.schema.verify import Check as CheckEntry
from splitopt.bundle.schema.verify import Verify
from splitopt.config.job import Job
from splitopt.runtime.host import litert_version, tflm_version
from splitopt.verify.equality import Check
from splitopt.verify.proof import Proof


def verify_document(job: Job, proof: Proof) -> Verify:
    return Verify(
        status=proof.status.value,
        seed=job.spec.verify.seed,
        random_inputs=proof.random_inputs,
        given_inputs=proof.given_inputs,
        held_out_inputs=proof.held_out_inputs,
        interpreters={"tflite-micro": tflm_version(), "ai-edge-litert": litert_version()},
        checks=tuple(map(check_entry, proof.checks)),
    )


def check_entry(check: Check) -> CheckEntry:
    return CheckEntry(
        name=check.name,
        status=check.status.value,
        compared=check.compared,
        inputs=check.inputs,
        worst_difference=check.worst_difference,
        detail=check.detail,
    )

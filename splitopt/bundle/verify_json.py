"""verify.json: from the proof of a run to the document."""

from __future__ import annotations

from splitopt.bundle.schema.verify import Check, Verify
from splitopt.config.job import Job
from splitopt.runtime.host import litert_version, tflm_version
from splitopt.verify.proof import Proof


def verify_document(job: Job, proof: Proof) -> Verify:
    return Verify(
        status=proof.status.value,
        seed=job.spec.verify.seed,
        random_inputs=proof.random_inputs,
        given_inputs=proof.given_inputs,
        held_out_inputs=proof.held_out_inputs,
        interpreters={"tflite-micro": tflm_version(), "ai-edge-litert": litert_version()},
        checks=tuple(map(Check.model_validate, proof.checks)),
    )

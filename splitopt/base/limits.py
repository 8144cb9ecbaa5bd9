"""Budgets in bytes for what an untrusted file claims, checked before anything is allocated."""

from __future__ import annotations

MODEL_TENSORS_BYTES = 1 << 28
"""All tensors of one model that are not constants. The largest that were tried, detectors of
224 x 224 pixels, hold 20 MB in all; a Cortex-M55's board has a few MB of RAM."""

PLANNER_TABLES_BYTES = 1 << 29
"""What the planner's tables of bands may hold for one model; those that do not fit are left out."""

PROOF_BYTES = 1 << 29
"""What one run of a proof holds: inputs, and the tensors that are compared, of all samples."""

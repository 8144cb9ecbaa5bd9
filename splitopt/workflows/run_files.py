"""What a run writes besides its pieces and what became of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from splitopt.bundle.folder import BundleFolder, manifest
from splitopt.bundle.memory_json import graph_document, memory_document
from splitopt.bundle.open import CORRESPONDENCE, COST_TABLE
from splitopt.bundle.schema.manifest import Manifest
from splitopt.bundle.schema.plan import Choice, Plan, PlanStatus
from splitopt.config.job import IN_MEMORY, Job, is_model
from splitopt.config.job_text import job_text
from splitopt.convert.open_model import ModelSource, as_taken
from splitopt.pieces.piece_set import PieceSet
from splitopt.workflows.choices import Choice as PlanChoice
from splitopt.workflows.plan import Planned


def choice_entries(planned: Planned, made: PieceSet) -> tuple[Choice, ...]:
    """The plans that were chosen from, as plan.json has them; the one that was made with the
    figures of its pieces, which route `pieces` converts anew."""

    def figured(choice: PlanChoice) -> PlanChoice:
        if choice.plan is not planned.plan or made.route == "whole":
            return choice
        flash_bytes = sum(len(data) for files in made.files for data in files)
        return replace(choice, plan=made.plan, flash_bytes=flash_bytes)

    chosen = [(choice.plan is planned.plan, figured(choice)) for choice in planned.choices]
    return tuple(
        Choice(
            aim=choice.aim,
            is_written=is_written,
            status=cast("PlanStatus", choice.plan.status.name),
            peak_ram_bytes=choice.plan.peak_ram_bytes,
            added_insn=choice.plan.added_insn,
            pieces=len(choice.plan.segments),
            streamed=sum(s.figures.stream is not None for s in choice.plan.segments),
            cuts=choice.plan.cuts,
            flash_bytes=choice.flash_bytes,
        )
        for is_written, choice in chosen
    )


def write_documents(
    bundle: BundleFolder,
    job: Job,
    source: ModelSource,
    planned: Planned,
    made: PieceSet,
    document: Plan,
) -> None:
    """All that is known before anything runs on a target."""
    if source.path != job.model_path:
        (bundle.folder / "model.tflite").write_bytes(source.graph.source)
    if source.conversion is not None:
        log = source.conversion.log.read_text("utf-8")
        bundle.write_text("convert.log", log + made.log)
    if source.names is not None:
        bundle.write_json(CORRESPONDENCE, source.names.to_dict())
    if job.spec.cost_table is not None:
        bundle.write_text(COST_TABLE, job.cost_table_text)
    bundle.write_text("job.yaml", job_text(as_taken(job, source)))
    bundle.write_json("plan.json", document)
    bundle.write_json("memory.json", memory_document(planned.graph, planned.baseline, made))
    bundle.write_json("graph.json", graph_document(planned.graph, source.names))


def manifest_of(job: Job, folder: Path) -> Manifest:
    inputs = {"model": job.model_path}
    if job.file != IN_MEMORY and not is_model(job.file):
        inputs["job"] = job.file
    if job.data_path is not None:
        inputs["data"] = job.data_path
    calibration = job.spec.calibration
    if calibration is not None and (job.file.parent / calibration.path).is_file():
        inputs["calibration"] = job.file.parent / calibration.path
    if job.spec.cost_table is not None:
        inputs["cost_table"] = job.file.parent / job.spec.cost_table
    return manifest(folder, job.spec.verify.seed, inputs)

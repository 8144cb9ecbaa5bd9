"""The schema of bundles: version 1 is still read, newer ones are refused, JSON Schema comes out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_documents import changed, timing_document

from splitopt.base.errors import UsageError
from splitopt.bundle.documents import dump, parse_document
from splitopt.bundle.load import load_run, load_sweep
from splitopt.bundle.open import open_bundle
from splitopt.bundle.run_index import index_of
from splitopt.bundle.run_record import read_run, read_sweep_record
from splitopt.bundle.schema.common import SCHEMA_VERSION, Document
from splitopt.bundle.schema.graph import Graph
from splitopt.bundle.schema.manifest import Manifest
from splitopt.bundle.schema.memory import Memory
from splitopt.bundle.schema.plan import Plan
from splitopt.bundle.schema.sweep import Sweep
from splitopt.bundle.schema.timing import Timing
from splitopt.bundle.schema.verify import Verify
from splitopt.explain.memory.run_memory import explain_run_memory
from splitopt.report.compare import compare_folders
from splitopt.report.pages.run import render_run
from splitopt.report.pages.sweep import render_sweep
from splitopt.workflows.export.exported import export_bundle
from splitopt.workflows.report import write_report

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
RUN, SWEEP = GOLDEN / "bundle_v1", GOLDEN / "sweep_v1"  # as splitopt wrote them at version 1
DOCUMENTS = (Plan, Memory, Graph, Verify, Manifest, Timing, Sweep)
READERS: tuple[Callable[[Path], Any], ...] = (load_run, read_run, open_bundle)


def test_every_reader_reads_version_1(tmp_path: Path) -> None:
    assert json.loads((RUN / "plan.json").read_text())["schema_version"] == 1
    assert read_run(RUN).figures["pieces"] == 4
    assert "4 pieces" in render_run(load_run(RUN))
    assert "1 OPTIMAL" in render_sweep(load_sweep(SWEEP))
    assert [row.status for row in read_sweep_record(SWEEP).rows] == ["OPTIMAL", "INFEASIBLE"]
    assert compare_folders(RUN, RUN).is_comparable
    assert compare_folders(SWEEP, SWEEP).is_comparable
    kinds = {entry.name: entry.kind for entry in index_of(GOLDEN).entries}
    assert (kinds["bundle_v1"], kinds["sweep_v1"]) == ("run", "sweep")
    bundle = open_bundle(RUN)
    assert explain_run_memory(bundle).before_bytes == bundle.plan.baseline.ram_bytes
    assert export_bundle(RUN, tmp_path / "exported").files
    assert write_report(RUN, tmp_path)[0].name == "report.html"
    assert write_report(SWEEP, tmp_path / "sweep")


def test_what_is_read_is_written_again_with_the_same_keys() -> None:
    """In their order, too; the version aside, and `switch`, which nothing ever read. What a job
    minimises has another name now, and balanced has weights of its own."""
    documents = load_run(RUN)
    for name in ("plan", "memory", "graph", "verify", "manifest"):
        old = json.loads((RUN / f"{name}.json").read_text())
        new = dump(getattr(documents, name))
        for segment in old.get("segments", []):
            segment.pop("switch", None)
        assert new.pop("splitopt")
        assert (old.pop("schema_version"), new.pop("schema_version")) == (1, SCHEMA_VERSION)
        if name == "plan":
            assert old["job"]["settings"]["objective"]["minimise"] == "peak_ram"
            old["job"]["settings"]["objective"]["minimise"] = "smallest"
        assert json.dumps(new) == json.dumps(old), name


@pytest.mark.parametrize("read", READERS)
def test_a_newer_version_is_refused_with_what_to_do(
    read: Callable[[Path], Any], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(RUN, tmp_path / "run"))
    plan = json.loads((folder / "plan.json").read_text())
    plan |= {"schema_version": SCHEMA_VERSION + 1, "splitopt": "7.8.9\x1b[31m", "segments": None}
    (folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(UsageError, match=r"written by splitopt 7\.8\.9\?\[31m.*update splitopt"):
        read(folder)


@pytest.mark.parametrize("version", [0, -1, "2", 1.0, True, None, 10**9])
def test_a_version_that_is_none_is_refused(version: object) -> None:
    plan = {**json.loads((RUN / "plan.json").read_text()), "schema_version": version}
    with pytest.raises(UsageError, match=r"\$\.schema_version: got"):
        parse_document(plan, Plan, "plan.json")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_json_schemas_come_out_and_name_every_key(document: type[Document]) -> None:
    schema = document.model_json_schema()
    assert json.dumps(schema)
    assert {"schema_version", "splitopt"} <= schema["properties"].keys()
    assert set(schema["required"]) <= schema["properties"].keys()
    assert "from" not in schema["properties"]


def test_the_schema_of_an_edge_has_the_names_of_the_file() -> None:
    edge = Graph.model_json_schema()["$defs"]["Edge"]["properties"]
    assert list(edge) == ["from", "to", "tensors"]


def test_timing_wants_the_figures_of_its_unit() -> None:
    timing = timing_document()
    assert timing.simulated("added", "insn") == 3003
    for change, missing in (
        (lambda d: d.update(unit="ticks"), "simulated_unsplit_inference_ticks"),
        (lambda d: d["pieces"][0].pop("simulated_invoke_insn"), "simulated_invoke_insn"),
        (lambda d: d["unsplit"].update(ops=[{"op": 0, "tag": "RELU"}]), "simulated_insn"),
    ):
        with pytest.raises(UsageError, match=missing):
            changed(timing, change)


def test_a_plan_of_a_sweep_has_no_pieces_to_open(tmp_path: Path) -> None:
    folder = tmp_path / "point"
    shutil.copytree(SWEEP / "plans" / "0001", folder)
    shutil.copy(RUN / "model.tflite", folder)
    with pytest.raises(UsageError, match=r"\$\.segments\[0\]\.piece: got null, want the file"):
        open_bundle(folder)

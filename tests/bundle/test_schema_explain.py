"""explain.json and diagnosis.json as they are read: of this version, of version 1, and broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from splitopt.base.errors import UsageError
from splitopt.bundle.documents import read_document
from splitopt.bundle.schema.explain import RunExplanation

VERSION_1 = Path(__file__).parents[1] / "golden" / "explain_v1.json"


def test_a_document_of_version_1_is_read() -> None:
    """As splitopt 0.1 wrote it, of resnet8_digits; its reasons and its ladder have new names."""
    old = json.loads(VERSION_1.read_text("utf-8"))
    found = read_document(VERSION_1, RunExplanation)
    assert (found.schema_version, found.job) == (2, "resnet8_digits")
    assert found.memory.after_bytes == old["memory"]["after_bytes"]
    sentences = [reason["sentence"] for reason in old["memory"]["reasons"]]
    assert [remedy.sentence for remedy in found.memory.remedies] == sentences
    assert found.memory.causes[0].sentence == sentences[0]
    peaks = [peak["peak_ram_bytes"] for peak in old["memory"]["ladder"]]
    assert [peak.peak_ram_bytes for peak in found.memory.lowest_peaks] == peaks
    assert list(found.memory.lowest_peak_lines) == old["memory"]["ladder_lines"]
    assert found.outputs is not None
    assert [p.verdict for p in found.outputs.pieces] == [
        piece["verdict"] for piece in old["outputs"]["pieces"]
    ]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    found = read_document(VERSION_1, RunExplanation)
    path = tmp_path / "explain.json"
    path.write_text(json.dumps(found.model_dump(mode="json"), allow_nan=False), "utf-8")
    assert read_document(path, RunExplanation) == found
    assert RunExplanation.model_validate(found.model_dump()) == found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(schema_version=3), "update splitopt"),
        (lambda d: d.update(schema_version="1"), r"\$\.schema_version"),
        (lambda d: d.pop("memory"), "version 1"),
        (lambda d: d["memory"].pop("reasons"), "version 1"),
        (lambda d: d["memory"].update(reasons=[1]), "version 1"),
        (lambda d: d["memory"].update(after_bytes=-1), r"after_bytes: got -1"),
        (lambda d: d["memory"].update(verdict="x" * 70_000), "verdict"),
        (lambda d: d["memory"]["pieces"][0].update(ram_bytes="1"), r"ram_bytes: got '1'"),
    ],
)
def test_broken_documents_are_refused_in_a_sentence(
    change: Callable[[dict[str, Any]], Any], says: str, tmp_path: Path
) -> None:
    document = json.loads(VERSION_1.read_text("utf-8"))
    change(document)
    path = tmp_path / "diagnosis.json"
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(UsageError, match=says) as caught:
        read_document(path, RunExplanation)
    assert "\n" not in str(caught.value)

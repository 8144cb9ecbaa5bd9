"""Folders of bundles and sweeps of unknown origin: read, or refused in a sentence."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_documents import kept_bundle, run_documents, synthetic_sweep, write_sweep

from splitopt.base.errors import UsageError
from splitopt.base.json_input import load_json
from splitopt.bundle.documents import dump
from splitopt.bundle.load import SweepDocuments, load_run, load_sweep
from splitopt.report.pages.run import render_run


@pytest.fixture(scope="module")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept_bundle("resnet8_digits", tmp_path_factory)


@pytest.fixture(scope="module")
def sweep(small_bundle: Path) -> SweepDocuments:
    return synthetic_sweep(run_documents(small_bundle), 12)


def test_folders_are_read_as_they_were_written(
    small_bundle: Path, sweep: SweepDocuments, tmp_path: Path
) -> None:
    loaded = load_run(small_bundle)
    assert dump(loaded.plan) == json.loads((small_bundle / "plan.json").read_text("utf-8"))
    assert loaded.timing is None
    write_sweep(sweep, tmp_path / "sweep")
    found = load_sweep(tmp_path / "sweep")
    assert dump(found.sweep) == dump(sweep.sweep)
    assert (found.records, found.plans) == (sweep.records, sweep.plans)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema_version": 3}', b"[" * 100_000,
     b'{"schema_version": NaN}', b'{"a":' * 90 + b"1" + b"}" * 90],
)  # fmt: skip
@pytest.mark.parametrize("name", ["plan.json", "memory.json", "graph.json", "verify.json"])
def test_broken_files_are_told_in_a_sentence(
    small_bundle: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(small_bundle, folder)
    (folder / name).write_bytes(content)
    with pytest.raises(UsageError, match=name):
        load_run(folder)


def test_a_folder_that_is_no_bundle(tmp_path: Path, small_bundle: Path) -> None:
    for load in (load_run, load_sweep):
        with pytest.raises(UsageError, match="no such"):
            load(tmp_path)
        with pytest.raises(UsageError, match="no such folder"):
            load(tmp_path / "absent")
    with pytest.raises(UsageError, match=r"sweep\.json"):
        load_sweep(small_bundle)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("plan", lambda d: d["segments"].pop(), "tile"),
        ("plan", lambda d: d["floor"].update(op=3999), r"\$\.floor\.op"),
        ("plan", lambda d: d["segments"][0].update(index=7), "indices"),
        ("plan", lambda d: d["baseline"].pop("ram_bytes"), r"\$\.baseline\.ram_bytes: missing"),
        ("plan", lambda d: d.update(peak_ram_bytes=10**30), r"\$\.peak_ram_bytes"),
        ("memory", lambda d: d["unsplit"]["buffers"][0].update(stop=0), "alive in steps"),
        ("memory", lambda d: d["unsplit"]["buffers"][0].update(offset=10**9), "above the head"),
        ("memory", lambda d: d["unsplit"].update(tail_bytes=10**9), "more in it"),
        ("memory", lambda d: d["segments"].pop(), "its ops"),
        ("graph", lambda d: d["edges"][0].update(to=0), r"\$\.edges"),
        ("graph", lambda d: d["ops"].reverse(), r"\$\.ops"),
    ],
)
def test_documents_that_do_not_fit_together(
    small_bundle: Path, tmp_path: Path, name: str, change: Callable[[Any], Any], says: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(small_bundle, folder)
    path = folder / f"{name}.json"
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(UsageError, match=says):
        load_run(folder)


WRONG = (None, "", "<b>", -1, 10**40, 1.5, True, [], {}, [[]], "x" * 100_000)


def test_whatever_is_wrong_in_a_bundle_is_shown_or_refused(
    small_bundle: Path, tmp_path: Path
) -> None:
    """One value at a time; anything but a page or a UsageError is a traceback for the user."""
    chance = random.Random(1)
    refused = []
    folder = tmp_path / "copy"
    shutil.copytree(small_bundle, folder)
    for _ in range(400):
        path = folder / f"{chance.choice(['plan', 'memory', 'graph', 'verify', 'manifest'])}.json"
        good = path.read_text("utf-8")
        document = json.loads(good)
        spoil(document, chance)
        path.write_text(json.dumps(document), "utf-8")
        try:
            render_run(load_run(folder))
        except UsageError as error:
            refused.append(str(error))
        path.write_text(good, "utf-8")
    assert len(refused) > 100
    assert all(sentence.isprintable() for sentence in refused)


def spoil(document: Any, chance: random.Random) -> None:
    """Replaces or removes one value somewhere inside."""
    at = document
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = chance.choice(keys)
        if isinstance(at[key], dict | list) and at[key] and chance.random() < 0.85:
            at = at[key]
            continue
        if chance.random() < 0.2:
            del at[key]
        else:
            at[key] = chance.choice(WRONG)
        return


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows[1].update(id="../../etc"), "id"),
        (lambda rows: rows[1].update(plan="plans/../../passwd"), "plans/ID"),
        (lambda rows: rows[1].update(id=rows[2]["id"]), "one id"),
        (lambda rows: rows[1].pop("status"), "status: missing"),
        (lambda rows: rows[1].update(peak_ram_bytes=None), "peak_ram_bytes"),
        (lambda rows: rows.clear(), "without a plan"),
    ],
)
def test_broken_records_are_told_in_a_sentence(
    sweep: SweepDocuments, tmp_path: Path, change: Callable[[Any], Any], says: str
) -> None:
    write_sweep(sweep, tmp_path / "sweep")
    rows = [record.model_dump(mode="json") for record in sweep.records]
    change(rows)
    path = tmp_path / "sweep" / "records.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.raises(UsageError, match=says):
        load_sweep(tmp_path / "sweep")


def test_files_are_read_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("x" * 2000, "utf-8")
    with pytest.raises(UsageError, match="larger than 1,000 bytes"):
        load_json(path, 1000)

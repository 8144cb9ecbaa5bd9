"""Says whether a change of the code changed any result: every figure of every plan, every byte of
every piece.

    python tests/results_digest.py            # what differs from tests/golden/results.json
    python tests/results_digest.py --store    # keeps today's results as the ones to compare with

Plans, without running TFLM, each job and sweep of `configs/`, and each model of `../shared/models`
where that folder is there, on a board of no headroom under every objective. Takes some minutes;
ONNX models need the onnx extra. Exit code 1 where anything differs, or could not be compared.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
GOLDEN = CHECKOUT / "tests" / "golden" / "results.json"
SHARED_MODELS = CHECKOUT.parent / "shared" / "models"
OBJECTIVES = ("weighted", "peak_ram", "added_time")
BOARD = {"name": "none", "cpu": "cortex-m55", "sram_bytes": 2**24, "reserved_bytes": 0}
NOT_FIGURES = {
    *("schema_version", "splitopt", "job", "path", "model", "onnx", "renamed", "command", "cache"),
    "notes",  # sentences
    "record_sha256",  # covers the seconds that a conversion took
}
Digests = dict[str, str]


def figures(document: Any) -> Any:
    """A document without what differs from run to run: seconds, paths, versions of the form."""
    if isinstance(document, dict):
        return {
            key: figures(value)
            for key, value in document.items()
            if key not in NOT_FIGURES and not key.endswith("_s")
        }
    return [figures(item) for item in document] if isinstance(document, list) else document


def digest(data: Any) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data, sort_keys=True).encode()
    return hashlib.sha256(raw).hexdigest()[:16]


def splitopt(*words: str) -> None:
    """One command of splitopt; an infeasible job (3) is a result, too."""
    command = [sys.executable, "-m", "splitopt", *words]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr}")


def of_run(job: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Digests of the parts of plan.json, then of each piece."""
    splitopt("run", str(job), "--no-verify", "--json", "--out", str(folder))
    for plan in sorted(folder.rglob("plan.json")):
        yield from of_plan(plan)
        for piece in sorted(plan.parent.glob("pieces/*.tflite")):
            yield piece.name, digest(piece.read_bytes())


def of_plan(file: Path) -> Iterator[tuple[str, str]]:
    document = json.loads(file.read_text("utf-8"))
    for key, value in figures(document).items():
        yield key, digest(value)


def of_sweep(sweep: Path, folder: Path) -> Iterator[tuple[str, str]]:
    splitopt("sweep", str(sweep), "--json", "--out", str(folder))
    for table in sorted(folder.rglob("pareto.csv")):
        with table.open(encoding="utf-8", newline="") as rows:
            yield table.name, digest(figures(list(csv.DictReader(rows))))
    for plan in sorted(folder.rglob("plan.json")):
        yield plan.parent.name, digest(figures(json.loads(plan.read_text("utf-8"))))


def shared_jobs(folder: Path) -> Iterator[tuple[str, Path]]:
    """A job for each public model and objective; on the wheel's ABI, too."""
    for model in sorted(SHARED_MODELS.glob("*.tflite")):
        for abi, objectives in (("m55", OBJECTIVES), ("x86_64", OBJECTIVES[:1])):
            for objective in objectives:
                job = {
                    "model": {"path": str(model)},
                    "board": {**BOARD, "headroom_bytes": 0, "clock_hz": 1, "abi": abi},
                    "objective": {"minimise": objective},
                    "solve": {"time_limit_s": 600},  # on a loaded machine, too
                }
                file = folder / f"{model.stem}_{abi}_{objective}.yaml"
                file.write_text(json.dumps(job), "utf-8")
                yield f"shared/{file.stem}", file


def results(scratch: Path) -> Iterator[tuple[str, Digests]]:
    jobs = [(f"jobs/{file.stem}", file) for file in sorted((CHECKOUT / "configs/jobs").glob("*"))]
    sweeps = sorted((CHECKOUT / "configs/sweeps").glob("*"))
    for name, file in (*jobs, *shared_jobs(scratch)):
        yield name, dict(of_run(file, scratch / name))
    for file in sweeps:
        name = f"sweeps/{file.stem}"
        yield name, dict(of_sweep(file, scratch / name))


def differences(before: dict[str, Digests], after: dict[str, Digests]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"{name}: not compared, its input is absent"
        old, new = before.get(name, {}), after.get(name, {})
        if name in after:
            changed = (key for key in sorted(old.keys() | new) if old.get(key) != new.get(key))
            yield from (f"{name}: {key}" for key in changed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--store", action="store_true", help="keep today's results")
    store = parser.parse_args().store
    after = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, found in results(Path(scratch)):
            print(f"{name}: {len(found)} digests", file=sys.stderr, flush=True)
            after[name] = found
    if store:
        GOLDEN.write_text(json.dumps(after, indent=0, sort_keys=True) + "\n", "utf-8")
        return 0
    found = list(differences(json.loads(GOLDEN.read_text("utf-8")), after))
    print("\n".join(found) or f"no difference in {len(after)} jobs and sweeps")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())

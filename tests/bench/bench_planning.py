"""How planning time grows with a model: by objective and by stage, each case a process of its own.

    python tests/bench/bench_planning.py [--sizes 50,100,1000] [--nets chain,u_net]
        [--asks weighted,front] [--limit SECONDS] [--seed N] [--json FILE] [MODEL.tflite ...]

Prints CPU seconds behind imports and reading, all threads together, and the largest memory of the
process. A case that runs out of time says so, with its bound and gap. `weighted`: a byte of peak
for 1,000 instructions; `peak`: least peak RAM; `budget`: least added time within 90 % of what the
unsplit model needs; `front`: all of these trade-offs; `explain`: the whole command without limits,
beside the whole command `run --no-verify` on the same board, which makes three plans.
Answers are held against each other: CP-SAT against the dynamic programme, optima against the front;
the exit code is 1 where two differ.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.bounded_process import bounded
from bench.planning_rows import Row, differences, growth, header, line_of
from bench.synthetic import convolution_chain, mobilenet_v2_like, u_net

NETS: Mapping[str, Callable[[int, int], bytes]] = {
    "chain": convolution_chain,
    "mobilenet_v2": mobilenet_v2_like,
    "u_net": u_net,
}
ASKS = ("weighted", "peak", "budget", "front", "explain")
CASE = (sys.executable, str(Path(__file__).parent / "planning_case.py"))
BOARD = ("--board", "corstone300_256k")
EXPLAIN = (sys.executable, "-m", "splitopt", "explain", *BOARD)
RUN = (sys.executable, "-m", "splitopt", "run", "--no-verify", *BOARD)


def main() -> None:
    given = arguments()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, models in families(given, Path(folder)):
            rows += family(name, models, given.asks, given.limit)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))
    compared, found = differences(rows)
    print(
        f"\n{compared} optima compared with fronts, {len(found)} answers differ", *found, sep="\n"
    )
    sys.exit(bool(found))


def arguments() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return text.split(",")

    def numbers(text: str) -> list[int]:
        return [int(word) for word in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--sizes", type=numbers, default=[50, 100, 200, 400])
    parser.add_argument("--nets", type=names, default=list(NETS))
    parser.add_argument("--asks", type=names, default=list(ASKS))
    parser.add_argument("--limit", type=float, default=60.0, help="CPU seconds of a case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def families(given: argparse.Namespace, folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """Models by name, to be compared with one another."""
    if given.models:
        yield "models", given.models
        return
    for net in given.nets:
        files = [folder / f"{net}_{ops}.tflite" for ops in given.sizes]
        for file, ops in zip(files, given.sizes, strict=True):
            file.write_bytes(NETS[net](ops, given.seed))
        yield net, files


def family(name: str, models: Sequence[Path], asks: Sequence[str], limit_s: float) -> Iterator[Row]:
    """Runs and prints all cases of some models."""
    for ask in asks:
        print(f"\n{name}, {ask}\n{header(ask)}", flush=True)
        rows = []
        for model in models:
            row = {"model": model.stem, "ask": ask, **case(model.resolve(), ask, limit_s)}
            print(line_of(row), flush=True)
            rows.append(row)
        if name in NETS:
            print(growth(rows), flush=True)
        yield from rows


def case(model: Path, ask: str, limit_s: float) -> Row:
    """One case in a process of its own; only a status where it gives no answer."""
    if ask == "explain":
        ran, run = (bounded([*command, str(model)], limit_s) for command in (EXPLAIN, RUN))
        figures = {"cpu_s": ran.cpu_s, "memory_mib": ran.memory_mib, "first_line_s": ran.first_s}
        figures["run_cpu_s"] = None if run.end else run.cpu_s
        return {"status": ran.end or "DONE"} | ({} if ran.end else figures)
    ran = bounded([*CASE, str(model), ask, str(limit_s)], limit_s)
    row: Row = {"status": ran.end} if ran.end else json.loads(ran.output.splitlines()[-1])
    return row


if __name__ == "__main__":
    main()

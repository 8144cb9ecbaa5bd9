"""`splitopt pack` and another packer on the same files, one after the other.

    python tests/bench/bench_packers.py [--capacity BYTES] [--limit SECONDS] [--against COMMAND]
        FILE.csv...

Files are google/minimalloc's. COMMAND holds {file} and, if it likes, {capacity} and {out}, a file
that is thrown away: "minimalloc --capacity={capacity} --input={file} --output={out}". Prints CPU
seconds of whole processes, all threads together, and how many times ours the other's are.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.bounded_process import bounded

PACK = (sys.executable, "-m", "splitopt", "pack", "--json", "--workers", "1")


def main() -> None:
    given = arguments()
    print(f"{'file':24} buffers        load        mark  status       CPU s  other CPU s  times")
    for file in given.files:
        print(line(file.resolve(), given.capacity, given.limit, given.against), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--capacity", type=int, help="bytes; where it is missing, the fewest")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for each file")
    parser.add_argument("--against", help="the other packer's command")
    return parser.parse_args()


def line(file: Path, capacity: int | None, limit_s: float, against: str | None) -> str:
    room = [] if capacity is None else ["--capacity", str(capacity)]
    ours = bounded([*PACK, "--time-limit", str(limit_s), *room, str(file)], limit_s)
    if ours.end:
        said = f"{file.name:24} {ours.end} ({ours.cpu_s:.2f} s)"
    else:
        packed = json.loads(ours.output[ours.output.index("{") :])
        said = (
            f"{file.name:24} {packed['buffers']:7} {packed['peak_load_bytes']:11,} "
            f"{packed['mark_bytes']:11,}  {packed['status']:9} {ours.cpu_s:8.2f}"
        )
    if against is None:
        return said
    names = {"file": str(file), "capacity": "" if capacity is None else capacity, "out": "out.csv"}
    program, *rest = shlex.split(against)
    found = Path(shutil.which(program) or program).absolute()
    other = bounded([str(found), *(word.format_map(names) for word in rest)], limit_s)
    return f"{said} {other.cpu_s:12.2f} {other.cpu_s / ours.cpu_s:6.2f}  {other.end}"


if __name__ == "__main__":
    main()

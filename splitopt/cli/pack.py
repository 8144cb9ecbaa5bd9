"""splitopt pack: offsets of least high-water mark for buffers with live ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import Json

EXAMPLE = "Example: splitopt pack buffers.csv --capacity 1048576 --time-limit 10"


def pack(
    file: Annotated[Path, typer.Argument(help="A CSV file with the columns id,lower,upper,size.")],
    capacity: Annotated[
        int | None, typer.Option("--capacity", min=0, help="Bytes that there are.")
    ] = None,
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=0.0, max=86400.0, help="Seconds.")
    ] = 60.0,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Threads.")] = 2,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the searches.")] = 0,
    json: Json = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for plan.csv.")] = None,
) -> None:
    """Pack buffers into memory: the least mark, with its proof, or that they do not fit.

    The format is google/minimalloc's: a buffer lives in [lower, upper). Exit code 3: it does not
    fit the capacity.
    """
    from splitopt.base.errors import InfeasibleError, ToolError
    from splitopt.bundle.folder import write_new_text
    from splitopt.cli import terminal
    from splitopt.solvers.outcome import Status
    from splitopt.solvers.packing.cpsat import solve
    from splitopt.solvers.params import SolveParams
    from splitopt.workflows.zz_packing_csv import plan_text, read_instance

    named = read_instance(file, capacity)
    load = named.instance.peak_load
    with terminal.progress(quiet=json) as progress:
        progress(f"packing {len(named.ids)} buffers")
        params = SolveParams(time_limit_s=time_limit, seed=seed % 2**31, workers=workers)
        outcome = solve(named.instance, params)
    document = {
        "schema_version": 1,
        "file": str(file),
        "buffers": len(named.ids),
        "peak_load_bytes": load,
        "capacity_bytes": capacity,
        "status": outcome.status.name,
        "mark_bytes": outcome.cost,
        "bound_bytes": outcome.bound,
        "wall_s": round(outcome.wall_s, 3),
    }
    if outcome.status is Status.INFEASIBLE:
        error = InfeasibleError(
            f"{file}: does not fit {capacity:,} bytes (proved in {outcome.wall_s:.2f} s); "
            f"{load:,} bytes are alive at once"
        )
        error.facts = document
        raise error
    if outcome.plan is None:
        raise ToolError(
            f"{file}: no plan within {time_limit:g} s, and none ruled out (bound "
            f"{outcome.bound:,}); raise --time-limit"
        )
    if out is not None:
        document["plan"] = str(write_new_text(out, "plan.csv", plan_text(named, outcome.plan)))
    if json:
        terminal.show_json({**document, "offsets": list(outcome.plan.offsets)})
        return
    typer.echo(
        f"{outcome.status.name}: mark {outcome.cost:,}, bound {outcome.bound:,}, {load:,} alive at "
        f"once, {len(named.ids)} buffers, {outcome.wall_s:.2f} s"
    )

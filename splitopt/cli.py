"""The command line; exit codes as in the README."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from splitopt import __version__
from splitopt.commands import sweep as sweep_command
from splitopt.errors import NotEqualError, SplitoptError

app = typer.Typer(
    name="splitopt",
    help=(
        "Cuts a .tflite model into pieces that fit the SRAM of a Cortex-M55, "
        "and proves that they equal the model."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for results (default: the job's).")]


def _version(show: bool) -> None:
    if show:
        typer.echo(f"splitopt {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: splitopt run configs/jobs/resnet8_digits.yaml --budget 60000 --json")
def run(
    job: Annotated[Path, typer.Argument(help="A job file, e.g. configs/jobs/resnet8_digits.yaml.")],
    out: Out = None,
    json: Json = False,
    budget: Annotated[
        int | None,
        typer.Option("--budget", min=1, help="RAM budget in bytes; overrides the job's."),
    ] = None,
    board: Annotated[
        str | None, typer.Option("--board", help="Board name or file; overrides the job's.")
    ] = None,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Do not run the pieces; the bundle says so.")
    ] = False,
) -> None:
    """Plan, cut and prove one job; the bundle lands under results/<job>/<run>."""
    from splitopt import console
    from splitopt.api import not_equal, run_job
    from splitopt.job import read_job

    if board is not None and board.endswith((".yaml", ".yml")):
        board = str(Path(board).absolute())  # unlike a path in the job, it is the caller's own
    given: dict[str, Any] = {"budget_bytes": budget, "board": board}
    read = read_job(job, {key: value for key, value in given.items() if value is not None})
    with console.progress(quiet=json) as progress:
        result = run_job(read, out=out, verify=not no_verify, progress=progress)
    if json:
        checks = [{"name": c.name, "status": c.status.value} for c in result.checks]
        console.show_json({**result.document, "run_dir": str(result.folder), "checks": checks})
    else:
        console.show_result(result)
    if not result.is_equal:
        raise not_equal(result)


@app.command(epilog="Example: splitopt explain results/resnet8_digits/20261123-055205 --json")
def explain(
    run_dir: Annotated[Path, typer.Argument(help="A bundle that `splitopt run` wrote.")],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Samples as they are fed in use, .npy or .npz (default: the job's)."
        ),
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="The array of --data's .npz.")] = None,
    json: Json = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for explain.txt and explain.json (default: none)."),
    ] = None,
) -> None:
    """Say why outputs are wrong after splitting, and why memory did not go down."""
    from splitopt import console
    from splitopt.diagnosis.diagnose import diagnose_folder
    from splitopt.diagnosis.samples import data_file
    from splitopt.diagnosis.written import refuse_to_overwrite, write_diagnosis

    given = data_file(data, key)
    if out is not None:
        refuse_to_overwrite(out)
    with console.progress(quiet=json) as progress:
        diagnosis = diagnose_folder(run_dir, given, progress)
    if out is not None:
        write_diagnosis(diagnosis, out)
    if json:
        console.show_json(diagnosis.to_dict())
    else:
        console.show_diagnosis(diagnosis)


app.command(epilog=sweep_command.EXAMPLE)(sweep_command.sweep)


@app.command(epilog="Example: splitopt boards --json")
def boards(
    json: Json = False,
    sources: Annotated[
        bool, typer.Option("--sources", help="Say where each board's figures come from.")
    ] = False,
) -> None:
    """List the boards that jobs can name, with their RAM and where the figures come from."""
    from splitopt import console
    from splitopt.board import list_boards, read_board

    known = [read_board(path) for path in list_boards().values()]
    if json:
        console.show_json([{**b.model_dump(), "budget_bytes": b.budget_bytes} for b in known])
        return
    rows = [
        (b.name, f"{b.sram_bytes:,}", f"{b.budget_bytes:,}", f"{b.headroom_bytes:,}", b.abi)
        for b in known
    ]
    console.show_table(("board", "SRAM B", "budget B", "headroom B", "ABI"), rows)
    if sources:
        for b in known:
            console.out.print(f"{b.name}: {b.description} Source: {b.source}\n", markup=False)
    else:
        console.out.print("Where the figures come from: splitopt boards --sources")


@app.command(epilog="Example: splitopt doctor")
def doctor(json: Json = False) -> None:
    """Say what this machine has of what splitopt uses; exit 5 where something is missing."""
    from splitopt import console
    from splitopt.doctor import examine

    findings = examine()
    if json:
        fields = ("name", "ok", "found", "why", "advice")
        console.show_json([{name: getattr(f, name) for name in fields} for f in findings])
    else:
        rows = [("ok" if f.ok else "MISSING", f.name, f.found, f.why) for f in findings]
        console.show_table(("", "what", "found", "why"), rows)
        for f in findings:
            if not f.ok:
                console.out.print(f"{f.name}: {f.found}; {f.advice}", markup=False)
    if not all(f.ok for f in findings):
        raise typer.Exit(5)


def main() -> None:
    """Entry point. A SplitoptError ends with its sentence and its exit code, never a traceback."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as after Ctrl-C
    try:
        code = app(standalone_mode=False)
    except SplitoptError as error:
        code = _report(error)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except typer.TyperException as error:
        message = error.format_message()
        is_help = message.startswith("Usage:")  # of a bare `splitopt`
        sys.stderr.write(f"{message}\n" if is_help else f"error: {message} (see splitopt --help)\n")
        code = 2
    if code == 130:  # typer turns a KeyboardInterrupt into this, too
        sys.stderr.write("interrupted\n")
    sys.exit(code)


def _report(error: SplitoptError) -> int:
    from splitopt import console

    if "--json" in sys.argv and not isinstance(error, NotEqualError):  # whose document is out
        console.show_json({**error.facts, "error": str(error), "exit_code": error.exit_code})
    console.show_error(str(error))
    return error.exit_code

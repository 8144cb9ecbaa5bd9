"""The command line; docs/troubleshooting.md lists its exit codes."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from splitopt.base.errors import NotEqualError, SplitoptError, ToolError
from splitopt.base.version import VERSION
from splitopt.cli import (
    boards,
    calibrate,
    compare,
    demo,
    doctor,
    explain,
    export,
    pack,
    report,
    run,
    runs,
    schema,
    sweep,
    time,
)

app = typer.Typer(
    name="splitopt",
    help=(
        "Cuts an ONNX or TFLite model into pieces that fit the SRAM of a Cortex-M55, "
        "and proves that they equal the model."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"splitopt {VERSION}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


_COMMANDS = (
    *(demo, run, time, export, sweep, explain, report),
    *(compare, runs, calibrate, pack, boards, schema, doctor),
)
for _command in _COMMANDS:
    _name = _command.__name__.rsplit(".", 1)[1]
    app.command(epilog=_command.EXAMPLE)(getattr(_command, _name))


def main() -> None:
    """Entry point. A SplitoptError ends with its sentence and its exit code, never a traceback."""
    for ending in (signal.SIGTERM, signal.SIGHUP):  # clean up as after Ctrl-C
        if signal.getsignal(ending) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(ending, signal.default_int_handler)
    try:
        code = app(standalone_mode=False)
    except SplitoptError as error:
        code = _report(error)
    except OSError as error:
        code = _report(ToolError(f"{error.filename or 'a file'}: {error.strerror or error}"))
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
    from splitopt.cli import console

    if "--json" in sys.argv and not isinstance(error, NotEqualError):  # whose document is out
        console.show_json({**error.facts, "error": str(error), "exit_code": error.exit_code})
    console.show_error(str(error))
    return error.exit_code

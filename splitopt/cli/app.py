"""The command line; docs/troubleshooting.md lists its exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for them takes 20 ms

import typer

from splitopt.base.ending import end_as_after_ctrl_c
from splitopt.base.errors import INTERRUPTED, SplitoptError, ToolError, UsageError
from splitopt.base.text import one_line
from splitopt.base.version import VERSION

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 120}
_EXAMPLES = (
    "Begin with: splitopt run model.tflite --board corstone300_256k, or: splitopt demo. "
    "`splitopt COMMAND -h` has an example of each command."
)
_COMMANDS = (
    *("demo", "init", "run", "time", "export", "sweep", "explain", "report"),
    *("compare", "runs", "calibrate", "pack", "boards", "schema", "doctor"),
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"splitopt {VERSION}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def _app(arguments: Sequence[str]) -> typer.Typer:
    """With the command that is called; with all of them where help or a wrong name needs them."""
    app = typer.Typer(
        name="splitopt",
        help=(
            "Cuts an ONNX or TFLite model into pieces that fit the SRAM of a Cortex-M55, "
            "and proves that they equal the model."
        ),
        epilog=_EXAMPLES,
        no_args_is_help=True,
        context_settings=_CONTEXT,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    called = tuple(name for name in _COMMANDS if name in arguments[:1])
    for name in called or _COMMANDS:
        module = import_module(f"splitopt.cli.{name}")
        command = getattr(module, name)
        first = " ".join(command.__doc__.split("\n\n")[0].split())  # all of it, in any width
        how = {"short_help": first, "epilog": module.EXAMPLE, "context_settings": _CONTEXT}
        app.command(**how)(command)
    return app


def main() -> None:
    """Entry point. Whatever happens ends with a sentence and an exit code, never a traceback."""
    end_as_after_ctrl_c()
    try:
        code = _outcome()
        sys.stdout.flush()
    except OSError as error:
        code = _cannot_print(error)
    if code == INTERRUPTED:  # typer turns a KeyboardInterrupt into this, too
        _give_document({"error": "interrupted", "exit_code": code})
        sys.stderr.write("interrupted\n")
    sys.exit(code)


def _outcome() -> int:
    """Runs the command and says what went wrong; the exit code.

    Raises OSError where standard output takes nothing.
    """
    try:
        _refuse_odd_arguments()
        return int(_app(sys.argv[1:])(standalone_mode=False) or 0)
    except SplitoptError as error:
        return _report(str(error), error.exit_code, error.facts)
    except BrokenPipeError:
        raise
    except OSError as error:
        where = error.filename or "a file"
        return _report(f"{where}: {error.strerror or error}", ToolError.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except typer.TyperException as error:
        message = error.format_message()
        if message.startswith("Usage:"):  # of a bare `splitopt`
            sys.stderr.write(f"{message}\n")
            return UsageError.exit_code
        called = [name for name in _COMMANDS if name in sys.argv[1:2]]
        see = " ".join(["splitopt", *called, "-h"])
        return _report(f"{_plain(message)} (see {see})", UsageError.exit_code)
    except SystemExit as error:
        if not sys.stdout.isatty() and error.code == 1:  # what typer makes of a closed pipe
            raise BrokenPipeError from error
        raise
    except Exception as error:
        from splitopt.base.faults import FAULT, fault_sentence

        return _report(fault_sentence(error), FAULT)


def _plain(message: str) -> str:
    """A refusal of an option's value without the parser's own words; names the nearest choice."""
    import re
    from difflib import get_close_matches

    message = message.replace("Value error, ", "").removesuffix(".")
    found = re.search(r"'([^']*)' is not one of (.*)$", message)
    near = get_close_matches(found[1], re.findall(r"'([^']*)'", found[2]), n=1) if found else []
    return f"{message}; did you mean {near[0]!r}?" if near else f"{message}."


def _refuse_odd_arguments() -> None:
    """Names that are not UTF-8 fit no document and no terminal. Raises UsageError."""
    for argument in sys.argv[1:]:
        if any("\ud800" <= char <= "\udfff" for char in argument):
            raise UsageError(f"{argument}: got a name that is not UTF-8; rename it")


def _report(
    message: str,
    exit_code: int,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> int:
    from splitopt.cli import console

    _give_document({**facts, "error": one_line(message), "exit_code": exit_code})
    console.show_error(message, facts.get("excerpt", ""))
    return exit_code


def _give_document(facts: Mapping[str, Any]) -> None:
    """With --json, the one of a failure; nothing where the command has given its own."""
    from splitopt.cli import console

    if "--json" in sys.argv and not console.has_document():
        console.show_json(facts)


def _cannot_print(error: OSError) -> int:
    """Exit code where standard output is full or closed; what it still holds is let go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):  # the reader has seen enough, as `head` does
        return 0
    sys.stderr.write(f"error: standard output: {error.strerror or error}\n")
    return ToolError.exit_code

"""splitopt compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import FailOn, Json, OutJson


def compare(
    run_a: Annotated[Path, typer.Argument(help="A bundle or a sweep's folder: before.")],
    run_b: Annotated[Path, typer.Argument(help="Another of the same kind: after.")],
    fail_on: FailOn = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a summary for a pull request.")
    ] = False,
    json: Json = False,
    out: OutJson = None,
) -> None:
    """Say what changed from one run (or sweep) to another; fail where a limit is broken."""
    from splitopt.base.errors import UsageError
    from splitopt.bundle.folder import write_new
    from splitopt.bundle.thresholds import parse_thresholds, require_none_broken
    from splitopt.cli import console
    from splitopt.report.compare import compare_folders
    from splitopt.report.text.compare import comparison_markdown, comparison_text

    if markdown and json:
        raise UsageError("--markdown and --json: want one of them")
    thresholds = parse_thresholds(fail_on or ())
    found = compare_folders(run_a, run_b, thresholds)
    document = found.to_dict()
    if out is not None:
        write_new(out, "compare.json", document)
    if markdown:
        console.show_lines(comparison_markdown(found).rstrip())
    elif not json:
        console.show_lines(comparison_text(found).rstrip())
    elif not found.broken:
        console.show_json(document)
    require_none_broken(found.broken, document)  # with --json, the error's document has it all


EXAMPLE = "Example: splitopt compare RUN_A RUN_B --fail-on 'peak_ram_bytes>+0' --markdown"

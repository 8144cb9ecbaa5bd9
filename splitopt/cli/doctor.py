"""splitopt doctor."""

from __future__ import annotations

import typer

from splitopt.cli.options import Json, OutJson

EXAMPLE = "Example: splitopt doctor"


def doctor(json: Json = False, out: OutJson = None) -> None:
    """Say what this machine has of what splitopt uses; exit 5 where it cannot do without."""
    from dataclasses import asdict

    from splitopt.bundle.folder import write_new
    from splitopt.cli import console
    from splitopt.workflows.doctor import examine, findings_text

    findings = examine()
    document = [asdict(finding) for finding in findings]
    if out is not None:
        write_new(out, "doctor.json", document)
    if json:
        console.show_json(document)
    else:
        console.show_lines(findings_text(findings))
    if not all(f.ok or f.optional for f in findings):
        raise typer.Exit(5)

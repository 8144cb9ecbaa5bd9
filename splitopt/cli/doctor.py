"""splitopt doctor."""

from __future__ import annotations

import typer

from splitopt.cli.options import Json, OutJson

EXAMPLE = "Example: splitopt doctor"


def doctor(json: Json = False, out: OutJson = None) -> None:
    """Say what this machine has of what splitopt uses; exit 5 where it cannot do without."""
    from splitopt.base.text import table
    from splitopt.bundle.folder import write_new
    from splitopt.cli import terminal
    from splitopt.workflows.doctor import examine

    findings = examine()
    fields = ("name", "ok", "found", "why", "advice", "optional")
    document = [{name: getattr(f, name) for name in fields} for f in findings]
    if out is not None:
        write_new(out, "doctor.json", document)
    if json:
        terminal.show_json(document)
    else:
        words = ["ok" if f.ok else "absent" if f.optional else "MISSING" for f in findings]
        rows = [(w, f.name, f.found, f.why) for w, f in zip(words, findings, strict=True)]
        terminal.out.print(table(("", "what", "found", "why"), rows), markup=False, soft_wrap=True)
        for f in findings:
            if not f.ok:
                terminal.out.print(f"{f.name}: {f.found}; {f.advice}", markup=False)
    if not all(f.ok or f.optional for f in findings):
        raise typer.Exit(5)

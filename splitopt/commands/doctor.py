"""splitopt doctor."""

from __future__ import annotations

import typer

from splitopt.commands.options import Json

EXAMPLE = "Example: splitopt doctor"


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

"""splitopt doctor."""

from __future__ import annotations

import typer

from splitopt.commands.options import Json

EXAMPLE = "Example: splitopt doctor"


def doctor(json: Json = False) -> None:
    """Say what this machine has of what splitopt uses; exit 5 where it cannot do without."""
    from splitopt import console
    from splitopt.doctor import examine
    from splitopt.summary import table

    findings = examine()
    if json:
        fields = ("name", "ok", "found", "why", "advice", "optional")
        console.show_json([{name: getattr(f, name) for name in fields} for f in findings])
    else:
        words = ["ok" if f.ok else "absent" if f.optional else "MISSING" for f in findings]
        rows = [(w, f.name, f.found, f.why) for w, f in zip(words, findings, strict=True)]
        console.out.print(table(("", "what", "found", "why"), rows), markup=False, soft_wrap=True)
        for f in findings:
            if not f.ok:
                console.out.print(f"{f.name}: {f.found}; {f.advice}", markup=False)
    if not all(f.ok or f.optional for f in findings):
        raise typer.Exit(5)

"""Imports run one way, from the command line down to the solvers: a list, and a loop over it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]

# Lowest first. A folder imports folders of lines before its own; two on one line do not import
# one another. The command line calls the functions that the front door hands out where they are;
# with `__main__` on top of it that makes 13 levels.
LAYERS = (
    ("solvers", "base"),
    ("config", "graph"),
    ("arena",),
    ("tiling", "cost"),
    ("planning", "runtime"),
    ("convert",),
    ("pieces",),
    ("verify",),
    ("bundle",),
    ("explain", "report"),
    ("workflows",),
    ("the front door", "cli"),
)
RANK = {folder: rank for rank, folders in enumerate(LAYERS) for folder in folders}
ONLY_IN = {  # what is imported in some folders only
    "solvers": {"arena", "cost", "planning", "workflows"},
    "ortools": {"solvers"},
    "typer": {"cli"},
    "rich": {"cli"},
    "yaml": {"base"},
    "networkx": {"graph"},
    "tflite_micro": {"runtime"},
    "jinja2": {"explain", "report"},
}
MOST_LEVELS, MOST_LINES, MOST_BODY_LINES = 13, 350, 50


@cache
def sources() -> dict[str, Path]:
    """Dotted name → file; `splitopt/solvers` is a link to the folder `solvers`."""
    found = {}
    for top, name in (("splitopt", "splitopt"), ("solvers", "splitopt.solvers")):
        for path in sorted((CHECKOUT / top).rglob("*.py")):
            parts = path.relative_to(CHECKOUT / top).with_suffix("").parts
            if (top, *parts[:1]) != ("splitopt", "solvers"):
                inner = parts[:-1] if parts[-1] == "__init__" else parts
                found[".".join((name, *inner))] = path
    return found


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(sources()[module].read_text("utf-8"))


@cache
def imports(module: str) -> frozenset[str]:
    """What it imports anywhere, inside functions too; of `from a import b`, `a.b` if a module."""
    return frozenset(_imports(tree(module)))


def _imports(parsed: ast.Module) -> Iterator[str]:
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports are not used here"
            for name in node.names:
                longer = f"{node.module}.{name.name}"
                yield longer if longer in sources() else str(node.module)


def folder_of(module: str) -> str:
    """`splitopt.graph.model` → `graph`; another package → its name."""
    package, *rest = module.split(".")
    if package != "splitopt":
        return package
    return rest[0] if rest else "the front door"


@pytest.mark.parametrize("module", sources())
def test_imports_point_downwards(module: str) -> None:
    mine = folder_of(module)
    if mine == "__main__":
        return
    for other in {folder_of(imported) for imported in imports(module)} - {mine}:
        # `__version__` is all that a folder may take from the front door
        if other in RANK and other != "the front door":
            assert RANK[other] < RANK[mine], f"{module} imports {other}"
        assert mine in ONLY_IN.get(other, {mine}), f"{module} imports {other}"


def test_there_are_few_levels() -> None:
    assert len((*LAYERS, "__main__")) <= MOST_LEVELS


def test_every_folder_has_its_line_and_no_file_lies_beside_them() -> None:
    assert {folder_of(module) for module in sources()} == {*RANK, "__main__"}


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {module: imports(module) & sources().keys() - {"splitopt"} for module in sources()}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", sources())
def test_files_and_functions_are_short(module: str) -> None:
    assert sources()[module].read_text("utf-8").count("\n") <= MOST_LINES
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= MOST_BODY_LINES, f"{node.name}: {lines} lines"

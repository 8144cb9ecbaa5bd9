"""Imports run one way: read from the sources, so an import inside a function counts too."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]

# Lowest first. A name is a module of splitopt, or a package with all that is in it. A module may
# import what stands in lines above its own, and the rest of its own package.
LAYERS = (
    ("splitopt", "errors", "units", "plain_text"),
    ("timing_text",),
    ("graph", "packing_csv", "yaml_input", "json_input", "bundle", "thresholds"),
    ("arena", "run_record", "plan_figures"),
    ("bands",),
    ("cost", "target"),
    ("board",),
    ("job", "pieces", "sweep_record"),
    ("convert",),
    ("model_source",),
    ("bounds", "band_table"),
    ("segment_table", "shortest"),
    ("baseline", "pruning"),
    ("plan", "way_bounds", "cut_limits"),
    ("limits", "bridge", "onnx_names", "piece_set", "route_check"),
    ("plan_json", "summary", "refusals", "onnx_route", "routes_json", "memory_json"),
    ("planning", "proof", "front", "ladder"),
    ("diagnosis", "report", "compare", "run_index"),
    ("bundle_run",),
    ("timing", "export", "calibrate"),
    ("api", "doctor", "facts", "compare_text"),
    ("sweep",),
    ("console",),
    ("commands",),
    ("cli",),
    ("__main__",),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

MAY_IMPORT_SOLVERS = {"bridge", "front", "arena", "cost", "packing_csv", "commands"}
MAY_IMPORT_OUTCOME = {"plan", "planning", "sweep"}
ONE_PLACE = {  # what is imported in one place only, and where
    "tflite_micro": {"splitopt.target.host_worker"},
    "ai_edge_litert.interpreter": {"splitopt.target.host_worker"},
    "typer": {
        "splitopt.cli",
        "splitopt.commands.boards",
        "splitopt.commands.calibrate",
        "splitopt.commands.compare",
        "splitopt.commands.doctor",
        "splitopt.commands.explain",
        "splitopt.commands.export",
        "splitopt.commands.options",
        "splitopt.commands.pack",
        "splitopt.commands.report",
        "splitopt.commands.run",
        "splitopt.commands.runs",
        "splitopt.commands.sweep",
        "splitopt.commands.time",
    },
    "rich": {"splitopt.console"},
    "yaml": {"splitopt.yaml_input"},
    "pydantic": {
        "splitopt.yaml_input",
        "splitopt.board",
        "splitopt.job",
        "splitopt.report.diagnosis_shapes",
        "splitopt.report.json_input",
        "splitopt.report.shapes",
        "splitopt.report.sweep_shapes",
        "splitopt.run_record",
        "splitopt.sweep.spec",
        "splitopt.sweep_record",
        "splitopt.diagnosis.plan_file",
        "splitopt.target.spec",
        "splitopt.plan_figures",
        "splitopt.cost.costs",
    },
    "pydantic_core": {"splitopt.yaml_input"},
    "networkx": {"splitopt.graph.model"},
    "jinja2": {"splitopt.facts.html", "splitopt.report.page"},
    "matplotlib": {"splitopt.report.figures"},
    "ortools": set(),
}


@cache
def modules() -> dict[str, ast.Module]:
    """Dotted name → syntax tree, of both packages."""
    found = {}
    for package in ("splitopt", "solvers"):
        for path in sorted((CHECKOUT / package).rglob("*.py")):
            parts = path.relative_to(CHECKOUT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text("utf-8"), str(path))
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """Every module that it imports anywhere; of `from a import b`, `a.b` where that is one."""
    return frozenset(_imports(modules()[module]))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used here"
            assert node.module
            for name in node.names:
                longer = f"{node.module}.{name.name}"
                is_ours = longer in modules() or longer in ONE_PLACE
                yield longer if is_ours else node.module


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def unit(module: str) -> str:
    """`splitopt.graph.model` → `graph`, `splitopt.errors` → `errors`, `splitopt` → itself."""
    return [*module.split("."), ""][1] or module


def ours(package: str) -> list[str]:
    return [module for module in modules() if is_in(module, package)]


def test_every_module_has_its_layer() -> None:
    units = {unit(module) for module in ours("splitopt")}
    assert units <= RANK.keys(), "a new module: give it a line of LAYERS"
    assert RANK.keys() <= units, "LAYERS names what is no more"


@pytest.mark.parametrize("module", ours("splitopt"))
def test_imports_point_downwards(module: str) -> None:
    mine = unit(module)
    for imported in imports(module):
        if is_in(imported, "splitopt") and unit(imported) != mine:
            assert RANK[unit(imported)] < RANK[mine], f"{module} imports {imported}"


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {module: imports(module) & modules().keys() for module in modules()}
    order = list(TopologicalSorter(graph).static_order())
    assert set(order) == modules().keys()


@pytest.mark.parametrize("module", ours("solvers"))
def test_solvers_rest_on_the_standard_library_and_ortools(module: str) -> None:
    for imported in imports(module):
        root = imported.split(".")[0]
        assert root in sys.stdlib_module_names | {"ortools", "solvers"}, imported


@pytest.mark.parametrize("module", ours("splitopt"))
def test_few_modules_know_the_solvers(module: str) -> None:
    known = {imported for imported in imports(module) if is_in(imported, "solvers")}
    if unit(module) in MAY_IMPORT_OUTCOME:
        assert known <= {"solvers.outcome"}
    elif unit(module) not in MAY_IMPORT_SOLVERS:
        assert not known


@pytest.mark.parametrize("package", ONE_PLACE)
def test_what_is_imported_in_one_place_only(package: str) -> None:
    importers = {m for m in ours("splitopt") if any(is_in(i, package) for i in imports(m))}
    assert importers == ONE_PLACE[package]


def test_no_module_but_the_worker_takes_all_of_litert() -> None:
    """`import ai_edge_litert` would reach the interpreter past the test above."""
    for module in ours("splitopt"):
        found = {i for i in imports(module) if is_in(i, "ai_edge_litert")}
        assert found <= {"ai_edge_litert", "ai_edge_litert.interpreter"}
        for node in ast.walk(modules()[module]):
            if isinstance(node, ast.ImportFrom) and node.module == "ai_edge_litert":
                assert [name.name for name in node.names] == ["schema_py_generated"]
            if isinstance(node, ast.Import):
                assert not any(is_in(name.name, "ai_edge_litert") for name in node.names)


def test_a_run_loads_no_interpreter_into_its_own_process() -> None:
    code = (
        "import sys, splitopt.api, splitopt.doctor\n"
        "loaded = {'tflite_micro', 'ai_edge_litert.interpreter'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
